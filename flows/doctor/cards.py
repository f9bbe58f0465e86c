"""NVIDIA's driver and the cards that it shows."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.doctor.asking import ask
from flows.doctor.check import Check, Need
from flows.doctor.loading import load

MODULE: Final = Path("/proc/driver/nvidia/version")
BUS: Final = Path("/sys/bus/pci/devices")
NVIDIA, DISPLAY = "0x10de", "0x03"
"""How the bus names the vendor, and how the classes of cards that can display or compute begin."""

QUERY: Final = [
    "nvidia-smi",
    "--query-gpu=name,driver_version,memory.free,memory.total",
    "--format=csv,noheader,nounits",
]
LEAST_MB: Final = 2000
"""Free GPU memory under which a training is likely not to fit."""


@dataclass(frozen=True)
class Card:
    """A card as `nvidia-smi` shows it; memory in MB."""

    name: str
    driver: str
    free: int
    total: int


@dataclass(frozen=True)
class Driver:
    """What is there of the driver.

    Attributes:
        version: of the kernel's module or as `nvidia-smi` says; None where there is neither.
        cards: that `nvidia-smi` shows.
        fault: why it shows none.
    """

    version: str | None
    cards: tuple[Card, ...]
    fault: str | None


@functools.cache
def look() -> Driver:
    """Ask the kernel and `nvidia-smi`."""
    answer = ask(QUERY, 20)
    lines = [] if answer.fault else [line for line in answer.said.splitlines() if line.count(",") >= 3]
    cards = tuple(map(read_card, lines))
    if cards:
        return Driver(cards[0].driver, cards, None)
    module = re.search(r"\d+\.[\d.]+", MODULE.read_text(encoding="utf-8")) if MODULE.exists() else None
    return Driver(module[0] if module else None, (), answer.fault or f"nvidia-smi shows no card: {answer.said.strip()}")


def on_bus(bus: Path = BUS) -> bool:
    """Say whether the machine has a card of NVIDIA's, with or without a driver."""

    def read(device: Path, what: str) -> str:
        path = device / what
        return path.read_text(encoding="ascii") if path.exists() else ""

    devices = bus.iterdir() if bus.exists() else ()
    return any(read(card, "vendor").strip() == NVIDIA and read(card, "class").startswith(DISPLAY) for card in devices)


def read_card(line: str) -> Card:
    """Read a line of `nvidia-smi`; memory that it does not tell, as on cards that share the system's, counts as 0."""
    name, driver, free, total = (cell.strip() for cell in line.rsplit(",", 3))
    return Card(name, driver, *(int(cell) if cell.isdigit() else 0 for cell in (free, total)))


def driver(need: Need) -> Check:
    """Check that there is a driver, that it shows a card, and that programs can load it."""
    found = look()
    if found.version is None:
        said = f"no NVIDIA driver: {MODULE} is not there, and {found.fault}"
        mend = "install the driver (https://www.nvidia.com/drivers) and start anew, until `nvidia-smi` lists the card"
        return Check("driver", need.without_gpu, said, mend)
    if found.fault:
        mend = "start the machine anew after an update of the driver; start a container with `--gpus all`"
        return Check("driver", need.without_gpu, f"NVIDIA {found.version}, but {found.fault}", mend)
    names = ", ".join(card.name for card in found.cards)
    if fault := load("libcuda.so.1").fault:
        mend = "start the container with `--gpus all`; on the machine itself, install the driver again"
        return Check("driver", need.without_gpu, f"NVIDIA {found.version}, {names}, but {fault}", mend)
    return Check("driver", "pass", f"NVIDIA {found.version}, {names}")


def memory(_: Need) -> list[Check]:
    """Check that the cards have memory left; without a card there is nothing to check."""
    return [_memory(card) for card in look().cards if card.total]


def _memory(card: Card) -> Check:
    found = f"{card.free:,} of {card.total:,} MB free on {card.name}"
    if card.free < LEAST_MB:
        return Check("GPU memory", "warn", found, "`nvidia-smi` lists the processes that hold it; end those not needed")
    return Check("GPU memory", "pass", found)
