"""What a room must never load, so that each "Knows nothing of" in a header is true."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rooms import LATER, LOADED, PACKAGE, imports

OPENCV, PYAV = "cv2", "av"
HEAVY = (OPENCV, PYAV, "tensorflow", "keras", "ray", "matplotlib", "ai_edge_litert")
NEVER = {
    "fervid.errors": ("fervid", *HEAVY, "numpy"),
    "fervid.storage": ("fervid.base", "fervid.run", "fervid.batch", "numpy", "pyarrow"),
    "fervid.base.clock": ("fervid.storage", "numpy"),
    "fervid.base.geometry": ("fervid.storage", OPENCV),
    "fervid.base.registry": ("fervid.run", *HEAVY),
    "fervid.base.types": ("fervid.video", "fervid.detect", OPENCV),
    "fervid.charts": ("fervid.run", "fervid.train", "fervid.profile"),
    "fervid.config": (OPENCV, PYAV, "fervid.emotion", "fervid.run"),
    "fervid.demo": ("fervid.batch", "fervid.run", "fervid.observe"),
    "fervid.detect": ("fervid.run", "fervid.emotion", PYAV),
    "fervid.emotion": ("fervid.run", "fervid.video", "fervid.config", PYAV),
    "fervid.emotion.model": ("numpy", OPENCV),
    "fervid.interpret": (OPENCV, PYAV, "fervid.detect.stage", "fervid.video.reader", "fervid.batch"),
    "fervid.observe": ("fervid.interpret", "fervid.track.iou", "fervid.batch"),
    "fervid.overlay": (PYAV, "fervid.batch"),
    "fervid.privacy": ("fervid.run", "fervid.alerts", PYAV),
    "fervid.run": ("fervid.observe", "fervid.interpret", "fervid.emotion", "fervid.batch", OPENCV, PYAV),
    "fervid.run.files": ("numpy", "pyarrow"),
    "fervid.stats": ("fervid.run", "fervid.train", "fervid.alerts"),
    "fervid.track": ("fervid.run", "fervid.config", "fervid.video", OPENCV, PYAV),
    "fervid.video": ("fervid.detect", "fervid.run", "fervid.emotion"),
    "fervid.web": ("fervid.run", "fervid.live", "fervid.review"),
    "fervid.batch.engine": (OPENCV, PYAV, "fervid.observe", "fervid.interpret", "fervid.batch.steps"),
    "fervid.batch.schedule": (OPENCV, PYAV, "fervid.observe", "fervid.interpret"),
    "fervid.alerts.language": ("fervid.run", OPENCV, PYAV),
    "fervid.alerts.find": (OPENCV, PYAV, "fervid.batch"),
    "fervid.alerts.measure": (OPENCV, PYAV, "fervid.alerts.review"),
    "fervid.profile.measure": (OPENCV, PYAV),
    "fervid.exports": (OPENCV, PYAV),
    "fervid.query": (OPENCV, PYAV),
    "fervid.train": ("fervid.video", "fervid.run", "fervid.batch", PYAV),
    "fervid.api": (OPENCV, PYAV),
    "fervid": HEAVY,
}
"""A module and all below it; of `fervid` itself the module alone. What it loads, directly or not, is none of these."""
ONLY_FROM = {"fervid.cli": ("fervid.__main__",), "fervid.upkeep": ("fervid.cli",), "fervid.api": ("fervid",)}
"""Stands on top: nobody else imports it, at any time."""


def _is_below(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def _libraries() -> Iterator[tuple[str, str]]:
    """Modules with the packages of others that they load."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += ["cv2"] if isinstance(node, ast.Try) and "import cv2" in ast.unparse(node) else []
            yield from ((module, name.partition(".")[0]) for name in names if not name.startswith("fervid"))


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """Of each module all that comes with it: modules of the package, and packages of others."""
    direct: dict[str, set[str]] = {}
    for each in imports():
        if each.kind == LOADED:
            direct.setdefault(each.source, set()).add(each.target)
    for module, library in _libraries():
        direct.setdefault(module, set()).add(library)

    def reach(start: str) -> set[str]:
        reached: set[str] = set()
        waiting = [start]
        while waiting:
            module = waiting.pop()
            parent = module.rpartition(".")[0]
            new = (direct.get(module, set()) | ({parent} - {"fervid", ""})) - reached
            reached |= new
            waiting += new
        return reached - {start}

    return {module: reach(module) for module in direct}


@pytest.mark.parametrize("room", NEVER)
def test_a_room_does_not_load_what_it_knows_nothing_of(room: str, loaded: dict[str, set[str]]) -> None:
    own = [name for name in loaded if name == room or (room != "fervid" and _is_below(name, room))]
    wrong = [
        f"{module} loads {found}"
        for module in own
        for found in sorted(loaded[module])
        for never in NEVER[room]
        if _is_below(found, never) and not _is_below(found, room)
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ONLY_FROM)
def test_what_stands_on_top_carries_nothing(room: str) -> None:
    others = {
        each.source
        for each in imports()
        if _is_below(each.target, room) and not any(_is_below(each.source, own) for own in (room, *ONLY_FROM[room]))
        if each.kind in (LOADED, LATER)
    }
    assert others == set()


def test_interpreting_loads_no_decoder_in_truth() -> None:
    modules = [f"fervid.interpret.{path.stem}" for path in (PACKAGE / "interpret").glob("[a-z]*.py")]
    script = f"import sys, {', '.join(modules)}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
