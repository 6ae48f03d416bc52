"""How many columns of a terminal text takes: a letter of Chinese, Japanese or Korean takes two, an accent none."""

from __future__ import annotations

import unicodedata


def columns_of(text: str) -> int:
    """The columns that a text takes, by Unicode's East Asian Width (Annex 11)."""
    return sum(_column(letter) for letter in text)


def left(text: str, n_columns: int) -> str:
    """A text at the left of so many columns."""
    return text + " " * max(0, n_columns - columns_of(text))


def right(text: str, n_columns: int) -> str:
    """A text at the right of so many columns."""
    return " " * max(0, n_columns - columns_of(text)) + text


def _column(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
