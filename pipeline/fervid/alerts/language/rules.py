"""Alert rules as in TOML files: the score, when an event starts and ends, where and at which hours.

Knows nothing of tables: `bind` turns a rule's expressions into trees once the labels of a model are known.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from fervid.alerts.language.expression import UnknownName, names_in, parse
from fervid.alerts.language.syntax import Node
from fervid.base import assets
from fervid.base.toml import parse_toml, read_settings_file
from fervid.config import parse_time
from fervid.emotion.model import load_model_info
from fervid.errors import ConfigError

FACE_NAMES = {
    "margin": "distance between the two largest probabilities that decide the label",
    "confidence": "the largest probability that decides the label",
    "quality": "size and contrast together, 0..1",
    "sharpness": "0 (blurred) to 1",
    "light": "mean level of the face, 0 (black) to 1 (white)",
    "roll_degrees": "roll of the head towards a shoulder, absolute value",
    "yaw_degrees": "approximate yaw of the head, absolute value",
    "pitch_degrees": "approximate pitch of the head; below 0 is down",
    "face_px": "the shorter side of the box, in pixels",
    "face_share": "height of the box as a share of the frame height",
    "det_score": "the detector's confidence, 0..1",
    "track_seconds": "how long the face has been tracked so far",
    "track_faces": "how often it was seen so far",
}
"""What an expression may use of a face, beside the model's labels (smoothed) and those with a prefix (KINDS)."""

WITHOUT_SIGN = ("roll_degrees", "yaw_degrees")

KINDS = ("raw", "relative", "readout")
"""Prefixes of a label: unsmoothed; relative to the usual expression of the face if the run measured it; read out over
time if the run did so, otherwise the same as relative."""

MOTION_NAMES = {
    "agitation": "how agitated the motion of the image is, 0..1",
    "agitation_usual": "share of the run's time that was less agitated, 0..1",
    "agitation_usual_camera": "the same over the runs of the camera beside it",
    "speed": "mean speed of the image (of the rule's zones) without the camera's, in longer sides per second",
    "motion": "mean change of level over 0.2 s, 0..1",
}
"""What an expression may use of the motion of the image."""

FRAME_NAMES = {"n_faces": "usable faces in the frame"} | MOTION_NAMES
"""What every expression may use of the whole frame; that of a group rule also functions over its faces."""

BY_ZONE = ("agitation", "agitation_usual", "agitation_usual_camera", "speed")
"""Names that a rule with zones takes of its zones only, for which it needs `GRID_NAME`."""

GRID_NAME, CAMERA_USUAL = "speed_grid", "agitation_usual_camera"
USUAL_NAMES = ("agitation_usual", CAMERA_USUAL)

PRESET, MOTION_PRESET, TEMPLATE = "anger", "cctv", "template"
SECONDS_OF_A_DAY = 86_400.0


def _seconds(value: Any) -> Any:
    return parse_time(value) if isinstance(value, str) else value


