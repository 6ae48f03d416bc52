"""What a manifest looks like, checked before anything takes a value from it. Knows no file.

A run folder may be damaged, or foreign; after this check a manifest has no value of
another type, no number that is not finite, and no name that leads out of the folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]

LONGEST_SECONDS = 1e10
"""Of a video: three hundred years, far beyond any time-lapse."""
MOST_PIXELS = 1_000_000
"""Largest side of a frame; no codec exceeds it."""
DEEPEST = 12
LONGEST_SHOWN = 40


def fault_of(content: Mapping[str, Any]) -> str:
    """What is wrong with the content of a manifest, in a few words; empty when nothing is."""
    if _is_too_deep(content, DEEPEST):
        return "it is nested too deep"
    for name in REQUIRED:
        if name not in content:
            return f"{name} is missing"
    return next((f"{name} is {_short(value)}" for name, value, check in _checked(content) if not check(value)), "")


def _checked(content: Mapping[str, Any]) -> list[tuple[str, Any, Check]]:
    """Each value with its check; parts of an object are listed after the object itself."""
    rows: list[tuple[str, Any, Check]] = []
    for name, section, key, check in _SPLIT:
        if section not in content:
            continue
        if not key:
            rows.append((name, content[section], check))
        elif isinstance(content[section], dict) and (key in content[section] or name in REQUIRED_PARTS):
            rows.append((name, content[section].get(key), check))
    return rows


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_seconds(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= LONGEST_SECONDS


def _is_moment(value: Any) -> bool:
    return _is_number(value) and abs(value) <= LONGEST_SECONDS


def _is_side(value: Any) -> bool:
    return _is_count(value) and 0 < value <= MOST_PIXELS


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _are_hashes(value: Any) -> bool:
    return _is_object(value) and all(_is_plain_name(name) and _is_text(one) for name, one in value.items())


def _is_plain_name(name: str) -> bool:
    """Whether a name stays within the folder that it is looked up in."""
    return "\0" not in name and not {"", ".", ".."} & set(name.replace("\\", "/").split("/"))


def _maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _all(check: Check) -> Check:
    return lambda value: isinstance(value, list | tuple) and all(map(check, value))


def _values(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _are_labels(value: Any) -> bool:
    return _all(_is_text)(value) and 0 < len(value) == len(set(value))


def _has_value(value: Any) -> bool:
    return isinstance(value, dict) and _is_number(value.get("value"))


CHECKS: dict[str, Check] = {
    "video_id": _is_text,
    "video_path": lambda value: _is_text(value) and bool(value),
    "video_bytes": _is_count,
    "video": _is_object,
    "video.duration_seconds": _is_seconds,
    "video.width_px": _is_side,
    "video.height_px": _is_side,
    "video.average_frame_rate": _maybe(lambda value: _is_number(value) and value >= 0),
    "video.codec": _maybe(_is_text),
    "video.container": _maybe(_is_text),
    "start_time_s": _is_moment,
    "status": _is_text,
    "settings": _values(_is_object),
    "settings_hash": _is_text,
    "observe_key": _is_text,
    "model": _is_object,
    "model.name": _is_text,
    "model.labels": _are_labels,
    "runner": _is_text,
    "ledger": _values(_is_number),
    "unconfirmed_faces": _is_count,
    "warnings": _all(_is_text),
    "started_utc": _is_text,
    "finished_utc": _is_text,
    "elapsed_seconds": _is_number,
    "stage_seconds": _values(_is_number),
    "segments_reused": _is_count,
    "outputs": _are_hashes,
    "output_bytes": _values(_is_count),
    "observations": _are_hashes,
    "results": _is_object,
    "results.faces": _maybe(_is_count),
    "results.tracks": _maybe(_is_count),
    "results.coverage": _maybe(_is_number),
    "results.shares": _maybe(_values(_is_number)),
    "results.dominant": _maybe(_is_text),
    "results.peak_anger": _maybe(_has_value),
    "results.motion": _maybe(_is_object),
    "superseded_by": _is_text,
    "versions": _values(_is_text),
}
_SPLIT = [(name, *name.partition(".")[::2], check) for name, check in CHECKS.items()]
REQUIRED_PARTS = frozenset(("video.duration_seconds", "model.name", "model.labels"))
REQUIRED = (
    *("video_id", "video_path", "video", "start_time_s", "status", "settings", "settings_hash", "model", "runner"),
    *("ledger", "warnings", "finished_utc", "outputs"),
)
KNOWN = frozenset(name for name in CHECKS if "." not in name) | {"schema_version"}


def _is_too_deep(content: Mapping[str, Any], most: int) -> bool:
    """Whether a value lies at level `most`, with the content itself at level 0."""
    level: list[Any] = [content]
    for _ in range(most - 1):
        inner = (one for outer in level for one in (outer.values() if isinstance(outer, Mapping) else outer))
        level = [one for one in inner if isinstance(one, dict | list)]
    return any(level)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
