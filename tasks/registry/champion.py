"""Versions into the registry, the champion from one to the next, and what was champion when.

    versions/NAME/…              the files of a version; `manifest.json`, the last of them, makes it whole
    champion.json                which version is the champion, and who made it so, when, on which verdict
    history/000001.json …        each champion there was, as `champion.json` had it

`champion.json` is replaced on the condition that nobody else has replaced it since it was read: of two promotions at
once, one wins, and the other is told.
"""

import re
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from tasks.common.errors import UserError
from tasks.common.records import parsed
from tasks.registry.manifest import Manifest, read_manifest
from tasks.registry.stores import ChangedError, Store

CHAMPION: Final = "champion.json"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class UnknownVersionError(UserError):
    """The registry has no such version."""


class Champion(BaseModel):
    """The content of `champion.json`.

    Attributes:
        number: 1 for the first champion, one more for each that follows, rollbacks included.
        version: its name.
        manifest_sha256: of the version's manifest.
        kind: what made it champion.
        who: the name and address that git has of the person.
        when: in UTC.
        commit: of the code and parameters that made the version.
        reason: the verdict's first reason, or what was given for a rollback.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    version: str
    manifest_sha256: str
    kind: Literal["promotion", "rollback"]
    who: str
    when: datetime
    commit: str
    reason: str

    def content(self) -> bytes:
        """Return the bytes of the file."""
        return (self.model_dump_json(indent=2) + "\n").encode()


def publish(store: Store, folder: Path, manifest: Manifest) -> None:
    """Bring the files of a version into the store; the same version again is no change.

    Raises:
        UserError: there is another version of that name, or somebody else is publishing one.
    """
    place = f"versions/{manifest.version}"
    taken = f"{store.address}: {manifest.version} is there and is another; a version never changes, choose another name"
    there = store.read(f"{place}/manifest.json")
    if there:
        if there.content != manifest.content():
            raise UserError(taken)
        return
    try:
        for name in manifest.files:
            _put(store, f"{place}/{name}", (folder / name).read_bytes())
        store.write(f"{place}/manifest.json", manifest.content(), None)
    except ChangedError as error:
        raise UserError(taken) from error


def _put(store: Store, name: str, content: bytes) -> None:
    """Write a file, in place of what a killed try may have left of it."""
    there = store.read(name)
    if there is None or there.content != content:
        store.write(name, content, there.tag if there else None)


def check(store: Store, version: str) -> Manifest:
    """Return the manifest of a version, all of whose files are what it says.

    Raises:
        UnknownVersionError: there is no such version.
        UserError: a file is missing or is another.
    """
    place = f"{store.address}: versions/{version}"
    found = store.read(f"versions/{version}/manifest.json") if _NAME.fullmatch(version) else None
    if found is None:
        known = sorted({name.split("/")[1] for name in store.names("versions/") if name.endswith("/manifest.json")})
        raise UnknownVersionError(f"{place}: no such version; there are {', '.join(known) or 'none'}")
    manifest = read_manifest(found.content, f"{place}/manifest.json")
    for name, digest in manifest.files.items():
        file = store.read(f"versions/{version}/{name}")
        if file is None or sha256(file.content).hexdigest() != digest:
            raise UserError(f"{place}/{name}: {'missing' if file is None else 'not what the manifest says'}; refused")
    return manifest


def crown(
    store: Store, version: str, *, kind: Literal["promotion", "rollback"], who: str, when: datetime, reason: str
) -> Champion:
    """Make a version the champion, and return what is known of it; the champion again is no change.

    Raises:
        UserError: the version is not whole, or somebody else made another the champion meanwhile.
    """
    before = store.read(CHAMPION)
    last = read_champion(before.content, store) if before else None
    manifest = check(store, version)
    if last:
        _note(store, last)  # which a killed try may not have done
        if last.manifest_sha256 == manifest.sha256():
            return last
    champion = Champion(
        number=last.number + 1 if last else 1,
        version=version,
        manifest_sha256=manifest.sha256(),
        kind=kind,
        who=who,
        when=when,
        commit=manifest.commit,
        reason=reason,
    )
    try:
        store.write(CHAMPION, champion.content(), before.tag if before else None)
    except ChangedError as error:
        raise UserError(
            f"{store.address}: somebody else made another version the champion meanwhile; look at the history, hold "
            "yours against that one, and promote again"
        ) from error
    _note(store, champion)
    return champion


def _note(store: Store, champion: Champion) -> None:
    with suppress(ChangedError):  # the next promotion was quicker to note it, and noted the same
        store.write(f"history/{champion.number:06}.json", champion.content(), None)


def champion_of(store: Store) -> Champion | None:
    """Return the champion; None where there is none yet.

    Raises:
        UserError: the file is none.
    """
    found = store.read(CHAMPION)
    return read_champion(found.content, store) if found else None


def history(store: Store) -> list[Champion]:
    """Return all champions, the first one first.

    Raises:
        UserError: a file of the history is none.
    """
    files = [(name, store.read(name)) for name in store.names("history/")]
    return [read_champion(found.content, store, name) for name, found in files if found]


def read_champion(content: bytes, store: Store, name: str = CHAMPION) -> Champion:
    """Read what `Champion.content` gave.

    Raises:
        UserError: it is not.
    """
    where = f"{store.address}: {name}"
    return parsed(Champion, content, where, "a note of a champion", "restore an earlier copy of it")
