"""The expression language of rules: numbers, names, comparisons, and / or / not. Never Python's `eval`.

    angry + 0.5 * disgust             a number per face
    margin >= 0.15 and face_px >= 40  a condition per face
    share(angry >= 0.5)               a number per frame: group rules cover all faces at once

Text is parsed to a tree of five kinds of node, names and kinds are checked there, and the tree is evaluated over
arrays. Knows nothing of rules or tables.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

import numpy as np

from fervid.alerts.language.syntax import COMPARISONS, Binary, Call, Name, Node, Number, Unary, read, write
from fervid.errors import ConfigError

Kind = Literal["number", "condition"]

FACE_FUNCTIONS = ("min", "max")
GROUP_FUNCTIONS: dict[str, Kind] = {"count": "condition", "share": "condition", "mean": "number", "highest": "number"}
"""Functions over all usable faces of a frame, and what each takes."""


class UnknownName(ConfigError):
    """An expression uses an unknown `name`."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Faces:
    """What expressions are evaluated over: columns (n,) of faces, and for group rules columns (F,) of their frames.

    `frame_of_face` (n,) is the position of each face's frame; `counts` (n,) says which faces enter group functions.
    """

    columns: Mapping[str, np.ndarray]
    frame_columns: Mapping[str, np.ndarray]
    frame_of_face: np.ndarray
    counts: np.ndarray
    n_frames: int


def parse(text: str, *, wanted: Kind, names: Collection[str], frame_names: Collection[str] | None = None) -> Node:
    """The tree of an expression that is a `wanted`.

    `names` are those of faces. With `frame_names` it is an expression over frames: names of faces are then allowed
    only inside group functions. Raises ConfigError naming the invalid part.
    """
    node = read(text)
    found = _kind(node, text, frozenset(names), None if frame_names is None else frozenset(frame_names))
    if found != wanted:
        example = "angry or angry + disgust" if wanted == "number" else "margin >= 0.15"
        raise ConfigError(f"{text!r} is a {found}, expected a {wanted}, such as {example}.")
    return node


def evaluate(node: Node, faces: Faces) -> np.ndarray:
    """The value of an expression for each face (n,), or for each frame (F,) where it is one over frames."""
    return _value(node, faces, faces.columns)


def evaluate_frames(node: Node, faces: Faces) -> np.ndarray:
    """The value of an expression over frames: float64 or bool (F,)."""
    value = _value(node, faces, faces.frame_columns)
    return np.broadcast_to(value, faces.n_frames)


def conditions(node: Node) -> list[Node]:
    """The parts of a condition that are joined by `and`: each must be true."""
    if isinstance(node, Binary) and node.sign == "and":
        return conditions(node.left) + conditions(node.right)
    return [node]


def names_in(node: Node) -> set[str]:
    """Every name that an expression uses."""
    match node:
        case Name(name):
            return {name}
        case Unary(_, operand):
            return names_in(operand)
        case Binary(_, left, right):
            return names_in(left) | names_in(right)
        case Call(_, arguments):
            return set().union(*(names_in(argument) for argument in arguments))
    return set()


