"""The graph of `dvc.yaml` held against the code: what a stage imports is what it depends on."""

import ast
from pathlib import Path

import pytest
import yaml

from tasks.common.params import Params
from tasks.train.learning import DECISIVE
from tests.conftest import ROOT

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
ROOMS = ("model", "tasks")


def source(module: str) -> Path | None:
    """Return the file of a module of ours, or None for anybody else's."""
    if module.partition(".")[0] not in ROOMS:
        return None
    path = ROOT.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.exists()), None)


def imported(path: Path) -> set[str]:
    """Return the names of all modules that a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports are not followed"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def closure(module: str) -> set[Path]:
    """Return every file of ours that importing `module` runs."""
    found: set[Path] = set()
    todo = [module, f"{module}.__main__"]
    while todo:
        name = todo.pop()
        path = source(name)
        if path is None or path in found:
            continue
        found.add(path)
        todo += imported(path) | {name.rpartition(".")[0]}
    return found


def entry(stage: dict) -> str:
    words = stage["cmd"].split()
    assert words[:2] == ["python", "-m"]
    return words[2]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_each_module_that_it_imports(name):
    deps = [ROOT / dep for dep in STAGES[name]["deps"]]
    # A package's own `__init__.py` that holds nothing but a docstring decides nothing.
    code = closure(entry(STAGES[name]))
    needed = {p for p in code if p.name != "__init__.py" or len(ast.parse(p.read_text()).body) > 1}
    missing = sorted(str(p.relative_to(ROOT)) for p in needed if not any(p == d or d in p.parents for d in deps))
    assert not missing, f"dvc.yaml: stage {name} lacks the deps {missing}"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_names_no_module_that_it_does_not_import(name):
    needed = closure(entry(STAGES[name]))
    code = [ROOT / d for d in STAGES[name]["deps"] if d.split("/")[0] in ROOMS]
    unused = sorted(str(d.relative_to(ROOT)) for d in code if not any(p == d or d in p.parents for p in needed))
    assert not unused, f"dvc.yaml: stage {name} names {unused}, which it does not import"


def test_the_stages_and_their_parameters_are_those_of_the_typed_description():
    assert list(STAGES) == ["validate", "split", "train", "evaluate", "gate"]
    sections = {field.alias or name for name, field in Params.model_fields.items()}
    assert {name.partition(".")[0] for stage in STAGES.values() for name in stage["params"]} == sections


INDIFFERENT = {"model/heap.py", "model/labels.py"}
"""Of what a training imports, what changes nothing of the network that comes of it."""


def test_what_a_training_computes_with_decides_its_fingerprint():
    imports = {path.relative_to(ROOT) for path in closure("model.training.fitting") | closure("tasks.train.learning")}
    ours = {str(path) for path in imports if path.parts[0] == "model"}
    assert len(ours) > 15
    undecided = {path for path in ours if not any(path == part or path.startswith(f"{part}/") for part in DECISIVE)}
    assert undecided == INDIFFERENT


def test_rooms_keep_to_themselves():
    for path in (ROOT / "model").rglob("*.py"):
        packages = {name.partition(".")[0] for name in imported(path)}
        assert not packages & {"tasks", "flows", "dvc", "prefect", "pandas"}, path
    for path in (ROOT / "serve").rglob("*.py"):
        packages = {name.partition(".")[0] for name in imported(path)}
        assert not packages & {"flows", "dvc", "prefect", "keras", "tensorflow"}, path
        assert {name for name in imported(path) if name.startswith("model.")} <= {"model.labels", "model.labels.LABELS"}
    steps = {entry(stage) for stage in STAGES.values()}
    for step in steps:
        for path in closure(step):
            within = {other for name in imported(path) for other in steps if f"{name}.".startswith(f"{other}.")}
            assert within <= {step}, f"{path} knows the insides of {within - {step}}"
