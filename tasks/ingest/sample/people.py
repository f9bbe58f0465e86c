"""Who is seen, and how: the traits of heads, their poses and the conditions of the photograph, all drawn at random."""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from tasks.ingest.sample.randomness import Array, Stream


@dataclass(frozen=True)
class Hair:
    """Hair of head and face; strengths are 0 to 1."""

    tone: Array
    line_y: Array
    curve: Array
    volume: Array
    end_y: Array
    fringe: Array
    parting_x: Array
    beard: Array
    moustache: Array


@dataclass(frozen=True)
class Eyes:
    """Eyes and brows at rest; `x` is the distance of each from the middle, tilts are those of the outer ends."""

    x: Array
    y: Array
    width: Array
    height: Array
    tilt: Array
    iris: Array
    brow_y: Array
    brow_thickness: Array
    brow_arch: Array
    brow_tilt: Array
    brow_strength: Array


@dataclass(frozen=True)
class Mouth:
    """The mouth at rest; `corner` is how far its corners hang."""

    y: Array
    width: Array
    corner: Array
    upper: Array
    lower: Array
    tone: Array


@dataclass(frozen=True)
class Head:
    """What a person brings along; every array, here and in the parts, is float32 [n, 1, 1].

    Lengths are in half sides of the picture, heights (`y`) grow downwards from the middle of the face, tones go from
    0 (black) to 1 (white), `age` from 0 (smooth) to 1 (wrinkled); `male`, `glasses`, `shades` and `hat` are 0 or 1.
    """

    male: Array
    age: Array
    skin: Array
    width: Array
    crown_y: Array
    chin_y: Array
    jaw: Array
    nose_y: Array
    nose_width: Array
    glasses: Array
    shades: Array
    hat: Array
    hair: Hair
    eyes: Eyes
    mouth: Mouth


@dataclass(frozen=True)
class Pose:
    """How the head is held; float32 [n, 1, 1]. Angles come as cosine and sine."""

    yaw_cos: Array
    yaw_sin: Array
    pitch_cos: Array
    pitch_sin: Array
    roll_cos: Array
    roll_sin: Array
    scale: Array
    shift_x: Array
    shift_y: Array
    gaze_x: Array
    gaze_y: Array


@dataclass(frozen=True)
class Shot:
    """The photograph; float32 [n, 1, 1]. Light comes from `light_x`, `light_y` (slopes of its direction)."""

    light_x: Array
    light_y: Array
    ambient: Array
    gain: Array
    offset: Array
    curve: Array
    backdrop: Array
    backdrop_x: Array
    backdrop_y: Array
    backdrop_grain: Array
    clothes: Array
    blur: Array
    noise: Array
    hand: Array
    hand_x: Array
    hand_y: Array
    hand_slope: Array


Traits = TypeVar("Traits", Hair, Eyes, Mouth, Head, Pose, Shot)


def part(traits: Traits, where: slice) -> Traits:
    """Return the traits of some faces of the batch."""

    def cut(value: Any) -> Any:
        return value[where] if isinstance(value, np.ndarray) else part(value, where)

    return type(traits)(**{field.name: cut(getattr(traits, field.name)) for field in fields(traits)})


def draw_heads(stream: Stream, n: int) -> Head:
    """Draw n heads, each of another person."""
    shape = (n, 1, 1)
    male, age, skin = stream.chance(0.5, *shape), stream.uniform(0, 1, *shape), stream.uniform(0.5, 0.88, *shape)
    glasses = stream.chance(0.13, *shape)
    return Head(
        male=male,
        age=age,
        skin=skin,
        width=stream.bell(0.71, 0.035, *shape) + 0.02 * male,
        crown_y=stream.bell(-1.05, 0.05, *shape),
        chin_y=stream.bell(0.93, 0.04, *shape) + 0.03 * male,
        jaw=np.clip(stream.bell(0.05, 0.15, *shape) + 0.25 * male, 0, 0.7),
        nose_y=stream.bell(0.17, 0.03, *shape),
        nose_width=stream.bell(0.135, 0.018, *shape),
        glasses=glasses,
        shades=glasses * stream.chance(0.08, *shape),
        hat=stream.chance(0.07, *shape),
        hair=_draw_hair(stream, male, age, skin),
        eyes=_draw_eyes(stream, male),
        mouth=_draw_mouth(stream, male),
    )


