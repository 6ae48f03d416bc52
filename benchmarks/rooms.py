"""Draws the package from its imports: rooms, arrows, circles and what runs up.

A room is a top-level module or sub-package of fervid. An arrow goes from a room to one that it imports: when it is
loaded, later (in a function, or by a text like `fervid.detect.haar:HaarDetector`), or for types alone. Rooms stand on
floors, each above every room that it imports; an arrow that would close a circle with the others runs up.

    python benchmarks/rooms.py [--arrows]
"""

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "pipeline" / "fervid"
LOADED, LATER, TYPES = "loaded", "later", "types"
_TEXT = re.compile(r"fervid(\.\w+)+:\w+")


@dataclass(frozen=True, order=True)
class Import:
    """One import of a module of the package by another, both as dotted names, with the kind and the line."""

    source: str
    target: str
    kind: str
    line: int


def _module(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _for_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name | ast.Attribute) and ast.unparse(test).endswith("TYPE_CHECKING")


def _statements(node: ast.AST, kind: str) -> Iterator[tuple[ast.AST, str]]:
    """Every node below with the kind that an import there would have."""
    for child in ast.iter_child_nodes(node):
        inner = kind
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inner = LATER
        elif isinstance(child, ast.If) and _for_types(child.test):
            inner = TYPES
        yield child, inner
        yield from _statements(child, inner)


def _names(node: ast.AST) -> Iterator[str]:
    """Dotted names that a node may import; the longest that is a module counts."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _TEXT.fullmatch(node.value):
        yield node.value.replace(":", ".")


def imports(package: Path = PACKAGE) -> list[Import]:
    """Every import between modules of the package, from its source."""
    files = {_module(path, package): path for path in sorted(package.rglob("*.py"))}
    found = set()
    for module, path in files.items():
        for node, kind in _statements(ast.parse(path.read_text(encoding="utf-8")), LOADED):
            for name in _names(node):
                target = name
                while target not in files and "." in target:
                    target = target.rpartition(".")[0]
                if target in files and target != module:
                    kind = LATER if isinstance(node, ast.Constant) and kind == LOADED else kind
                    found.add(Import(module, target, kind, getattr(node, "lineno", 0)))
    return sorted(found)


def room(module: str) -> str:
    """The room that a module is in; the package's own `__init__` is the room `fervid`."""
    return module.split(".")[1] if "." in module else module


@dataclass(frozen=True)
class House:
    """What the imports draw."""

    imports: tuple[Import, ...]

    @cached_property
    def rooms(self) -> list[str]:
        """Every room, by name."""
        return sorted({room(name) for each in self.imports for name in (each.source, each.target)})

    def arrows(self, *kinds: str) -> set[tuple[str, str]]:
        """Pairs of rooms with an import of one of these kinds."""
        pairs = {(room(each.source), room(each.target)) for each in self.imports if each.kind in kinds}
        return {(one, other) for one, other in pairs if one != other}

    def circles(self, *kinds: str) -> list[list[str]]:
        """Groups of rooms that reach each other, the largest first."""
        reach = {name: self._reach(name, self.arrows(*kinds)) for name in self.rooms}
        groups = {tuple(sorted(b for b in reach[a] if a in reach[b])) for a in self.rooms}
        return sorted((list(group) for group in groups if len(group) > 1), key=len, reverse=True)

    @staticmethod
    def _reach(start: str, arrows: Iterable[tuple[str, str]]) -> set[str]:
        below: dict[str, list[str]] = {}
        for one, other in arrows:
            below.setdefault(one, []).append(other)
        reached, waiting = {start}, [start]
        while waiting:
            new = set(below.get(waiting.pop(), ())) - reached
            reached |= new
            waiting += new
        return reached

    @cached_property
    def _falling_and_rising(self) -> tuple[set[tuple[str, str]], list[tuple[str, str]]]:
        falling: set[tuple[str, str]] = set()
        rising = []
        counts = Counter((room(each.source), room(each.target)) for each in self.imports)
        for kind in (LOADED, LATER, TYPES):
            for one, other in sorted(self.arrows(kind) - falling, key=lambda arrow: (-counts[arrow], arrow)):
                if (one, other) in rising:
                    continue
                if one in self._reach(other, falling):
                    rising.append((one, other))
                else:
                    falling.add((one, other))
        return falling, sorted(rising)

    @property
    def upward(self) -> list[tuple[str, str]]:
        """Arrows that run up: each would close a circle with the others. Those with the most imports fall."""
        return self._falling_and_rising[1]

    @cached_property
    def floors(self) -> dict[str, int]:
        """The floor of every room: one above the highest that an arrow of it falls to."""
        below: dict[str, set[str]] = {name: set() for name in self.rooms}
        for one, other in self._falling_and_rising[0]:
            below[one].add(other)
        floors: dict[str, int] = {}
        for name in TopologicalSorter(below).static_order():
            floors[name] = 1 + max((floors[each] for each in below[name]), default=-1)
        return floors


def _line(names: Iterable[str]) -> str:
    return " ".join(sorted(names))


def main() -> None:
    """Prints the house."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--arrows", action="store_true", help="print the imports behind every arrow that runs up")
    asked = options.parse_args()
    house = House(tuple(imports()))
    for floor in sorted(set(house.floors.values()), reverse=True):
        print(f"{floor:3}  {_line(name for name, at in house.floors.items() if at == floor)}")
    kinds = {kind: sum(each.kind == kind for each in house.imports) for kind in (LOADED, LATER, TYPES)}
    print(f"{len(house.rooms)} rooms, {len(house.arrows(LOADED, LATER, TYPES))} arrows, imports: {kinds}")
    for words, circles in (("loaded", house.circles(LOADED)), ("any", house.circles(LOADED, LATER, TYPES))):
        print(f"circles ({words}): {[len(each) for each in circles] or 'none'}")
        for each in circles:
            print(f"    {_line(each)}")
    upward = house.upward
    print(f"{len(upward)} arrows run up: {', '.join(f'{a} -> {b}' for a, b in upward)}")
    if asked.arrows:
        for each in house.imports:
            if (room(each.source), room(each.target)) in upward:
                print(f"    {each.source}:{each.line} -> {each.target} ({each.kind})")


if __name__ == "__main__":
    main()
