"""A figure and how sure it is: of one run, or over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special, stats

CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Figure:
    """A figure and how sure it is.

    Attributes:
        value: of one run, or the mean over seeds.
        deviation: sample standard deviation over seeds; None for one run.
        interval: least and most; None where nothing is known of it.
    """

    value: float
    deviation: float | None = None
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        return f"{self.point} {self.range}".strip()

    @property
    def point(self) -> str:
        """The value, with the deviation where there is one."""
        return f"{self.value:.3f}" + ("" if self.deviation is None else f" ± {self.deviation:.3f}")

    @property
    def range(self) -> str:
        """The interval; empty where there is none."""
        return f"[{self.interval[0]:.3f}, {self.interval[1]:.3f}]" if self.interval else ""


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share of n (Wilson 1927)."""
    z = float(special.ndtri((1 + CONFIDENCE) / 2))
    middle, spread = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = ((middle + sign * spread) / (1 + z**2 / n) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def over_seeds(values: Sequence[float]) -> Figure:
    """Return the mean of at least one value; of more, with their deviation and the mean's 95 % t interval."""
    mean, n = float(np.mean(values)), len(values)
    if n == 1:
        return Figure(mean)
    deviation = float(np.std(values, ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * deviation / math.sqrt(n)
    return Figure(mean, deviation, (mean - half, mean + half))
