"""Expressions as text and as trees: five kinds of node, a parser, and the way back. Knows nothing of the meaning of
names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from fervid.errors import ConfigError

MAX_CHARACTERS, MAX_DEPTH = 2000, 40
"""Generous limits that prevent a hostile file from exhausting the stack."""

COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+\.?\d*|\.\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign><=|>=|==|!=|[-+*/()<>,]))")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A value of a face, or of a frame in a group rule."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x` or `not x`."""

    sign: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, a comparison, or `and` / `or`."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function of one or more values."""

    function: str
    arguments: tuple[Node, ...]


Node = Number | Name | Unary | Binary | Call


def read(text: str) -> Node:
    """The tree of a text. Raises ConfigError naming the invalid part."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"an expression of {len(text)} characters is too long. Write at most {MAX_CHARACTERS}.")
    return _Parser(text).whole()


def write(node: Node) -> str:
    """An expression as text again, with only the brackets needed."""
    return _write(node, 0)


_BINDING = {"or": 1, "and": 2, "not": 3, **dict.fromkeys(COMPARISONS, 4), "+": 5, "-": 5, "*": 6, "/": 6}
_SIGN_BINDING = 7


def _write(node: Node, outer: int) -> str:
    match node:
        case Number(value):
            return f"{value:g}"
        case Name(name):
            return name
        case Call(function, arguments):
            return f"{function}({', '.join(_write(argument, 0) for argument in arguments)})"
        case Unary(sign, operand):
            own = _BINDING["not"] if sign == "not" else _SIGN_BINDING
            text = f"not {_write(operand, own)}" if sign == "not" else f"-{_write(operand, own)}"
        case Binary(sign, left, right):
            own = _BINDING[sign]
            text = f"{_write(left, own)} {sign} {_write(right, own + 1)}"
    return f"({text})" if own < outer else text


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._either()
        if self._next < len(self._tokens):
            self._wrong(f"{self._tokens[self._next]!r} was not expected")
        return node

    def _either(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._wrong("the brackets are nested too deeply")
        node = self._both()
        while self._take("or"):
            node = Binary("or", node, self._both())
        self._depth -= 1
        return node

    def _both(self) -> Node:
        node = self._negated()
        while self._take("and"):
            node = Binary("and", node, self._negated())
        return node

    def _negated(self) -> Node:
        n = 0
        while self._take("not"):
            n += 1
        node = self._comparison()
        return Unary("not", node) if n % 2 else node

    def _comparison(self) -> Node:
        left = self._sum()
        sign = self._take(*COMPARISONS)
        if not sign:
            return left
        node = Binary(sign, left, self._sum())
        if self._take(*COMPARISONS):
            self._wrong("comparisons cannot be chained; write a < b and b < c")
        return node

    def _sum(self) -> Node:
        node = self._product()
        while sign := self._take("+", "-"):
            node = Binary(sign, node, self._product())
        return node

    def _product(self) -> Node:
        node = self._signed()
        while sign := self._take("*", "/"):
            node = Binary(sign, node, self._signed())
        return node

    def _signed(self) -> Node:
        n = 0
        while self._take("-"):
            n += 1
        node = self._atom()
        return Unary("-", node) if n % 2 else node

    def _atom(self) -> Node:
        if self._take("("):
            node = self._either()
            self._expect(")")
            return node
        if self._next == len(self._tokens):
            self._wrong("it ends where a value is missing")
        token = self._tokens[self._next]
        self._next += 1
        if token[0].isdigit() or token[0] == ".":
            return Number(float(token))
        if not (token[0].isalpha() or token[0] == "_") or token in ("and", "or", "not"):
            self._wrong(f"a value is missing before {token!r}")
        if not self._take("("):
            return Name(token)
        arguments = [self._either()]
        while self._take(","):
            arguments.append(self._either())
        self._expect(")")
        return Call(token, tuple(arguments))

    def _take(self, *tokens: str) -> str:
        if self._next < len(self._tokens) and self._tokens[self._next] in tokens:
            self._next += 1
            return self._tokens[self._next - 1]
        return ""

    def _expect(self, token: str) -> None:
        if not self._take(token):
            self._wrong(f"{token!r} is missing")

    def _wrong(self, problem: str) -> NoReturn:
        raise ConfigError(f"{self._text!r} is not an expression: {problem}.")


def _tokens(text: str) -> list[str]:
    found = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            sign = text[position:].strip()[0]
            raise ConfigError(
                f"{text!r} is not an expression: {sign!r} is not allowed in it. "
                "Use names, numbers, + - * /, comparisons, and, or, not, and brackets."
            )
        found.append(match[match.lastgroup or 0])
        position = match.end()
    return found
