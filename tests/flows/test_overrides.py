import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from bench.gpu import settings_of
from flows.overrides import KEPT, check_overrides, overridden
from tasks.common.errors import UserError
from tasks.common.reading import load_params
from tests.conftest import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def epochs(root: Path) -> int:
    return yaml.safe_load((root / "params.yaml").read_text())["train"]["epochs"]


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.epohcs=3", "overrides: train.epohcs is not a parameter; did you mean train.epochs?"),
        ("train.epochs=0", "overrides: train.epochs: found 0"),
        ("train.epochs=many", "overrides: train.epochs: found 'many'"),
        ("tarin.epochs=3", "did you mean train?"),
        ("epochs", "found 'epochs', expected name=value"),
        ("=3", "expected name=value"),
        ("train={", "overrides: 'train={'"),
    ],
)
def test_what_is_no_override_is_refused_and_changes_nothing(root, override, sentence):
    before = (root / "params.yaml").read_bytes()
    with pytest.raises(UserError) as refused:
        check_overrides(root, ["train.batch_size=32", override])
    assert sentence in str(refused.value)
    assert (root / "params.yaml").read_bytes() == before


def test_where_there_are_no_parameters_a_sentence_says_what_brings_them_back(root):
    (root / "params.yaml").unlink()
    with pytest.raises(UserError, match=r"^params\.yaml: no such file; `git checkout HEAD params\.yaml` brings back"):
        check_overrides(root, [])


def test_values_are_read_as_dvc_reads_them(root):
    overrides = ["train.learning_rate=0.0002", "model.filters=[8,16]", "train.schedule=cosine", "augment.flip=false"]
    check_overrides(root, overrides)
    with overridden(root, overrides):
        values = yaml.safe_load((root / "params.yaml").read_text())
    assert values["train"]["learning_rate"] == 0.0002
    assert values["model"]["filters"] == [8, 16]
    assert values["train"]["schedule"] == "cosine"
    assert values["augment"]["flip"] is False


@pytest.mark.parametrize("value", ["1e-05", "0.00001", "1.0e-5", "1E-5"])
def test_a_small_number_is_one_however_it_is_written(root, value):
    check_overrides(root, [f"train.learning_rate={value}"])
    with overridden(root, [f"train.learning_rate={value}"]):
        assert load_params(root / "params.yaml").train.learning_rate == 1e-5
    assert settings_of([f"train.learning_rate={value}"]) == {"train.learning_rate": 1e-5}


def test_after_a_run_the_parameters_are_byte_for_byte_what_they_were(root):
    before = (root / "params.yaml").read_bytes()
    failing = ExitStack()
    failing.enter_context(overridden(root, ["train.epochs=3"]))
    assert epochs(root) == 3
    failing.__exit__(RuntimeError, RuntimeError("a stage failed"), None)
    assert (root / "params.yaml").read_bytes() == before
    assert not (root / KEPT).exists()


def test_what_a_killed_run_changed_is_put_back_by_the_next(root):
    before = (root / "params.yaml").read_bytes()
    code = f"import os; from pathlib import Path; from flows.overrides import overridden\nroot = Path({str(root)!r})\n"
    code += "with overridden(root, ['train.epochs=3']): os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -9
    assert epochs(root) == 3
    with overridden(root, []):
        assert (root / "params.yaml").read_bytes() == before
    with overridden(root, ["train.epochs=5"]):
        assert epochs(root) == 5
    assert (root / "params.yaml").read_bytes() == before


def test_what_somebody_wrote_during_a_run_stays(root):
    mine = (root / "params.yaml").read_text().replace(f"epochs: {epochs(root)}", "epochs: 77")
    with overridden(root, ["train.epochs=3"]):
        (root / "params.yaml").write_text(mine)
    assert epochs(root) == 77
    assert not (root / KEPT).exists()
