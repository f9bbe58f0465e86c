"""Python and the installed packages, held against `pyproject.toml` and the lock."""

import platform
import shlex
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from flows.doctor.check import Check, Need

PROJECT: Final = Path("pyproject.toml")
LOCKS: Final = {"cpu": Path("requirements.lock"), "gpu": Path("requirements-gpu.lock")}
"""By the extra of the project that each was resolved with."""

REMAKE: Final = "`rm -r .venv && make setup`"

NAMED: Final = 6
"""Packages that a line names before it counts the rest."""


def python(_: Need) -> Check:
    """Check that this Python is one that the project serves."""
    version, served = platform.python_version(), _project()["requires-python"]
    if SpecifierSet(served).contains(version, prereleases=True):
        return Check("Python", "pass", f"{version} in {sys.prefix}")
    found = f"{version}, where {served} is served"
    return Check("Python", "fail", found, "remove .venv, then `make setup PYTHON=/path/to/python3`")


def packages(_: Need) -> Check:
    """Check the installed packages: the project's ranges must be kept, the lock should be."""
    extra = _extra()
    lock, project = LOCKS[extra], _project()
    needed = [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"][extra])]
    locked = read_lock(lock)
    mend = f"`touch {lock} && make setup{' GPU=1' if extra == 'gpu' else ''}`"
    if faults := unmet(needed):
        return Check("packages", "fail", _listed(faults), mend)
    if faults := unmet(locked):
        return Check("packages", "warn", f"not as in {lock}: {_listed(faults)}", mend)
    return Check("packages", "pass", f"as in {lock}")


def scripts(_: Need) -> Check:
    """Check that `dvc` starts this Python: scripts name theirs by its place, also once their folder was moved."""
    script = Path(sys.prefix) / "bin" / "dvc"
    if not script.exists():
        return Check("scripts", "fail", f"{script} is not there", REMAKE)
    named = _interpreter(script.read_text(encoding="utf-8"))
    if named.parent.resolve() == script.parent.resolve():
        return Check("scripts", "pass", f"those in {script.parent} start its Python")
    found = f"{script} starts {named}, not the Python of {sys.prefix}"
    return Check("scripts", "warn" if named.exists() else "fail", found, REMAKE)


def _interpreter(script: str) -> Path:
    """Return what a script names in its first line, or in its second one where a path with a space needs a shell."""
    first, second = script.splitlines()[:2]
    return Path(shlex.split(second)[1] if first == "#!/bin/sh" else first.removeprefix("#!").strip())


def read_lock(path: Path) -> list[Requirement]:
    """Return the pins of a lock, each with its marker; hashes and comments stand on indented lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Requirement(line.removesuffix("\\").strip()) for line in lines if line[:1].isalnum()]


def unmet(requirements: list[Requirement]) -> list[str]:
    """Say of each requirement whose marker holds here, and that is not met, what is installed instead."""
    faults = []
    for requirement in requirements:
        if requirement.marker and not requirement.marker.evaluate():
            continue
        installed = _installed(requirement.name)
        if installed is None:
            faults.append(f"{requirement.name} is missing ({requirement.specifier})")
        elif not requirement.specifier.contains(installed, prereleases=True):
            faults.append(f"{requirement.name} is {installed} ({requirement.specifier})")
    return faults


def _project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    return content


def _extra() -> str:
    """Return the extra that this environment was set up with: its stamp tells, else the lock that fits best."""
    stamped = [extra for extra, lock in LOCKS.items() if (Path(sys.prefix) / f".{lock}").exists()]
    return stamped[0] if stamped else min(LOCKS, key=lambda extra: len(unmet(read_lock(LOCKS[extra]))))


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _listed(faults: list[str]) -> str:
    rest = len(faults) - NAMED
    return ", ".join(faults[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
