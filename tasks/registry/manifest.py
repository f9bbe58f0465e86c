"""A version: the files that make it, and a list of them by their hashes."""

from hashlib import sha256
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from tasks.common.errors import UserError
from tasks.common.files import sha256 as file_sha256
from tasks.common.records import parsed

FILES: Final = (
    "model.keras",
    "model.onnx",
    "labels.json",
    "metrics.json",
    "params.yaml",
    "verdict.json",
    "predictions.parquet",
    "model-card.md",
)
"""What a version is made of, beside its manifest."""

INT8: Final = "model-int8.onnx"
"""The network in 8-bit integers, where that says the same often enough."""


class Manifest(BaseModel):
    """The content of `manifest.json`.

    Attributes:
        version: the name of the version.
        commit: of the code and parameters that made it.
        files: the SHA-256 of each file, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    commit: str
    files: dict[str, str]

    def content(self) -> bytes:
        """Return the bytes of the file: equal manifests, equal bytes."""
        return (self.model_dump_json(indent=2) + "\n").encode()

    def sha256(self) -> str:
        """Return the hash of the file, which stands for the whole version."""
        return sha256(self.content()).hexdigest()


def list_files(version: str, commit: str, folder: Path) -> Manifest:
    """Return the manifest of the files in a folder.

    Raises:
        UserError: one is missing.
    """
    if missing := [name for name in FILES if not (folder / name).is_file()]:
        raise UserError(f"{folder}: {', '.join(missing)} is missing; make the version again")
    there = [*FILES, *([INT8] if (folder / INT8).is_file() else [])]
    return Manifest(version=version, commit=commit, files={name: file_sha256(folder / name) for name in there})


def read_manifest(content: bytes, where: str) -> Manifest:
    """Read what `Manifest.content` gave.

    Raises:
        UserError: it is no manifest.
    """
    return parsed(Manifest, content, where, "a manifest", "publish the version again")
