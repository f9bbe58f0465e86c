import re
from typing import get_args

import pytest
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


def test_an_override_that_is_no_yaml_is_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"^-S: not YAML: "):
        settings_of(["model.filters=[8"])
