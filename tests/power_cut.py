"""What a disk holds after its power went, at every moment of a work that writes into a folder.

A disk keeps what was synced: the content that a file had at its last `fsync`, and the names that a folder had at its
last one. Of the rest it may have kept anything. A recording takes down, at every operation on a file, what is certain
then and what is there; from that the states are made in which a machine may come up again:

    strict   nothing that was not synced is there: no new name, no removal, no rename
    lax      every name is as it was, and every content that was not synced is gone (what journals of metadata alone do)
    mixed    each folder is the one or the other, by chance
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHANGES = frozenset(("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.chmod"))
Names = dict[str, int]
"""The entries of a folder, by name: numbers of files, and -1 for a folder."""
FOLDER = -1


@dataclass(frozen=True)
class State:
    """A tree of files as a machine finds it: content by path, folders by path, and what was confirmed before."""

    files: dict[str, bytes]
    folders: frozenset[str]
    confirmed: tuple[str, ...]
    kind: str

    def write(self, root: Path) -> None:
        """Lay the tree out below a folder."""
        root.mkdir(parents=True)
        for folder in sorted(self.folders):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (root / name).write_bytes(content)


@dataclass
class _Moment:
    live: dict[str, Names]
    certain: dict[str, Names]
    contents: dict[int, bytes]
    confirmed: tuple[str, ...]


@dataclass
class Recording:
    """The moments of a work below `root`. What is there at the beginning is certain."""

    root: Path
    _moments: list[_Moment] = field(default_factory=list)
    _certain: dict[str, Names] = field(default_factory=dict)
    _contents: dict[int, bytes] = field(default_factory=dict)
    _kept_open: list[int] = field(default_factory=list)
    _confirmed: tuple[str, ...] = ()
    _is_busy: bool = False

    def confirm(self, what: str) -> None:
        """Something was told to be kept: it must be in every state from here on."""
        self._confirmed = (*self._confirmed, what)
        self.take()

    def take(self) -> None:
        """Take down this moment."""
        if self._is_busy:
            return
        self._is_busy = True
        try:
            moment = _Moment(self._tree(), dict(self._certain), dict(self._contents), self._confirmed)
            if not self._moments or moment != self._moments[-1]:
                self._moments.append(moment)
        finally:
            self._is_busy = False

    def begin(self) -> None:
        self._is_busy = True
        for path in self.root.rglob("*"):
            if path.is_file():
                self._keep(path, path.read_bytes())
        self._is_busy = False
        self._certain = self._tree()

    def end(self) -> None:
        self.take()
        for descriptor in self._kept_open:
            os.close(descriptor)

    def synced(self, descriptor: int) -> None:
        """A file or folder is on the disk as it is now."""
        self.take()
        self._is_busy = True
        try:
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            if path != self.root and self.root not in path.parents:
                return
            if path.is_dir():
                self._certain = self._certain | {self._name(path): self._names(path)}
            else:
                self._keep(path, path.read_bytes())
        finally:
            self._is_busy = False
        self.take()

    def states(self, *, every: int = 1, seed: int = 20) -> Iterator[State]:
        """Each state once, of every so-manyth moment and of the last."""
        rng, seen = random.Random(seed), set()
        moments = [*self._moments[:-1:every], self._moments[-1]]
        for moment in moments:
            choices = {"strict": lambda _: False, "lax": lambda _: True, "mixed": lambda _: rng.random() < 0.5}
            for kind, is_live in choices.items():
                state = self._state(moment, kind, is_live)
                key = tuple(sorted(state.files.items())), state.folders, state.confirmed
                if key not in seen:
                    seen.add(key)
                    yield state

    @staticmethod
    def _state(moment: _Moment, kind: str, is_live: Any) -> State:
        files: dict[str, bytes] = {}
        folders: set[str] = set()
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            certain, live = moment.certain.get(folder), moment.live.get(folder)
            names = live if certain is None or (live is not None and is_live(folder)) else certain
            for name, number in (names or {}).items():
                path = f"{folder}/{name}".lstrip("/")
                if number == FOLDER:
                    folders.add(path)
                    waiting.append(path)
                else:
                    files[path] = moment.contents.get(number, b"")
        return State(files, frozenset(folders), moment.confirmed, kind)

    def _keep(self, path: Path, content: bytes) -> None:
        # An open file keeps its number, which a new file would get otherwise.
        descriptor = os.open(path, os.O_RDONLY)
        self._kept_open.append(descriptor)
        self._contents = self._contents | {os.fstat(descriptor).st_ino: content}

    def _tree(self) -> dict[str, Names]:
        busy, self._is_busy = self._is_busy, True
        try:
            folders = [self.root, *(path for path in self.root.rglob("*") if path.is_dir())]
            return {self._name(path): self._names(path) for path in folders}
        except FileNotFoundError:
            return {}
        finally:
            self._is_busy = busy

    def _name(self, path: Path) -> str:
        return "" if path == self.root else path.relative_to(self.root).as_posix()

    @staticmethod
    def _names(path: Path) -> Names:
        with os.scandir(path) as entries:
            return {entry.name: FOLDER if entry.is_dir() else entry.inode() for entry in entries}


_current: list[Recording] = []


def _audit(event: str, _arguments: tuple[object, ...]) -> None:
    if _current and event in CHANGES:
        _current[-1].take()


_hooked: list[bool] = []


@contextmanager
def recorded(root: Path) -> Iterator[Recording]:
    """Record what this process does to files below a folder. Linux only."""
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    recording = Recording(root.resolve())
    recording.begin()
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        recording.synced(descriptor)

    os.fsync = fsync
    _current.append(recording)
    try:
        yield recording
    finally:
        _current.pop()
        os.fsync = sync
        recording.end()
