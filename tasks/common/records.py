"""Small JSON files that one step writes and another reads, each described by a model of pydantic."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tasks.common.errors import UserError, unusable

Kind = TypeVar("Kind", bound=BaseModel)


def read_record(kind: type[Kind], path: Path, what: str, mend: str) -> Kind:
    """Read a file.

    Args:
        kind: what it holds.
        path: where it lies.
        what: it is called, with its article, such as `a verdict`.
        mend: what to do where it is missing or holds something else.

    Raises:
        UserError: it is missing, can't be read, or holds something else.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; {mend}") from error
    except OSError as error:
        raise UserError(unusable(error)) from error
    return parsed(kind, content, str(path), what, mend)


def parsed(kind: type[Kind], content: bytes, where: str, what: str, mend: str) -> Kind:
    """Return what the content of a file says; `where` names the file, the rest is as for `read_record`.

    Raises:
        UserError: it says something else.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(map(str, fault["loc"]))
        said = f"{name}: {fault['msg']}" if name else fault["msg"]
        raise UserError(f"{where}: not {what} ({said}); {mend}") from error
