"""The project's networks in PyTorch, trained on drawn faces: the other side of `bench/throughput.py`.

It needs PyTorch and NumPy alone, so that it runs in an environment of its own.
"""

import sys
import time

import numpy as np
import torch
from torch import nn


def capstone() -> nn.Module:
    """Return `model.networks.capstone` at its defaults."""
    layers: list[nn.Module] = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU()]
    channels = 32
    for width, kernel in ((64, 3), (128, 5), (512, 3), (512, 3), (512, 3)):
        layers += [nn.Conv2d(channels, width, kernel, padding=kernel // 2), nn.ReLU()]
        layers += [nn.BatchNorm2d(width), nn.MaxPool2d(2), nn.Dropout(0.25)]
        channels = width
    layers.append(nn.Flatten())
    for units in (256, 512):
        layers += [nn.Linear(channels, units), nn.ReLU(), nn.BatchNorm1d(units), nn.Dropout(0.25)]
        channels = units
    return nn.Sequential(*layers, nn.Linear(channels, 7))


def convolve(channels: int, width: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution with batch normalization."""
    convolution = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width))


class Block(nn.Module):
    """A residual block of `model.networks.compact`."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = convolve(channels, width, 3, stride), convolve(width, width, 3)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != width:
            pool = nn.AvgPool2d(stride) if stride != 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, convolve(channels, width, 1))
        squeezed = max(8, width // 8)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, squeezed), nn.ReLU(), nn.Linear(squeezed, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        found = self.second(torch.relu(self.first(x)))
        return torch.relu(found * torch.sigmoid(self.gate(found))[:, :, None, None] + self.shortcut(x))


def compact() -> nn.Module:
    """Return `model.networks.compact` at its defaults, without the standardization of the faces."""
    layers: list[nn.Module] = [convolve(1, 48, 3, 2), nn.ReLU()]
    channels = 48
    for stage, (width, blocks) in enumerate(((48, 1), (96, 2), (192, 2))):
        for block in range(blocks):
            layers.append(Block(channels, width, 2 if stage and not block else 1))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels, 7))


def counted(network: nn.Module) -> int:
    """Return the parameters, as Keras counts them: with the statistics of batch normalization."""
    statistics = sum(buffer.numel() for buffer in network.buffers() if buffer.dtype == torch.float32)
    return sum(parameter.numel() for parameter in network.parameters()) + statistics


def rate(network: nn.Module, batches: int, size: int, warm: int, layout: torch.memory_format) -> float:
    """Return faces a second, over the batches after the first `warm` ones."""
    rng = np.random.default_rng(0)
    faces = torch.from_numpy(rng.random((batches * size, 1, 48, 48), dtype=np.float32))
    labels = torch.from_numpy(rng.integers(0, 7, batches * size))
    network = network.to(memory_format=layout).train()
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, nesterov=True)
    marks = []
    for index in range(batches):
        part = slice(index * size, (index + 1) * size)
        batch = faces[part].contiguous(memory_format=layout)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(batch), labels[part])
        loss.backward()
        optimizer.step()
        loss.item()
        marks.append(time.perf_counter())
    return size * (batches - warm) / (marks[-1] - marks[warm - 1])


def main() -> None:
    name, batches, size, warm, layout, expected = sys.argv[1:]
    network = {"capstone": capstone, "compact": compact}[name]()
    if counted(network) != int(expected):
        sys.exit(
            f"{name}: PyTorch's has {counted(network):,} parameters, ours {int(expected):,}; they are not the same"
        )
    layouts = {"first": torch.contiguous_format, "last": torch.channels_last}
    print(rate(network, int(batches), int(size), int(warm), layouts[layout]))


if __name__ == "__main__":
    main()