def _hours(value: Any) -> Any:
    """ "22:00-06:00" to seconds of the day."""
    match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected a span of the day such as "22:00-06:00"')
    h0, m0, h1, m1 = (int(part) for part in match.groups())
    begin, end = h0 * 3600.0 + m0 * 60.0, h1 * 3600.0 + m1 * 60.0
    if m0 > 59 or m1 > 59 or max(begin, end) > SECONDS_OF_A_DAY or begin == end:
        raise ValueError('expected two different times of day, as in "22:00-06:00"')
    return begin, end


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=86_400, allow_inf_nan=False)]
Hours = Annotated[tuple[float, float], BeforeValidator(_hours)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class Zone(_Part):
    """A named area of the frame: corners relative to its width and height, from the top left."""

    name: Name
    polygon: tuple[tuple[float, float], ...] = Field(min_length=3, max_length=100)

    @field_validator("polygon")
    @classmethod
    def _lies_in_the_picture(cls, polygon: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if any(not 0 <= value <= 1 for corner in polygon for value in corner):
            raise ValueError("corners are relative to width and height, 0..1")
        return polygon


# Decision ALE-1.
class Rule(_Part):
    """One rule. Durations are seconds, or text such as "1.5s" and "00:01:00"."""

    name: Name
    wording: str = Field(max_length=100, description='what an event shows, such as "anger-like expression"')
    tier: Literal["alert", "notice"] = "alert"
    severity: Literal["low", "medium", "high"] = "medium"
    over: Literal["face", "group"] = "face"
    score: str = Field(description="a number for each face (or each frame, over = group) that enter and exit bound")
    enter: float = Field(description="an event starts when the score is at or above this")
    exit_: float | None = Field(
        default=None, alias="exit", description="and continues while it is at or above this; default: enter"
    )
    where: str | None = Field(default=None, description="a condition that must also be true")
    for_: Seconds = Field(default=1.0, alias="for", description="the score must stay at or above enter this long")
    strong: float | None = Field(default=None, description="at or above this it need last only strong_for")
    strong_for: Seconds = Field(default=0.0, description="how long the score must stay at or above strong, if set")
    keep_firing_for: Seconds = Field(default=1.0, description="an event continues across dips up to this length")
    merge_gap: Seconds = Field(default=3.0, description="events closer than this become one alert")
    cooldown: Seconds = Field(default=0.0, description="no new alert for this long after an alert")
    pre_roll: Seconds = Field(default=5.0, description="evidence starts this long before the event")
    post_roll: Seconds = Field(default=5.0, description="evidence ends this long after the event")
    max_gap: Seconds = Field(default=1.0, description="an event ends when its face is not seen for longer")
    zones: tuple[Name, ...] = Field(default=(), description="only faces in one of these; default: everywhere")
    exclude_zones: tuple[Name, ...] = Field(default=(), description="ignore faces in one of these")
    zone_inertia: Seconds = Field(default=0.5, description="a face counts as inside after this long inside")
    hours: tuple[Hours, ...] = Field(default=(), description="only at these hours; needs the recording time")
    yields_to: tuple[Name, ...] = Field(default=(), description="suppressed by overlapping alerts of these rules")

    @model_validator(mode="after")
    def _thresholds_are_in_order(self) -> Rule:
        if self.exit_ is not None and self.exit_ > self.enter:
            raise ValueError(f"exit ({self.exit_:g}) is above enter ({self.enter:g})")
        if self.strong is not None and self.strong < self.enter:
            raise ValueError(f"strong ({self.strong:g}) is below enter ({self.enter:g})")
        return self

    @property
    def leave(self) -> float:
        """The score below which an event ends."""
        return self.enter if self.exit_ is None else self.exit_

    def at(self, enter: float) -> Rule:
        """This rule at another threshold; `exit` keeps its proportion to `enter`, and `strong` is never below it."""
        share = self.leave / self.enter if self.enter else 1.0
        strong = None if self.strong is None else max(self.strong, enter)
        return self.model_copy(update={"enter": enter, "exit_": min(enter, round(enter * share, 4)), "strong": strong})

    def joins_within(self, max_gap: float) -> float:
        """Events this close are one alert: at least the gap that one event bridges."""
        return max(self.merge_gap, self.keep_firing_for, max_gap)


class RuleFile(_Part):
    """The content of a file of rules."""

    rule: tuple[Rule, ...] = Field(min_length=1, max_length=100)
    zone: tuple[Zone, ...] = ()

    @model_validator(mode="after")
    def _names_fit(self) -> RuleFile:
        for kind, names in (("rule", [r.name for r in self.rule]), ("zone", [z.name for z in self.zone])):
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{kind} {min(twice)!r} is defined twice")
        known = {zone.name for zone in self.zone}
        others = {rule.name for rule in self.rule}
        for rule in self.rule:
            for name in rule.yields_to:
                if name not in others - {rule.name}:
                    raise ValueError(f"rule {rule.name!r} yields to {name!r}, which is not another rule in this file")
            for name in (*rule.zones, *rule.exclude_zones):
                if name not in known:
                    listed = ", ".join(sorted(known)) or "none"
                    raise ValueError(f"rule {rule.name!r} uses zone {name!r}, which is not defined (zones: {listed})")
        return self


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules and zones with their source; `sha256` is of the file's bytes."""

    source: str
    rules: tuple[Rule, ...]
    zones: tuple[Zone, ...]
    sha256: str


def with_threshold(rules: RuleSet, name: str, enter: float) -> RuleSet:
    """The same rules, one of them at another threshold. Raises ConfigError for an unknown rule or no finite number."""
    if not math.isfinite(enter):
        raise ConfigError(f"threshold {enter!r} of rule {name!r} is not a number. Give one such as 0.4.")
    if name not in {rule.name for rule in rules.rules}:
        raise ConfigError(f"rule {name!r} does not exist (rules: {', '.join(rule.name for rule in rules.rules)}).")
    changed = tuple(rule.at(enter) if rule.name == name else rule for rule in rules.rules)
    return RuleSet(f"{rules.source}, {name} from {enter:g}", changed, rules.zones, "")


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A rule with its expressions parsed for the labels of one model."""

    rule: Rule
    score: Node
    where: Node | None

    @property
    def names(self) -> set[str]:
        """The names that its expressions use."""
        return names_in(self.score) | (names_in(self.where) if self.where is not None else set())

    @property
    def needs_grid(self) -> bool:
        """Whether it asks where the image moves."""
        return bool((self.rule.zones or self.rule.exclude_zones) and self.names & set(BY_ZONE))


def default_rules(settings: dict[str, Any]) -> RuleSet:
    """The rules for a run with these settings where none are named: with motion where it measures that."""
    return load_rules(MOTION_PRESET if settings.get("motion", {}).get("measure") else PRESET)


def rule_preset_names() -> list[str]:
    """The rule files included in fervid."""
    return sorted(path.stem for path in (assets.configs_folder() / "rules").glob("*.toml"))


def load_rules(name_or_path: str = PRESET) -> RuleSet:
    """Rules by the name of a preset or by a path. Raises ConfigError naming the rule, the key and what was expected."""
    described, sha256 = _read(name_or_path)
    return parse_rules(described, source=name_or_path, sha256=sha256)


def _read(name_or_path: str) -> tuple[dict[str, Any], str]:
    """The content of a file of rules, those of the files it includes before its own, and a hash of all of it."""
    path = Path(name_or_path)
    if name_or_path in rule_preset_names():
        path = assets.configs_folder() / "rules" / f"{name_or_path}.toml"
    elif path.suffix != ".toml" and not path.exists():
        raise ConfigError(
            f"rules {name_or_path!r} do not exist. Use {', '.join(rule_preset_names())}, or the path of a TOML file."
        )
    content = read_settings_file(path, "rule file")
    described = dict(parse_toml(content, path))
    digest = hashlib.sha256(content)
    included = described.pop("include", [])
    if not isinstance(included, list) or not all(name in rule_preset_names() for name in included):
        listed = ", ".join(rule_preset_names())
        raise ConfigError(f"{name_or_path}: include = {included!r} is not valid: expected a list of names ({listed}).")
    for name in reversed(included):
        other, its_hash = _read(name)
        digest.update(its_hash.encode())
        described = {**described, **{key: [*parts, *described.get(key, [])] for key, parts in other.items()}}
    return described, digest.hexdigest()


def parse_rules(described: dict[str, Any], *, source: str, sha256: str = "") -> RuleSet:
    """Rules from the content of a TOML file. Raises ConfigError."""
    try:
        file = RuleFile.model_validate(described)
    except ValidationError as problem:
        raise ConfigError(f"{source}: {_explain(problem, described)}") from None
    return RuleSet(source, file.rule, file.zone, sha256)


def bind(rules: RuleSet, labels: Sequence[str]) -> tuple[BoundRule, ...]:
    """The rules with their expressions parsed. Raises ConfigError for an unknown label or name."""
    names = {*labels, *(f"{kind}_{label}" for kind in KINDS for label in labels), *FACE_NAMES, *FRAME_NAMES}
    bound = []
    for rule in rules.rules:
        frame_names = set(FRAME_NAMES) if rule.over == "group" else None
        try:
            score = parse(rule.score, wanted="number", names=names, frame_names=frame_names)
            where = (
                None
                if rule.where is None
                else parse(rule.where, wanted="condition", names=names, frame_names=frame_names)
            )
        except ConfigError as problem:
            place = f"{rules.source}, rule {rule.name!r}"
            if isinstance(problem, UnknownName) and label_of(problem.name) in _usual_labels():
                raise ConfigError(
                    f"{place} uses the label {problem.name!r}, but the model has only {', '.join(labels)}. "
                    "Give rules for these labels with --rules FILE, or analyse again with a model that has it."
                ) from None
            raise ConfigError(f"{place}: {problem}") from None
        bound.append(BoundRule(rule, score, where))
    return tuple(bound)


def label_of(name: str) -> str:
    """The label in a name such as `raw_angry`; any other name as it is."""
    kind, _, label = name.partition("_")
    return label if kind in KINDS else name


def _usual_labels() -> set[str]:
    """The labels of the shipped models."""
    return {label for folder in assets.shipped_models() for label in load_model_info(folder).labels}


def _explain(problem: ValidationError, described: dict[str, Any]) -> str:
    """The first problem in one line: rule, key, value and what was expected."""
    error = problem.errors()[0]
    location = list(error["loc"])
    place = ""
    if len(location) > 1 and location[0] in ("rule", "zone") and isinstance(location[1], int):
        entry = described[location[0]][location[1]]
        name = entry.get("name", location[1] + 1) if isinstance(entry, dict) else location[1] + 1
        place, location = f"{location[0]} {name!r}: ", location[2:]
    key = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        model = Zone if place.startswith("zone") else Rule if place else RuleFile
        known = [info.alias or field for field, info in model.model_fields.items()]
        nearest = difflib.get_close_matches(str(location[-1]), known, n=1)
        return f"{place}key {key!r} does not exist. " + (
            f"Did you mean {nearest[0]!r}?" if nearest else f"Use one of {', '.join(known)}."
        )
    if error["type"] == "missing":
        return f"{place}key {key!r} is missing."
    message = error["msg"].removeprefix("Value error, ")
    if not key:
        return f"{place}{message}."
    return f"{place}{key} = {error['input']!r} is not valid: {message}."
