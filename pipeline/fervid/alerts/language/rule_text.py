"""Writes rules as TOML for `load_rules`. Knows nothing of files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fervid.alerts.language.rules import Rule, Zone
from fervid.base.clock import clock

_TIMES = {
    *("for", "strong_for", "keep_firing_for", "merge_gap", "cooldown"),
    *("pre_roll", "post_roll", "max_gap", "zone_inertia"),
}


def rules_text(rules: Sequence[Rule], zones: Sequence[Zone], *, comment: str = "") -> str:
    """Rules and zones as TOML; keys with their default value are omitted."""
    lines = [f"# {line}" for line in comment.splitlines()]
    for zone in zones:
        lines += ["", "[[zone]]", f"name = {json.dumps(zone.name)}"]
        lines.append(f"polygon = {json.dumps([list(corner) for corner in zone.polygon])}")
    for rule in rules:
        lines += ["", "[[rule]]"]
        for key, value in rule.model_dump(by_alias=True, exclude_defaults=True).items():
            lines.append(f"{key} = {_value(key, value)}")
    return "\n".join(lines).lstrip("\n") + "\n"


def _value(key: str, value: Any) -> str:
    if key == "hours":
        return json.dumps([f"{_of_day(begin)}-{_of_day(end)}" for begin, end in value])
    if key in _TIMES:
        return json.dumps(f"{value:g}s")
    if isinstance(value, tuple):
        return json.dumps(list(value))
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:.6g}"


def _of_day(seconds: float) -> str:
    return clock(60 * round(seconds / 60), decimals=0).removesuffix(":00")
