"""What keeps the code readable: short functions, few positional parameters, short modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import fervid

PACKAGE = Path(fervid.__file__).parent
MOST_LINES, MOST_LINES_OF_A_MODULE, MOST_POSITIONAL = 60, 400, 7


def _functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield name, node


def test_functions_are_short() -> None:
    long = {(name, node.name) for name, node in _functions() if (node.end_lineno or 0) - node.lineno >= MOST_LINES}
    assert long == set()


def test_few_parameters_go_by_position() -> None:
    many = [
        (name, node.name)
        for name, node in _functions()
        if len(node.args.posonlyargs) + len(node.args.args) > MOST_POSITIONAL
        and not name.startswith("cli/")  # the options of a command are its parameters
    ]
    assert many == []


def test_modules_are_short() -> None:
    lines = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in PACKAGE.rglob("*.py")}
    assert {name for name, n in lines.items() if n > MOST_LINES_OF_A_MODULE} == set()
