"""Writes settings as a TOML file with the meaning and the source of each value."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from fervid.base.printable import one_line
from fervid.base.version import __version__
from fervid.config.describe import Setting, describe_sections
from fervid.config.load import SourcedSettings
from fervid.config.settings import REPLACED_BY

WIDTH = 110


def as_toml(found: SourcedSettings) -> str:
    """All settings as TOML that `load_settings(file=...)` reads back to the same; unset ones are commented out."""
    lines = [f"# Settings of fervid {__version__}. Use them with: fervid analyze VIDEO --config THIS_FILE", ""]
    content = found.settings.model_dump(mode="json")
    for section in describe_sections():
        lines += [*_comment(section.meaning), f"[{section.key}]"]
        values = value_at(content, section.key)
        if section.is_open:
            lines += [
                f"# From: {found.source(section.key)}.",
                *(f"{_key(k)} = {literal(v)}" for k, v in values.items()),
            ]
        for setting in section.settings:
            other = replaced_by(setting.key, content)
            source = f"not used: {other} is set" if other else found.source(setting.key)
            lines += _setting(setting, values[setting.name], source, is_used=not other)
        lines.append("")
    return "\n".join(lines)


def literal(value: Any) -> str:
    """A value as TOML; None, which TOML lacks, as an empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value)


def value_at(content: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key."""
    value: Any = content
    for part in key.split("."):
        value = value[part]
    return value


def replaced_by(key: str, content: Mapping[str, Any]) -> str:
    """The setting that is used instead of `key`; empty if `key` itself is used."""
    other = REPLACED_BY.get(key, "")
    return other if other and value_at(content, other) is not None else ""


def limits_of(setting: Setting) -> str:
    """The unit of a setting, its allowed values, and its default."""
    default = f"default {literal(setting.default)}" if setting.default is not None else "not set by default"
    return "; ".join(filter(None, (", ".join(filter(None, (setting.unit, setting.allowed))), default)))


def _setting(setting: Setting, value: Any, source: str, *, is_used: bool) -> Iterator[str]:
    yield ""
    yield from _comment(setting.meaning)
    yield from _comment(f"{limits_of(setting)}; from {source}")
    written = f"{setting.name} = {literal(value)}".rstrip()
    yield written if is_used and value is not None else f"# {written}"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(one_line(text), WIDTH, break_long_words=False, break_on_hyphens=False):
        yield f"# {line}"


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else literal(name)
