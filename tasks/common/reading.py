"""Read `params.yaml`, and say in one sentence what is wrong with it."""

import copy
import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel, ValidationError

from tasks.common.errors import UserError
from tasks.common.params import Params


def load_params(path: Path) -> Params:
    """Read and check the whole file.

    Raises:
        UserError: there is no such file, it is no YAML, or a name or value in it is wrong; the sentence gives the
            parameter, what was found and, for an unknown name, the nearest right one.
    """
    return check_params(read_values(path), str(path))


def read_values(path: Path) -> dict[str, Any]:
    """Return the parsed content of a parameter file, unchecked.

    Raises:
        UserError: there is no such file, it can't be read, it is no YAML, a name is there twice, or it holds no
            parameters.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values, twice = parse(text), _twice(text)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run from the root of the repository") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name a file of parameters, such as params.yaml") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # the latter two of bytes, dates, brackets, no YAML
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if twice:
        raise UserError(f"{path}, line {twice.start_mark.line + 1}: {twice.value} is there twice; keep one of them")
    if not isinstance(values, dict):
        found = "nothing" if values is None else f"a {type(values).__name__}"
        raise UserError(f"{path}: found {found}, expected parameters, as in the repository's params.yaml")
    return values


def parse(text: str) -> Any:
    """Return what a text says in YAML, with the numbers and truths of DVC's YAML.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    return yaml.load(text, _Loader)  # noqa: S506  # nosec B506 - a safe loader


_NUMBERS: Final = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool"
_BASES: Final = {"0b": 2, "0o": 8, "0x": 16}


class _Loader(yaml.SafeLoader):
    """Reads numbers and truths as YAML 1.2 and DVC do: 010 is ten, 1:30, off and yes are words, 1e-05 is a number."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - so PyYAML has it
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def integer(self, node: yaml.ScalarNode) -> int:
        """Return a whole number, whose base is ten where it does not name another."""
        text = str(self.construct_scalar(node)).replace("_", "")
        return int(text, _BASES.get(text.lstrip("+-")[:2], 10))


for _tag, _pattern, _first in (
    (
        "int",
        r"[-+]?(0b_*[01][01_]*|0o_*[0-7][0-7_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|_*[0-9][0-9_]*)",
        "-+0123456789",
    ),
    (
        "float",
        r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+|[0-9][0-9_]*\.[0-9_]*|\._*[0-9][0-9_]*([eE][-+][0-9]+)?"
        r"|\.(inf|Inf|INF))|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.integer)


def _twice(text: str) -> yaml.ScalarNode | None:
    """Return the first key that a mapping has twice: DVC refuses it, and PyYAML would take the last without a word."""
    todo, found = [yaml.compose(text, _Loader)], list[yaml.ScalarNode]()
    seen = set[int]()  # what an anchor names comes again
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys = set[str]()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    found += [key] if key.value in keys else []
                    keys.add(key.value)
                todo.append(value)
        elif isinstance(node, yaml.SequenceNode):
            todo += node.value
    return min(found, key=lambda key: key.start_mark.line, default=None)


def changed(params: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of `params.yaml` with some of its parameters, such as `train.epochs`, set anew."""
    content = copy.deepcopy(dict(params))
    for name, value in settings.items():
        *sections, last = name.split(".")
        section = content
        for one in sections:
            section = section.setdefault(one, {})
            if not isinstance(section, dict):
                raise UserError(f"{name} is not a parameter; {one} has no parts")
        section[last] = value
    return content


def check_params(values: Any, where: str) -> Params:
    """Check the parsed content of a parameter file; `where` names it in the sentence of a UserError."""
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        # An unknown name explains the missing one that it was meant to be.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        raise UserError(f"{where}: {_sentence(faults[0], values)}") from error


def _sentence(fault: Any, values: Any) -> str:
    steps = [str(step) for step in fault["loc"]]
    name = ".".join(steps)
    if fault["type"] == "extra_forbidden":
        known = _names(steps[:-1])
        near = difflib.get_close_matches(steps[-1], known, n=1, cutoff=0.5)
        full = ".".join([*steps[:-1], *near])
        meant = f"did you mean {full}?" if near else f"expected one of {', '.join(known)}"
        return f"{name} is not a parameter; {meant}"
    if fault["type"] == "missing":
        return f"{name} is missing; add it (tasks/common/params.py describes it)"
    return f"{name}: found {fault['input']!r}; {fault['msg'][:1].lower()}{fault['msg'][1:]}"


def _names(steps: list[str]) -> list[str]:
    """Return the right names inside the section that `steps` leads to."""
    section: type[BaseModel] = Params
    for step in steps:
        field = next(f for n, f in section.model_fields.items() if step in (n, f.alias))
        candidates = [field.annotation, *get_args(field.annotation)]
        section = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return [field.alias or name for name, field in section.model_fields.items()]
