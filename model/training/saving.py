"""Saving a network so that equal weights give equal bytes."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras


def save_network(network: keras.Model, path: Path) -> None:
    """Write a `.keras` archive without its dates and memory addresses: DVC then sees an unchanged network as unchanged.

    The file loads as any other, `keras.saving.load_model(path, compile=False)`.
    """
    with tempfile.TemporaryDirectory() as folder:
        dated = Path(folder) / "network.keras"
        network.save(dated)
        with zipfile.ZipFile(dated) as source, zipfile.ZipFile(path, "w") as target:
            for name in sorted(source.namelist()):
                content = source.read(name)
                if name == "metadata.json":
                    content = json.dumps({"keras_version": json.loads(content)["keras_version"]}).encode()
                elif name == "config.json":
                    content = json.dumps(_renumbered(json.loads(content), {})).encode()
                target.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content)


def _renumbered(config: Any, numbers: dict[int, int]) -> Any:
    """Return `config` with each `shared_object_id`, a memory address, replaced by its place in order of appearance."""
    if isinstance(config, list):
        return [_renumbered(item, numbers) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: numbers.setdefault(value, len(numbers)) if key == "shared_object_id" else _renumbered(value, numbers)
        for key, value in config.items()
    }
