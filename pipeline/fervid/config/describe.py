"""Meaning, unit and allowed values of each setting, read from the settings' own fields."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fervid.config.settings import Settings

UNITS = {
    "every": "frames",
    "degrees": "degrees",
    "faces": "faces",
    "fps": "frames per second",
    "level": "levels of 255",
    "mib": "MiB",
    "pixels": "pixels",
    "px": "pixels",
    "seconds": "seconds",
    "share": "share of 1",
    "shares": "shares of 1",
    "threads": "threads",
}
"""By the last word of a setting's name. Numbers with other names have no unit."""

LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
"""The bounds of a number, as text."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `key` as in "video.fps"; `unit` and `allowed` may be empty."""

    key: str
    meaning: str
    unit: str
    allowed: str
    default: Any

    @property
    def name(self) -> str:
        """The key within its section."""
        return self.key.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Section:
    """A section, such as "video" or "detect.haar", with its settings in the order of their fields.

    An open section accepts any key; its default has its content.
    """

    key: str
    meaning: str
    settings: tuple[Setting, ...]
    is_open: bool = False


def describe_sections() -> list[Section]:
    """All sections; a section comes before its subsections, as TOML requires."""
    return list(_sections(Settings, ""))


def _sections(model: type[BaseModel], above: str) -> Iterator[Section]:
    for name, field in model.model_fields.items():
        key = f"{above}{name}"
        if (section := _model_of(field)) is not None:
            own = tuple(_settings(section, key))
            yield Section(key, (section.__doc__ or "").partition("\n")[0], own)
            yield from _sections(section, f"{key}.")
        elif _is_table(field):
            yield Section(key, _sentence(field.description or ""), (), is_open=True)


def _settings(model: type[BaseModel], section: str) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        if _model_of(field) is None and not _is_table(field):
            yield Setting(
                key=f"{section}.{name}",
                meaning=_sentence(field.description or ""),
                unit=UNITS.get(name.rpartition("_")[2], "") if _is_number(field.annotation) else "",
                allowed=_allowed(field),
                default=field.get_default(call_default_factory=True),
            )


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _is_table(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is dict


def _is_number(kind: Any) -> bool:
    if get_origin(kind) is not None:
        return get_origin(kind) is not Literal and any(_is_number(part) for part in get_args(kind))
    return kind in (int, float)


def _allowed(field: FieldInfo) -> str:
    """The values that a field accepts, as text; empty if its type is enough."""
    kinds = get_args(field.annotation) if get_origin(field.annotation) in (Union, types.UnionType) else ()
    for kind in (field.annotation, *kinds):
        if get_origin(kind) is Literal:
            return f"one of {', '.join(map(str, get_args(kind)))}"
        if kind is bool:
            return "true or false"
    found = {short: getattr(bound, short) for bound in field.metadata for short in LIMITS if hasattr(bound, short)}
    if {"ge", "le"} == set(found):
        return f"{found['ge']:g} to {found['le']:g}"
    return ", ".join(f"{LIMITS[short]} {bound:g}" for short, bound in found.items())


def _sentence(text: str) -> str:
    """The text with a capital letter and one full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}." if text else ""
