"""Settings from their sources, and where each value comes from.

Order of precedence: defaults, preset, file, environment (FERVID_SECTION__KEY), --set, options. Unknown keys are refused
with the nearest name there is.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fervid import assets
from fervid.config.settings import Settings
from fervid.errors import ConfigError

ENVIRONMENT_PREFIX = "FERVID_"
TIME_SPELLINGS = "90, 12.5s or 00:01:02.5"


def load_settings(
    *,
    preset: str = "default",
    file: Path | None = None,
    assignments: Iterable[str] = (),
    options: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from every source. `assignments` are "section.key=value"; in `options` a value of None changes nothing.

    Raises ConfigError naming the source, the key and what was expected.
    """
    merged: dict[str, Any] = {}
    _merge(merged, _read_toml(_preset_path(preset)))
    if file is not None:
        _merge(merged, _read_toml(file))
    for name, value in (os.environ if environment is None else environment).items():
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            _assign(merged, name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", "."), _literal(value), name)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment!r} has no value. Write --set section.key=value.")
        _assign(merged, key.strip(), _literal(value.strip()), f"--set {assignment}")
    for key, value in (options or {}).items():
        if value is not None:
            _assign(merged, key, value, key)
    try:
        return Settings.model_validate(merged)
    except ValidationError as problem:
        raise ConfigError(_explain(problem)) from None


def preset_names() -> list[str]:
    """The presets that come with fervid."""
    return sorted(p.stem for p in assets.configs_folder().glob("*.toml"))


def parse_time(text: str) -> float:
    """Seconds from `90`, `12.5s` or `00:01:02.5`. Raises ConfigError."""
    match = re.fullmatch(r"\s*(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)s?\s*", text)
    if match is None or (":" in text and text.rstrip().endswith("s")):
        raise ConfigError(f"time {text!r} is not understood. Write it as {TIME_SPELLINGS}.")
    hours, minutes, seconds = match.groups()
    if minutes is not None and (float(seconds) >= 60 or (hours is not None and int(minutes) >= 60)):
        raise ConfigError(
            f"time {text!r} has more than 59 minutes or seconds in a field. Write it as {TIME_SPELLINGS}."
        )
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


def _preset_path(name: str) -> Path:
    path = assets.configs_folder() / f"{name}.toml"
    if name not in preset_names():
        raise ConfigError(f"preset {name!r} does not exist. Use one of {', '.join(preset_names())}.")
    return path


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"configuration file {path} does not exist. Check the path.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(f"{path} is not valid TOML ({problem}). Correct it and run again.") from None


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _assign(into: dict[str, Any], key: str, value: Any, source: str) -> None:
    *sections, last = key.split(".")
    if not sections:
        raise ConfigError(f"{source}: {key!r} names no section. Write section.key, as in video.fps.")
    for section in sections:
        into = into.setdefault(section, {})
        if not isinstance(into, dict):
            raise ConfigError(f"{source}: {section!r} is not a section. Write section.key, as in video.fps.")
    into[last] = value


def _literal(text: str) -> Any:
    """A TOML value if it is one, else the text itself, so that `--set emotion.model=name` needs no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
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
            f"Did you mean {nearest[0]!r}?" if nearest else f"There are: {known}."
        )
    message = error["msg"].removeprefix("Value error, ")
    return (
        f"setting {key} = {error['input']!r} is not valid: {message}."
        if error["type"] != "value_error"
        else f"{key}: {message}."
    )
