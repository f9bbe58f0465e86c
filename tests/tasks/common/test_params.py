import re
from typing import get_args

import pytest
from dvc.utils.serialize import YAMLFileCorruptedError, load_yaml
from pydantic import BaseModel

from bench.gpu import settings_of
from model.networks import NETWORKS
from model.networks.parts import Activation
from tasks.common.errors import UserError
from tasks.common.params import Model, Params
from tasks.common.reading import changed, check_params, load_params, read_values
from tests.workspaces import ROOT

PARAMS = ROOT / "params.yaml"
COMMANDS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.py"), *ROOT.glob("flows/*.py")])


def choices(section: type[BaseModel], within: str = "") -> dict[str, set[str]]:
    """Return the words that each parameter of a section may be, where it may only be certain words."""
    found: dict[str, set[str]] = {}
    for name, field in section.model_fields.items():
        kind, full = field.annotation, f"{within}{field.alias or name}"
        if type(None) in get_args(kind):
            kind = get_args(kind)[0]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= choices(kind, f"{full}.")
        elif isinstance(first := next(iter(get_args(kind)), None), str):
            found[full] = {first, *get_args(kind)}
    return found


def commented() -> dict[str, set[str]]:
    """Return the words that the comments of `params.yaml` give for each parameter."""
    found: dict[str, set[str]] = {}
    path: list[str] = []
    for line in PARAMS.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"( *)(\w+):(?: *\S+ +# ([\w]+(?: \| [\w]+)+))?", line):
            path = [*path[: len(match[1]) // 2], match[2]]
            if match[3]:
                found[".".join(path)] = set(match[3].split(" | "))
    return found


def test_the_comments_of_params_yaml_name_the_choices_that_are_accepted():
    assert commented() == choices(Params)


def test_each_network_and_activation_can_be_chosen():
    assert choices(Model) == {"name": set(NETWORKS), "activation": set(get_args(Activation))}


def overrides() -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in COMMANDS]
    return sorted({one.strip("'") for text in texts for one in re.findall(r"-S ('[^']+'|\w+\.[^\s'`\]]+)", text)})


@pytest.mark.parametrize("override", overrides())
def test_an_override_that_the_documents_show_is_accepted(override):
    values = changed(read_values(PARAMS), settings_of([override]))
    assert check_params(values, "params.yaml") != check_params(read_values(PARAMS), "params.yaml")


def test_a_refused_choice_is_named_with_those_there_are():
    with pytest.raises(UserError, match=r"model\.name: found 'vg'; input should be 'compact', 'capstone' or 'vgg'$"):
        check_params(changed(read_values(PARAMS), {"model.name": "vg"}), "params.yaml")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "found nothing, expected parameters"),
        ("- train", "found a list, expected parameters"),
        ("train: [", "not YAML: "),
        (None, "Is a directory; name a file of parameters"),
    ],
)
def test_a_file_without_parameters_is_refused_in_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "params.yaml"
    path.mkdir() if content is None else path.write_text(content)
    with pytest.raises(UserError, match=f"^{re.escape(f'{path}: {sentence}')}"):
        load_params(path)


WORDS = [
    "010", "-010", "+010", "08", "0o10", "-0o10", "0O10", "0x1F", "-0x1f", "0b101", "0b2", "1:30", "190:20:30",
    "1:30.5", "-1:30", "1_000", "_1", "1_", "-_1", "0o_7", "0x1_F", "off", "Off", "on", "yes", "no", "NO", "y", "n",
    "true", "True", "TRUE", "tRue", "false", "FALSE", "null", "~", "1e-05", "1E5", "+1e5", "1.e5", "1_0e5", ".5",
    "-.5", "+.5", ".5e3", ".5e+3", "1.", "1.5", "-01.5", "._5", ".inf", "-.inf", "+.Inf", ".NaN", "-.nan", ".",
    "-.", "1e", "1.2.3", "2001-12-14", "1,000", "00", "-0",
]  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_a_value_is_read_as_dvc_reads_it(tmp_path, word):
    path = tmp_path / "params.yaml"
    path.write_text(f"a: {word}\n")
    assert repr(read_values(path)) == repr(load_yaml(str(path)))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("train:\n  epochs: 3\n  lr: 1\n  epochs: 4\n", "line 4: epochs is there twice; keep one of them"),
        ("train: {}\nmodel: {}\ntrain: {}\n", "line 3: train is there twice; keep one of them"),
        ("a:\n- b: 1\n- {c: 1, c: 2}\n", "line 3: c is there twice; keep one of them"),
    ],
)
def test_a_name_that_is_there_twice_is_refused_with_its_line_as_dvc_refuses_it(tmp_path, content, sentence):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(YAMLFileCorruptedError):
        load_yaml(str(path))
    with pytest.raises(UserError, match=f"^{re.escape(f'{path}, {sentence}')}$"):
        read_values(path)


def test_anchors_are_read_and_may_be_changed(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: *a\n")
    assert read_values(path)["b"] == {"x": 3, "y": 2}
    assert read_values(path) == load_yaml(str(path))


def test_an_override_that_is_no_yaml_is_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"^-S: not YAML: "):
        settings_of(["model.filters=[8"])
