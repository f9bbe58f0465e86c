"""Where something stands in a YAML file, so that a sentence about it can name the line."""

from typing import Any

import yaml

Steps = tuple[str | int, ...]
"""The way into a YAML text: names of keys and places in lists."""


def line_of(text: str, steps: Steps) -> int:
    """Return the line, from 1, of what lies at the end of some steps into a YAML text; as deep as they lead."""
    return next(line for end in range(len(steps), -1, -1) if (line := find(text, steps[:end])))


def find(text: str, steps: Steps) -> int | None:
    """Return the line, from 1, to which steps into a YAML text lead; None where they lead nowhere."""
    node, line = yaml.compose(text), 1
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            key, node = next(((key, value) for key, value in node.value if key.value == step), (None, None))
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            key = node = node.value[step]
        else:
            return None
        if key is None:
            return None
        line = key.start_mark.line + 1
    return line


def doubled(node: Any) -> yaml.ScalarNode | None:
    """Return the first key that a mapping has twice: YAML would take the last one without a word."""
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if key.value in keys:
                return key
            keys.add(key.value)
            if found := doubled(value):
                return found
    elif isinstance(node, yaml.SequenceNode):
        return next((found for value in node.value if (found := doubled(value))), None)
    return None
