"""Muon: steps that are as long in every direction that a layer can turn."""

from typing import Any, Final

import keras
from keras import ops

from model.networks.parts import LOGITS, VOTES

_QUINTIC: Final = (3.4445, -4.7750, 2.0315)
_ROUNDS: Final = 5


@keras.saving.register_keras_serializable(package="facial_emotion")
class Muon(keras.optimizers.Optimizer):
    """Nesterov momentum, made orthogonal for the kernels of hidden layers before it is applied.

    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". The kernel of a convolution counts as
    a matrix [height · width · channels, filters]. What is no such kernel (biases, batch normalization, the layer that
    sees the pixels, the layer that gives the logits) takes plain Nesterov steps at the same rate. Keras's own Muon
    leaves convolutions to Adam.

    Args:
        learning_rate: about ten times smaller than for Nesterov's momentum alone; a number or a schedule.
        momentum: 0 to below 1.
        weight_decay: decoupled; None is none.
        name: of the optimizer.
        kwargs: of `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        momentum: float = 0.95,
        weight_decay: float | None = None,
        name: str = "muon",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, name=name, **kwargs)
        self.momentum = momentum

    def build(self, variables: list[keras.Variable]) -> None:
        """Make a momentum for each variable."""
        if not self.built:
            super().build(variables)
            self.momentums = [self.add_variable_from_reference(variable, "momentum") for variable in variables]
            self._turned = [is_hidden_kernel(variable) for variable in variables]

    def update_step(self, gradient: keras.KerasTensor, variable: keras.Variable, learning_rate: Any) -> None:
        """Change one variable by its gradient, as `apply` asks."""
        index = self._get_variable_index(variable)
        momentum = self.momentums[index]
        rate = ops.cast(learning_rate, variable.dtype)
        gathered = self.momentum * momentum + gradient
        self.assign(momentum, gathered)
        step = gradient + self.momentum * gathered
        if self._turned[index]:
            matrix = ops.reshape(step, (-1, variable.shape[-1]))
            step = ops.reshape(orthogonal(matrix) * max(1, matrix.shape[1] / matrix.shape[0]) ** 0.5, variable.shape)
        self.assign_sub(variable, rate * step)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "momentum": self.momentum}


def is_hidden_kernel(variable: keras.Variable) -> bool:
    """Say whether a variable turns features into features: neither pixels into them nor them into logits."""
    return len(variable.shape) > 1 and variable.shape[-2] > 1 and not {LOGITS, VOTES} & set(variable.path.split("/"))


def orthogonal(matrix: keras.KerasTensor) -> keras.KerasTensor:
    """Return about U·Vᵀ of the singular value decomposition U·S·Vᵀ of `matrix`, float32 [m, n].

    Five rounds of a Newton-Schulz iteration, whose quintic is Jordan's: singular values come out between 0.7 and 1.2
    where the smallest is at least a hundredth of the largest, and nearer to 0 below that. Each round multiplies the
    matrix by a polynomial of its Gram matrix; all of them commute, so that they are gathered on the small side and meet
    the matrix once, which for the kernels of convolutions takes half of the work.
    """
    first, third, fifth = _QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(matrix) if tall else matrix
    x = x / (ops.norm(x) + 1e-7)
    gram = x @ ops.transpose(x)
    gathered = one = ops.eye(x.shape[0], dtype=x.dtype)
    for _ in range(_ROUNDS):
        turn = first * one + (third * one + fifth * gram) @ gram
        gathered = turn @ gathered
        gram = turn @ (gram @ turn)
    x = gathered @ x
    return ops.transpose(x) if tall else x
