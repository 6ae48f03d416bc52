"""Loads settings from their sources, and records where each value comes from.

Order of precedence: defaults, preset, file, environment (FERVID_SECTION__KEY), --set, options. Unknown keys are refused
with a suggestion of the nearest key.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fervid.base import assets
from fervid.base.toml import read_toml
from fervid.config.settings import REPLACED_BY, Settings
from fervid.errors import ConfigError

ENVIRONMENT_PREFIX = "FERVID_"
TIME_SPELLINGS = "90, 12.5s or 00:01:02.5"
ALTERNATIVES = REPLACED_BY | {other: key for key, other in REPLACED_BY.items()}
DEFAULT = "default"
"""The source of a value that is not set anywhere else."""


@dataclass(frozen=True, slots=True)
class SourcedSettings:
    """Settings, and by key, such as "video.fps", the source of each value that is not a default."""

    settings: Settings
    sources: Mapping[str, str]

    def source(self, key: str) -> str:
        """Where the value of a setting comes from; for a table of options, where the last one comes from."""
        below = [source for other, source in self.sources.items() if other.startswith(f"{key}.")]
        return self.sources.get(key, below[-1] if below else DEFAULT)


def load_settings(
    *,
    preset: str = "default",
    file: Path | None = None,
    assignments: Iterable[str] = (),
    options: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from every source. `assignments` are "section.key=value"; in `options` None means not given.

    Raises ConfigError naming the source, the key and what was expected.
    """
    return load_sourced_settings(
        preset=preset, file=file, assignments=assignments, options=options, environment=environment
    ).settings


def load_sourced_settings(
    *,
    preset: str = "default",
    file: Path | None = None,
    assignments: Iterable[str] = (),
    options: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> SourcedSettings:
    """Like `load_settings`, with the source of each value. Raises ConfigError."""
    merged = _Merged()
    merged.add(_from_file(_preset_path(preset), f"preset {preset}"))
    if file is not None:
        merged.add(_from_file(file, f"file {file}"))
    merged.add(_from_environment(os.environ if environment is None else environment))
    merged.add(_from_assignments(assignments))
    given = (options or {}).items()
    merged.add([_Value(tuple(key.split(".")), value, "option", key) for key, value in given if value is not None])
    try:
        return SourcedSettings(Settings.model_validate(merged.content), merged.sources)
    except ValidationError as problem:
        raise ConfigError(_explain(problem)) from None


def preset_names() -> list[str]:
    """The presets included in fervid."""
    return sorted(p.stem for p in assets.configs_folder().glob("*.toml"))


def parse_time(text: str) -> float:
    """Seconds from `90`, `12.5s` or `00:01:02.5`. Raises ConfigError."""
    match = re.fullmatch(r"\s*(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)s?\s*", text)
    if match is None or (":" in text and text.rstrip().endswith("s")):
        raise ConfigError(f"time {text!r} is not valid. Write it as {TIME_SPELLINGS}.")
    hours, minutes, seconds = match.groups()
    if minutes is not None and (float(seconds) >= 60 or (hours is not None and int(minutes) >= 60)):
        raise ConfigError(
            f"time {text!r} has more than 59 minutes or seconds in a field. Write it as {TIME_SPELLINGS}."
        )
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


@dataclass(frozen=True, slots=True)
class _Value:
    """One value of one source. `given_as` is how the user wrote it, for error messages."""

    key: tuple[str, ...]
    value: Any
    source: str
    given_as: str


class _Merged:
    """The values of all sources; later ones override earlier ones."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {}
        self.sources: dict[str, str] = {}

    def add(self, values: Iterable[_Value]) -> None:
        """The values of one source. Raises ConfigError for two that exclude each other."""
        added: dict[str, _Value] = {}
        for one in values:
            key = ".".join(one.key)
            _assign(self.content, one)
            self.sources[key] = one.source
            added[key] = one
            if (other := ALTERNATIVES.get(key)) is None:
                continue
            if other in added:
                raise ConfigError(f"{one.given_as}: {other} and {key} exclude each other. Give one of them.")
            self._forget(other)

    def _forget(self, key: str) -> None:
        section, _, name = key.rpartition(".")
        if key in self.sources:
            del self.sources[key]
            self.content[section].pop(name)


def _from_file(path: Path, source: str) -> list[_Value]:
    return [_Value(key, value, source, str(path)) for key, value in _leaves(read_toml(path, "configuration file"))]


def _from_environment(environment: Mapping[str, str]) -> list[_Value]:
    return [
        _Value(
            tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")),
            _literal(value),
            f"environment {name}",
            name,
        )
        for name, value in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name
    ]


def _from_assignments(assignments: Iterable[str]) -> Iterator[_Value]:
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment!r} has no value. Write --set section.key=value.")
        yield _Value(tuple(key.strip().split(".")), _literal(value.strip()), "--set", f"--set {assignment}")


def _leaves(content: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _preset_path(name: str) -> Path:
    path = assets.configs_folder() / f"{name}.toml"
    if name not in preset_names():
        raise ConfigError(f"preset {name!r} does not exist. Use one of {', '.join(preset_names())}.")
    return path


def _assign(into: dict[str, Any], one: _Value) -> None:
    *sections, last = one.key
    if not sections:
        raise ConfigError(f"{one.given_as}: {last!r} has no section. Write section.key, as in video.fps.")
    for section in sections:
        into = into.setdefault(section, {})
        if not isinstance(into, dict):
            raise ConfigError(f"{one.given_as}: {section!r} is not a section. Write section.key, as in video.fps.")
    if not (one.value == {} and isinstance(into.get(last), dict)):  # an empty section
        into[last] = one.value


def _literal(text: str) -> Any:
    """A TOML value if it is one, else the text itself, so that `--set emotion.model=name` needs no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def _explain(problem: ValidationError) -> str:
    error = problem.errors()[0]
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        section: Any = Settings
        for part in location[:-1]:
            section = section.model_fields[part].annotation
        nearest = difflib.get_close_matches(location[-1], section.model_fields, n=1)
        known = ", ".join(section.model_fields)
        return f"setting {key!r} does not exist. " + (
            f"Did you mean {'.'.join([*location[:-1], nearest[0]])!r}?" if nearest else f"Use one of {known}."
        )
    message = error["msg"].removeprefix("Value error, ")
    return (
        f"setting {key} = {error['input']!r} is not valid: {message}."
        if error["type"] != "value_error"
        else f"{key}: {message}."
    )