def _draw_hair(stream: Stream, male: Array, age: Array, skin: Array) -> Hair:
    shape = male.shape
    bald = male * stream.chance(0.15, *shape)
    grey = stream.chance(0.5, *shape) * np.maximum(age - 0.6, 0) * 1.4
    short, long = stream.uniform(-0.35, 0.1, *shape), stream.uniform(0.0, 1.6, *shape)
    return Hair(
        tone=stream.uniform(0.04, 0.45, *shape) * (0.2 + 0.9 * skin) + grey,  # dark skin seldom goes with fair hair
        line_y=stream.bell(-0.82, 0.06, *shape) - 0.5 * bald,
        curve=stream.uniform(-0.1, 0.9, *shape),
        volume=stream.uniform(0.0, 0.14, *shape) * (1 - bald) - 0.12 * bald,
        end_y=np.where(male > 0, short, long),
        fringe=(1 - bald) * stream.chance(0.2, *shape) * stream.uniform(0.1, 0.22, *shape),
        parting_x=stream.uniform(-0.5, 0.5, *shape),
        beard=male * stream.chance(0.25, *shape) * stream.uniform(0.25, 0.9, *shape),
        moustache=male * stream.chance(0.18, *shape) * stream.uniform(0.4, 1, *shape),
    )


def _draw_eyes(stream: Stream, male: Array) -> Eyes:
    shape = male.shape
    return Eyes(
        x=stream.bell(0.335, 0.022, *shape),
        y=stream.bell(-0.2, 0.02, *shape),
        width=stream.bell(0.165, 0.013, *shape),
        height=stream.bell(0.082, 0.012, *shape),
        tilt=stream.bell(-0.01, 0.018, *shape),
        iris=stream.uniform(0.05, 0.4, *shape),
        brow_y=stream.bell(-0.405, 0.022, *shape),
        brow_thickness=stream.bell(0.036, 0.009, *shape) + 0.012 * male,
        brow_arch=stream.bell(0.05, 0.02, *shape),
        brow_tilt=stream.bell(0.0, 0.02, *shape),
        brow_strength=stream.uniform(0.6, 1, *shape),
    )


def _draw_mouth(stream: Stream, male: Array) -> Mouth:
    shape = male.shape
    painted = (1 - male) * stream.chance(0.4, *shape)
    return Mouth(
        y=stream.bell(0.5, 0.025, *shape),
        width=stream.bell(0.27, 0.022, *shape),
        corner=stream.bell(0.0, 0.018, *shape),
        upper=stream.bell(0.055, 0.014, *shape),
        lower=stream.bell(0.075, 0.015, *shape),
        tone=stream.uniform(0.7, 0.95, *shape) - 0.2 * painted,
    )


def draw_poses(stream: Stream, n: int) -> Pose:
    """Draw n poses; as after a face detector, the features stay near the middle however the head is turned."""
    shape = (n, 1, 1)
    yaw, pitch, roll = (stream.bell(0, spread, *shape) for spread in (0.2, 0.09, 0.1))
    cosines = [np.sqrt(1 - sine * sine) for sine in (yaw, pitch, roll)]
    return Pose(
        yaw_cos=cosines[0],
        yaw_sin=yaw,
        pitch_cos=cosines[1],
        pitch_sin=pitch,
        roll_cos=cosines[2],
        roll_sin=roll,
        scale=stream.bell(1.12, 0.06, *shape),
        shift_x=stream.bell(0, 0.07, *shape) - 0.5 * yaw,
        shift_y=stream.bell(0.02, 0.07, *shape) - 0.5 * pitch,
        gaze_x=stream.bell(0, 0.03, *shape),
        gaze_y=stream.bell(0, 0.012, *shape),
    )


def draw_shots(stream: Stream, n: int) -> Shot:
    """Draw n photographs."""
    shape = (n, 1, 1)
    return Shot(
        light_x=stream.bell(0, 0.55, *shape),
        light_y=stream.bell(-0.45, 0.3, *shape),
        ambient=stream.uniform(0.15, 0.5, *shape),
        gain=stream.bell(1.02, 0.15, *shape),
        offset=stream.bell(0.0, 0.05, *shape),
        curve=stream.bell(0.0, 0.3, *shape),
        backdrop=stream.uniform(0.02, 0.95, *shape),
        backdrop_x=stream.bell(0, 0.12, *shape),
        backdrop_y=stream.bell(0, 0.12, *shape),
        backdrop_grain=stream.uniform(0, 0.35, *shape) * stream.chance(0.7, *shape),
        clothes=stream.uniform(0.03, 0.9, *shape),
        blur=stream.uniform(0, 0.45, *shape),
        noise=stream.uniform(0.003, 0.022, *shape),
        hand=stream.chance(0.06, *shape),
        hand_x=stream.uniform(-0.75, 0.75, *shape),
        hand_y=stream.uniform(0.2, 0.95, *shape),
        hand_slope=stream.bell(0, 0.4, *shape),
    )
