"""The model registry: `python -m tasks.registry history`, `check`, `rollback VERSION --reason …`.

It lies in `registry/`, or where `FACIAL_EMOTION_REGISTRY` says: another folder, or `s3://bucket/prefix`.
"""

import argparse

from tasks.common.console import say
from tasks.common.errors import UserError, command
from tasks.registry.champion import champion_of, check, crown, history
from tasks.registry.places import now, registry, who


@command
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tasks.registry", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("history", help="who made which version the champion, when and why")
    commands.add_parser("check", help="whether the champion's files are what its manifest says")
    back = commands.add_parser("rollback", help="make an earlier version the champion again")
    back.add_argument("version")
    back.add_argument("--reason", required=True, help="for the history")
    options = parser.parse_args()
    match options.command:
        case "history":
            show_history()
        case "check":
            show_check()
        case "rollback":
            roll_back(options.version, options.reason)


def show_history() -> None:
    """Say each champion on a line, the last one marked."""
    store = registry()
    champion = champion_of(store)
    for one in history(store):
        mark = "*" if champion and one.number == champion.number else " "
        when = f"{one.when:%Y-%m-%d %H:%M}"
        say(f"{mark} {one.number:3} {one.version:20} {one.kind:9} {when} {one.who} at {one.commit[:12]}: {one.reason}")


def show_check() -> None:
    """Read every file of the champion and compare.

    Raises:
        UserError: there is no champion, or it is not whole.
    """
    store = registry()
    champion = champion_of(store)
    if champion is None:
        raise UserError(f"{store.address}: there is no champion yet; `make promote` makes one")
    manifest = check(store, champion.version)
    if manifest.sha256() != champion.manifest_sha256:
        raise UserError(f"{store.address}: {champion.version} is not the one that was made champion; roll back")
    say(f"{store.address}: {champion.version}, {len(manifest.files)} files, all as the manifest says")


def roll_back(version: str, reason: str) -> None:
    """Make an earlier version the champion.

    Raises:
        UserError: there is no such version, or it was never champion.
    """
    store = registry()
    if version not in {one.version for one in history(store)}:
        raise UserError(f"{store.address}: {version} was never champion; `make promote` makes one, after the gate")
    champion = crown(store, version, kind="rollback", who=who(), when=now(), reason=reason)
    say(f"{store.address}: the champion is {champion.version} again")


if __name__ == "__main__":
    main()