def _value(node: Node, faces: Faces, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    match node:
        case Number(value):
            return np.asarray(value)
        case Name(name):
            return columns[name]
        case Unary(sign, operand):
            inner = _value(operand, faces, columns)
            return np.asarray(~inner if sign == "not" else -inner)
        case Call(function, arguments) if function in FACE_FUNCTIONS:
            values = [_value(argument, faces, columns) for argument in arguments]
            # fmin and fmax would hide a missing value; a comparison with a missing one is false.
            combine = np.minimum if function == "min" else np.maximum
            result = values[0]
            for other in values[1:]:
                result = combine(result, other)
            return result
        case Call(function, arguments):
            return _over_faces(function, _value(arguments[0], faces, faces.columns), faces)
        case Binary(sign, left, right):
            return _combine(sign, _value(left, faces, columns), _value(right, faces, columns))


def _combine(sign: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        match sign:
            case "and":
                return np.asarray(a & b)
            case "or":
                return np.asarray(a | b)
            case "+":
                return np.asarray(a + b)
            case "-":
                return np.asarray(a - b)
            case "*":
                return np.asarray(a * b)
            case "/":
                return np.asarray(a / b)
            case "<":
                return np.asarray(a < b)
            case "<=":
                return np.asarray(a <= b)
            case ">":
                return np.asarray(a > b)
            case ">=":
                return np.asarray(a >= b)
            case "==":
                return np.asarray(a == b)
            case _:
                return np.asarray(a != b)


def _over_faces(function: str, values: np.ndarray, faces: Faces) -> np.ndarray:
    """A group function for every frame. Without a usable face counts and shares are 0, means and maxima are missing."""
    values = np.broadcast_to(values, faces.frame_of_face.shape)[faces.counts]
    frame = faces.frame_of_face[faces.counts]
    if function == "highest":
        highest = np.full(faces.n_frames, -np.inf)
        np.maximum.at(highest, frame, values)
        return np.where(np.isneginf(highest), np.nan, highest)
    total = np.bincount(frame, values.astype(np.float64), faces.n_frames)
    if function == "count":
        return total
    n = np.bincount(frame, minlength=faces.n_frames)
    missing = 0.0 if function == "share" else np.nan
    return np.asarray(np.divide(total, n, out=np.full(faces.n_frames, missing), where=n > 0))


def _kind(node: Node, text: str, names: frozenset[str], frame_names: frozenset[str] | None) -> Kind:
    """What an expression is, every name and every part checked on the way."""
    known = names if frame_names is None else frame_names
    match node:
        case Number():
            return "number"
        case Name(name):
            if name not in known:
                _unknown(name, text, known, is_of_faces=name in names)
            return "number"
        case Unary(sign, operand):
            wanted: Kind = "condition" if sign == "not" else "number"
            _need(operand, wanted, f"after {sign!r}", text, names, frame_names)
            return wanted
        case Binary("and" | "or" as sign, left, right):
            for side in (left, right):
                _need(side, "condition", f"beside {sign!r}", text, names, frame_names)
            return "condition"
        case Binary(sign, left, right):
            for side in (left, right):
                _need(side, "number", f"beside {sign!r}", text, names, frame_names)
            return "condition" if sign in COMPARISONS else "number"
        case Call(function, arguments) if function in FACE_FUNCTIONS:
            if len(arguments) < 2:
                raise ConfigError(f"{text!r}: {function}() needs two values or more, separated by commas.")
            for argument in arguments:
                _need(argument, "number", f"in {function}()", text, names, frame_names)
            return "number"
        case Call(function, arguments):
            if function not in GROUP_FUNCTIONS:
                listed = ", ".join((*FACE_FUNCTIONS, *GROUP_FUNCTIONS))
                raise ConfigError(f"{text!r}: the function {function!r} does not exist. Use one of {listed}.")
            if frame_names is None:
                raise ConfigError(
                    f'{text!r}: {function}() covers all faces at once. Use it in a rule with over = "group".'
                )
            if len(arguments) != 1:
                raise ConfigError(f"{text!r}: {function}() takes one expression over faces.")
            _need(arguments[0], GROUP_FUNCTIONS[function], f"in {function}()", text, names, None)
            return "number"


def _need(
    node: Node, wanted: Kind, place: str, text: str, names: frozenset[str], frame_names: frozenset[str] | None
) -> None:
    found = _kind(node, text, names, frame_names)
    if found != wanted:
        raise ConfigError(f"{text!r}: {write(node)!r} {place} is a {found}, expected a {wanted}.")


def _unknown(name: str, text: str, known: frozenset[str], *, is_of_faces: bool) -> NoReturn:
    if is_of_faces:
        inside = ", ".join(f"{function}()" for function in GROUP_FUNCTIONS)
        raise ConfigError(f"{text!r}: {name!r} belongs to one face. In a group rule put it into {inside}.")
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {nearest[0]!r}?" if nearest else f"Use one of {', '.join(sorted(known))}."
    raise UnknownName(f"{text!r}: the name {name!r} does not exist. {hint}", name)
