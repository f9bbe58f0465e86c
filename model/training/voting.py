"""A second output that learns what a crowd made of each face; training alone has it."""

import keras
from keras import layers, ops

from model.labels import LABELS
from model.networks.parts import LOGITS, VOTES


def with_votes(network: keras.Model, answers: int) -> keras.Model:
    """Return the network, sharing its weights, with a second output from the features that its logits come from.

    Labels that one person gave are noisy; many people's votes on the same faces are less so, and what the network
    learns from them it has for the labels as well (Caruana 1997, "Multitask Learning"; Barsoum et al. 2016 for the
    votes of FER+).

    Args:
        network: of `model.networks.build`.
        answers: how many answers the crowd could give.

    Returns:
        A model that gives float32 [n, 7 + answers]: the logits of the labels, then those of the answers.
    """
    features = network.get_layer(LOGITS).input
    votes = layers.Dense(answers, dtype="float32", name=VOTES)(features)
    return keras.Model(network.input, layers.Concatenate(dtype="float32")([network.output, votes]), name=network.name)


@keras.saving.register_keras_serializable(package="facial_emotion")
class WithVotes(keras.losses.Loss):
    """A loss of the labels, plus a weight times the cross-entropy of the votes, which is 0 for a face without any.

    Targets of seven columns have no votes: the loss is then that of the labels.

    Args:
        labels: the loss of targets and logits, float32 [b, 7].
        weight: 0 or more.
        name: of the loss.
    """

    def __init__(self, labels: keras.losses.Loss, weight: float, name: str = "with_votes") -> None:
        super().__init__(name=name, dtype="float32")
        self.labels, self.weight = labels, weight

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return float32 [b] of targets and logits, float32 [b, 7 + k]."""
        own = len(LABELS)
        loss = self.labels.call(y_true[:, :own], y_pred[:, :own])
        if y_true.shape[-1] == own:
            return loss
        return loss - self.weight * ops.sum(y_true[:, own:] * ops.log_softmax(y_pred[:, own:]), axis=-1)


def label_accuracy(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Return for each face, [b], 1.0 where the likeliest of the seven labels is that of the target, else 0.0."""
    own = len(LABELS)
    return keras.metrics.categorical_accuracy(y_true[:, :own], y_pred[:, :own])
