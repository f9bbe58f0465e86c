"""What the server says, as OpenAPI describes it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from model.labels import LABELS
from serve.looking import Seen

_FACE: dict[str, Any] = {
    "face": 1,
    "box": [177, 66, 95, 95],
    "label": "happy",
    "confidence": 0.89,
    "probabilities": dict(zip(LABELS, (0.01, 0.01, 0.01, 0.89, 0.01, 0.03, 0.04), strict=True)),
}


class FaceAnswer(BaseModel):
    """A face."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FACE]})

    face: Annotated[int, Field(description="the same as long as the face is followed")]
    box: Annotated[tuple[int, int, int, int], Field(description="left, top, width, height, in pixels of the picture")]
    label: str
    confidence: Annotated[float, Field(ge=0, le=1)]
    probabilities: dict[str, float]


class PictureAnswer(BaseModel):
    """What is seen in a picture."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": "v1", "faces": [_FACE]}]})

    version: str
    faces: list[FaceAnswer]


class VersionsAnswer(BaseModel):
    """Which networks can be asked, and whether corrections are kept."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"champion": "v2", "versions": ["v1", "v2"], "corrections": False}]}
    )

    champion: Annotated[str, Field(description="empty where a file looks, and no registry")]
    versions: list[str]
    corrections: Annotated[bool, Field(description="whether faces that somebody puts right are kept here")]


class KeptAnswer(BaseModel):
    """A correction that was kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kept": "sad/0123456789abcdef01234567.png"}]})

    kept: str


class Problem(BaseModel):
    """Why something was refused, in a sentence."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"detail": "picture: not a picture, or a damaged one; expected jpg, png, bmp or webp"}]
        }
    )

    detail: str


def told(faces: list[Seen]) -> list[FaceAnswer]:
    """Return faces as they are told."""
    return [
        FaceAnswer(
            face=face.number,
            box=(face.box.left, face.box.top, face.box.width, face.box.height),
            label=face.label,
            confidence=round(face.confidence, 4),
            probabilities={
                label: round(float(share), 4) for label, share in zip(LABELS, face.probabilities, strict=True)
            },
        )
        for face in faces
    ]
