"""Whatever a file holds, a reader reads it or says a sentence. CSV, archives, images: see the tests of ingest."""

import random
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.networks import build, with_probabilities
from model.predicting import NetworkError, load_network
from model.training.saving import save_network
from tasks.common.errors import UserError
from tasks.common.provenance import Provenance, read_provenance, write_provenance
from tasks.common.reading import load_params
from tasks.common.tables import (
    VOTES,
    Predictions,
    Split,
    read_faces,
    read_predictions,
    read_split,
    write_faces,
    write_predictions,
    write_split,
)
from tasks.gate.baselines import read_baselines
from tasks.gate.verdict import read_verdict
from tasks.ingest.registry import read_source
from tasks.ingest.source import BadRows
from tasks.ingest.votes import read_votes
from tasks.registry.manifest import read_manifest
from tests.conftest import ROOT
from tests.tasks.ingest.helpers import some_faces, write_tree
from tests.tasks.ingest.test_hub import written
from tests.tasks.ingest.test_sets import AFFECTNET, EXPW, FERPLUS, RAF_DB

EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["change", "cut", "insert", "repeat", "end"]), st.binary(max_size=8)),
    min_size=1,
    max_size=5,
)


def edited(content: bytes, edits: list[tuple[float, str, bytes]]) -> bytes:
    """Damage content: change, cut, insert or repeat some of it somewhere, or let it end there."""
    data = bytearray(content)
    for share, kind, by in edits:
        at = int(share * len(data))
        match kind:
            case "change":
                data[at : at + len(by)] = by
            case "cut":
                del data[at : at + len(by)]
            case "insert":
                data[at:at] = by
            case "repeat":
                data[at:at] = data[at : at + 200]
            case "end":
                del data[at:]
    return bytes(data)


def votes_file(path: Path) -> None:
    lines = [f"Usage,Image name,{','.join(VOTES)}"]
    lines += [f"Training,fer{row:07d}.png,{','.join(map(str, range(10)))}" for row in range(6)]
    path.write_text("\n".join(lines))


def table_of_split(path: Path) -> None:
    write_split(
        path, Split(np.arange(9, dtype=np.int32), np.array(["train"] * 9, object), np.array(["none"] * 9, object))
    )


def table_of_predictions(path: Path) -> None:
    rows = np.arange(9, dtype=np.int32)
    write_predictions(path, Predictions(rows, (rows % 7).astype(np.int8), np.full((9, 7), 1 / 7, np.float32)))


def provenance(path: Path) -> None:
    write_provenance(
        path,
        Provenance(
            source="a", layout="fer2013.csv", sha256="0", synthetic=False, fingerprint="1", rows=1, labels={}, usages={}
        ),
    )


def network(path: Path) -> None:
    save_network(with_probabilities(build("compact", filters=[2], kernel_sizes=[3])), path)


def committed(name: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes((ROOT / name).read_bytes())


READERS = {
    "faces.parquet": (lambda path: write_faces(path, some_faces(9)), read_faces),
    "split.parquet": (table_of_split, read_split),
    "predictions.parquet": (table_of_predictions, read_predictions),
    "provenance.json": (provenance, read_provenance),
    "fer2013new.csv": (votes_file, read_votes),
    "params.yaml": (committed("params.yaml"), load_params),
    "verdict.json": (committed("metrics/verdict.json"), read_verdict),
    "capstone.json": (committed("baseline/capstone.json"), lambda path: read_baselines(path.parent)),
    "manifest.json": (
        lambda path: path.write_text('{"version": "v1", "commit": "abc", "files": {"model.keras": "0"}}'),
        lambda path: read_manifest(path.read_bytes(), str(path)),
    ),
    "model.keras": (network, load_network),
    "train.parquet": (
        lambda path: written(path, some_faces(9)),
        lambda path: read_source(str(path), BadRows(9), path.parent / "work"),
    ),
}


@pytest.fixture(scope="module", params=READERS)
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A file as it should be, its content, and what reads it."""
    write, read = READERS[request.param]
    path = tmp_path_factory.mktemp("fuzz") / request.param
    write(path)
    return path, path.read_bytes(), read


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_a_damaged_file_is_read_or_refused_in_a_sentence(reader, edits):
    path, content, read = reader
    path.write_bytes(edited(content, edits))
    with suppress(UserError, NetworkError):
        read(path)


@pytest.mark.parametrize(
    "name", ["faces.parquet", "split.parquet", "predictions.parquet", "provenance.json", "params.yaml", "capstone.json"]
)
def test_a_folder_in_the_place_of_a_file_is_refused_in_a_sentence(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=rf"{re.escape(name)}: .*[dD]irectory.*; \w"):
        READERS[name][1](tmp_path / name)


SETS = {"RAF-DB": RAF_DB, "ExpW": EXPW, "AffectNet": AFFECTNET, "FER+": FERPLUS}


@pytest.fixture(scope="module", params=SETS)
def data_set(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A data set's folder, and those of its files that tell the labels."""
    tree = SETS[request.param]
    folder = write_tree(tmp_path_factory.mktemp("set") / "set", tree)
    return folder, {
        path: content for path, content in tree.items() if path.endswith((".txt", ".lst", "_exp.npy", ".csv"))
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS, which=st.integers(0, 99))
def test_a_damaged_list_of_labels_is_read_or_refused_in_a_sentence(data_set, edits, which):
    folder, lists = data_set
    path = sorted(lists)[which % len(lists)]
    (folder / path).write_bytes(edited(lists[path], edits))
    try:
        source = read_source(str(folder), BadRows(random.Random(which).choice([0, 99])), folder.parent / "work")
    except UserError:
        return
    finally:
        (folder / path).write_bytes(lists[path])
    assert set(source.faces.emotion) <= set(range(7))
