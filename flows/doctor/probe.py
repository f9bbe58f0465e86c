"""The device at work: a convolution, and a network that learns."""

import functools
import json
import os
import sys
from dataclasses import dataclass
from typing import Final

from flows.doctor.asking import ask
from flows.doctor.cards import look
from flows.doctor.check import Check, Need

SECONDS: Final = 300
TOLERANCE: Final = 1e-4
"""Of the largest value: far above float32's rounding, far below a wrong result."""


@dataclass(frozen=True)
class Probe:
    """What `model.probing` answered; of what it did not come to, None."""

    device: str | None = None
    convolution_error: float | None = None
    steps: int | None = None
    fault: str | None = None


@functools.cache
def probe(device: str) -> Probe:
    """Run `model.probing`, once for each device."""
    answer = ask([sys.executable, "-m", "model.probing", "--device", device], SECONDS)
    if answer.fault:
        return Probe(fault=f"`python -m model.probing --device {device}` {answer.fault}")
    return Probe(**json.loads(answer.said.splitlines()[-1]))


def works(need: Need) -> list[Check]:
    """Check that the device convolves rightly and that a network learns on it."""
    found = probe(need.device)
    if found.device is None:
        mend = "run that by itself to see all it says; `rm -r .venv && make setup` puts every package anew"
        return [Check("device", "fail", str(found.fault), mend)]
    if found.convolution_error is None:
        return [Check("device", "fail", str(found.fault), _unseen())]
    return [chosen(found.device, need), convolution(found.convolution_error), learning(found.steps, found.fault)]


def chosen(device: str, need: Need) -> Check:
    """Say what was computed on; a card that is there and not used is a warning."""
    if need.device == "auto" and look().version and device.startswith("CPU"):
        return Check("device", "warn", f"{device}, though there is an NVIDIA driver", _unseen())
    return Check("device", "pass", device)


def convolution(error: float) -> Check:
    """Judge the difference from NumPy's result."""
    found = f"differs from NumPy's by at most {error:.1g} of its largest value"
    if error <= TOLERANCE:
        return Check("convolution", "pass", found)
    mend = f"this device computes wrongly (more than {TOLERANCE:g}): update its driver, or take train.device: cpu"
    return Check("convolution", "fail", found, mend)


def learning(steps: int | None, fault: str | None) -> Check:
    """Judge whether the network learnt."""
    if steps is None:
        return Check("learning", "fail", str(fault), "update the device's driver, or take train.device: cpu")
    return Check("learning", "pass", f"a small network learnt 28 drawn faces in {steps} steps")


def _unseen() -> str:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "see GPU above" if hidden is None else f"see GPU above; CUDA_VISIBLE_DEVICES is {hidden!r}: unset it"
