"""Why a rule did or did not fire at a moment, and what a change of rules adds and removes. Writes no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import pyarrow as pa

from fervid.alerts.find.finder import Finder, Judged, Samples, missing_names
from fervid.alerts.find.fitness import REASONS
from fervid.alerts.find.machine import BELOW, ENTERS, STRONG, Alert
from fervid.alerts.find.records import AlertRecord
from fervid.alerts.find.samples import (
    CAMERA_MOVES,
    read_all_samples,
    read_faces_between,
    read_frame_motion,
    read_frame_times,
)
from fervid.alerts.find.scan import WITHOUT_HOURS, WITHOUT_MOTION, make_finder, names_of, records_of, video_name
from fervid.alerts.language.expression import Faces, conditions, evaluate, evaluate_frames, names_in
from fervid.alerts.language.rules import MOTION_NAMES, USUAL_NAMES, BoundRule, Rule, RuleSet, bind
from fervid.alerts.language.syntax import Node, write
from fervid.base.clock import clock
from fervid.run.handle import Run
from fervid.run.recorded import recorded_time

LITTLE_KNOWN = ": less than half a minute of the camera's motion is known"
ELSEWHERE = "more than half of the motion is outside the zones of the rule"
NEAR_SECONDS = 1.0
"""A moment is explained by the nearest analysed frame, if it is this close (or one sample away)."""


@dataclass(frozen=True, slots=True)
class Change:
    """The results of another set of rules on the same run."""

    added: tuple[AlertRecord, ...]
    removed: tuple[AlertRecord, ...]
    changed: tuple[tuple[AlertRecord, AlertRecord], ...]
    """Overlapping alerts of the same rule whose start, end or peak differ: before and after."""
    same: int


def compare(before: Sequence[AlertRecord], after: Sequence[AlertRecord]) -> Change:
    """Match the alerts of two sets of rules, rule by rule, by overlap in time."""
    added = list(after)
    removed, changed = [], []
    same = 0
    for old in before:
        overlapping = [
            new for new in added if new.rule == old.rule and new.start_s <= old.end_s and old.start_s <= new.end_s
        ]
        if not overlapping:
            removed.append(old)
            continue
        new = overlapping[0]
        added.remove(new)
        if _essence(new) == _essence(old):
            same += 1
        else:
            changed.append((old, new))
    return Change(tuple(added), tuple(removed), tuple(changed), same)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a face (or with `track_id` None the whole frame) stands towards a rule at a moment.

    `short` has the score against the threshold, and how long it has lasted of what is required, such as
    "0.44 ≥ 0.40 for 0.6 of 2 s"; `lines` say the same in full, with every condition that is false.
    """

    track_id: int | None
    short: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a rule did at a moment, and how each face stood towards it; `problem` where that cannot be said."""

    rule: Rule
    verdict: str
    standings: tuple[Standing, ...]
    problem: str = ""


class Trial:
    """A run whose samples were read once, for rules that are tried on it again and again."""

    def __init__(self, run: Run, rules: RuleSet, *, recorded: datetime | None = None) -> None:
        self.run = run
        self.frames = read_frame_times(run)
        self.recorded = recorded or recorded_time(run.manifest.video, video_name(run))
        self.samples = read_all_samples(run, self.frames, names_of(bind(rules, run.manifest.model["labels"])))

    @cached_property
    def camera_moves(self) -> np.ndarray:
        """Of each frame (F,), whether the camera moves: then the motion of the image is unknown."""
        found = read_frame_motion(self.run, (CAMERA_MOVES,)).get(CAMERA_MOVES)
        return np.zeros(len(self.frames.seconds), bool) if found is None else found == 1

    def because(self, bound: BoundRule, frame: int) -> str:
        """Why a value of a rule may be unknown at a frame, to follow the word; empty where nothing tells."""
        if not bound.names & set(MOTION_NAMES):
            return ""
        return ": the camera moves" if self.camera_moves[frame] else ": the motion of the image was not measured"

    def tried(self, rules: RuleSet) -> Tried:
        """The rules over this run; they may differ from the first ones in anything but the names they use."""
        return Tried(self, rules)


class Tried:
    """Rules that ran over a run: their alerts, and why they did or did not fire at any moment."""

    def __init__(self, trial: Trial, rules: RuleSet) -> None:
        self.trial, self.rules = trial, rules
        self.bound = bind(rules, trial.run.manifest.model["labels"])
        self.finder = make_finder(self.bound, rules, trial.frames, trial.recorded)
        self.finder.feed(trial.samples)

    @cached_property
    def records(self) -> tuple[AlertRecord, ...]:
        """The alerts, in order of start."""
        return records_of(self.trial.run, self.bound, self.finder, self.trial.frames, self.trial.recorded)

    def answers(self, seconds: float) -> list[Answer] | str:
        """An answer per rule; in words why there is none."""
        run, frames, samples = self.trial.run, self.trial.frames, self.trial.samples
        duration = float(run.manifest.video["duration_seconds"])
        if seconds > duration:
            return f"the video ends at {clock(duration)}"
        frame = int(np.abs(frames.seconds - seconds).argmin()) if len(frames.seconds) else -1
        near = max(NEAR_SECONDS, frames.spacing_seconds)
        if frame < 0 or abs(frames.seconds[frame] - seconds) > near:
            return "no frame was analysed there"
        reasons = _reasons(run, float(frames.seconds[frame]))
        settled = self.finder.settled()
        answers = []
        for i, b in enumerate(self.bound):
            verdict = _verdict(self.bound, self.finder, settled[i], i, seconds)
            problem = WITHOUT_HOURS if b.rule.hours and self.trial.recorded is None else ""
            if missing_names(b, samples.frame_columns):
                problem = WITHOUT_MOTION
            if problem:
                answers.append(Answer(b.rule, verdict, (), problem))
                continue
            judged = self.finder.judged[i]
            because = self.trial.because(b, frame) or _without_faces(samples, frame, reasons)
            found = (
                [_of_frame(b, judged, samples, frame, because)]
                if b.rule.over == "group"
                else _of_faces(b, judged, samples, frame, reasons, because)
            )
            answers.append(Answer(b.rule, verdict, tuple(found), "" if found else "no face is tracked there"))
        return answers


def explain(run: Run, rules: RuleSet, seconds: float, *, recorded: datetime | None = None) -> str:
    """For each rule, as text, why it did or did not fire at `seconds` of the video."""
    lines = [f"{video_name(run)} at {clock(seconds)}"]
    answers = Trial(run, rules, recorded=recorded).tried(rules).answers(seconds)
    if isinstance(answers, str):
        return "\n".join([*lines, f"  {answers}"])
    for answer in answers:
        lines.append(f"  {answer.rule.name} ({answer.rule.tier}): {answer.verdict}")
        if answer.problem:
            lines.append(f"    {answer.problem}")
        for standing in answer.standings:
            first, *rest = standing.lines
            name = "" if standing.track_id is None else f"track {standing.track_id}: "
            indent = "    " if standing.track_id is None else "      "
            lines += [f"    {name}{first}", *(f"{indent}{line}" for line in rest)]
    return "\n".join(lines)


def _essence(record: AlertRecord) -> tuple[float, float, float, str]:
    return record.start_s, record.end_s, record.peak_s, record.tier


def _reasons(run: Run, seconds: float) -> dict[int, str | None]:
    """Why each track's face at a moment is not used, None where it is."""
    table = read_faces_between(run, seconds, seconds, ["track_id", "abstain"])
    return dict(zip(table["track_id"].to_pylist(), table["abstain"].cast(pa.string()).to_pylist(), strict=True))


def _word(reason: str | None) -> str:
    """Why a face is not used, in words."""
    return REASONS.get(reason or "", reason or "its label is not sure enough")


def _without_faces(samples: Samples, frame: int, reasons: Mapping[int, str | None]) -> str:
    """Why what depends on faces is unknown at a frame, to follow the word; empty where a face is used."""
    faces = np.flatnonzero(samples.frame_of_face == frame)
    if not len(faces):
        return ": no face is in view"
    if samples.is_usable[faces].any():
        return ""
    words = dict.fromkeys(_word(reasons.get(int(track))) for track in samples.track_ids[faces])
    return f": no face is used ({', '.join(words)})"


def _verdict(bound: Sequence[BoundRule], finder: Finder, alerts: Sequence[Alert], i: int, seconds: float) -> str:
    for alert in alerts:
        if alert.start <= seconds <= alert.end:
            stage = "" if seconds >= alert.raised else f", raised at {clock(alert.raised)}"
            return f"fired, {clock(alert.start)} to {clock(alert.end)}{stage}"
        for event in alert.held_back:
            if event.start <= seconds <= event.end:
                return f"held back by the cooldown of the one that ended at {clock(alert.end)}"
    for alert in finder.alerts[i]:  # before suppression
        if any(event.start <= seconds <= event.end for event in (*alert.events, *alert.held_back)):
            return f"suppressed by {' or '.join(bound[i].rule.yields_to)}"
    return "did not fire"


def _of_frame(b: BoundRule, judged: Judged, samples: Samples, frame: int, because: str) -> Standing:
    """How the whole frame stands towards a group rule."""
    score, level = float(judged.score[frame]), int(judged.level[frame])
    counts = samples.is_usable & judged.is_in_place
    faces = _pick(samples, np.flatnonzero(samples.frame_of_face == frame), counts, _of_frame_alone(judged, frame))
    lasted = _lasted(judged.level, samples.times, frame, b.rule)
    failing = _parts(b, faces, because, over_frames=True)
    lines = [_against(b, score, level, because), *failing, *_lasting(lasted, b)]
    if judged.moves_in_place is not None and not judged.moves_in_place[frame]:
        lines.append(ELSEWHERE)
    return Standing(None, _short(b, score, level, lasted, because), tuple(lines))


def _of_faces(
    b: BoundRule, judged: Judged, samples: Samples, frame: int, reasons: dict[int, str | None], because: str
) -> list[Standing]:
    """How each face of a frame stands towards a rule."""
    standings = []
    for face in np.flatnonzero(samples.frame_of_face == frame).tolist():
        track = int(samples.track_ids[face])
        if not samples.is_usable[face]:
            why = f"not used, {_word(reasons.get(track))}"
            standings.append(Standing(track, why, (why,)))
            continue
        if not judged.is_in_place[face]:
            why = "outside the zones of the rule, or not long enough inside"
            standings.append(Standing(track, why, (why,)))
            continue
        score, level = float(judged.score[face]), int(judged.level[face])
        own = np.flatnonzero(samples.track_ids == track)
        times = samples.times[samples.frame_of_face[own]]
        lasted = _lasted(judged.level[own], times, int(np.searchsorted(own, face)), b.rule)
        alone = _pick(samples, np.array([face]), samples.is_usable, _of_frame_alone(judged, frame))
        failing = _parts(b, alone, because, over_frames=False)
        lines = (_against(b, score, level, because), *failing, *_lasting(lasted, b))
        if judged.moves_in_place is not None and not judged.moves_in_place[frame]:
            lines = (*lines, ELSEWHERE)
        standings.append(Standing(track, _short(b, score, level, lasted, because), lines))
    return standings


def _short(b: BoundRule, score: float, level: int, lasted: _Lasted | None, because: str) -> str:
    """The score against `enter`, and how long it has lasted of what is required."""
    if np.isnan(score):
        return f"unknown{because}"
    text = f"{score:.2f} {'≥' if score >= b.rule.enter else '<'} {b.rule.enter:.2f}"
    if level == BELOW and score >= b.rule.leave:
        return f"{text}, but outside the conditions"
    if lasted is None:
        return text
    return f"{text} for {lasted.seconds:.1f} " + ("s" if lasted.is_enough else f"of {b.rule.for_:g} s")


def _against(b: BoundRule, score: float, level: int, because: str) -> str:
    rule = b.rule
    if np.isnan(score):
        return f"{write(b.score)} is unknown there{because}"
    if score >= rule.enter:
        place = f"at or above enter ({rule.enter:g})"
    elif score >= rule.leave:
        place = f"between exit ({rule.leave:g}) and enter ({rule.enter:g})"
    else:
        place = f"below exit ({rule.leave:g})"
    ruled_out = ", but outside the conditions" if level == BELOW and score >= rule.leave else ""
    return f"{write(b.score)} = {score:.2f}, {place}{ruled_out}"


def _parts(b: BoundRule, faces: Faces, because: str, *, over_frames: bool) -> list[str]:
    """The conditions that are false, each with its values."""
    lines = []
    for part in conditions(b.where) if b.where is not None else []:
        holds = evaluate_frames(part, faces)[-1] if over_frames else np.broadcast_to(evaluate(part, faces), 1)[0]
        if not holds:
            lines.append(f"{write(part)} is false{_values(part, faces, because, over_frames=over_frames)}")
    return lines


def _values(part: Node, faces: Faces, because: str, *, over_frames: bool) -> str:
    """The values of a part's names; in a part over frames those of the frame, not of each face."""
    columns = faces.frame_columns if over_frames else faces.columns
    known = {name: float(np.asarray(columns[name]).ravel()[0]) for name in sorted(names_in(part)) if name in columns}
    moved = columns.get("agitation")
    is_judged = moved is not None and not np.isnan(np.asarray(moved).ravel()[0])
    reasons = dict.fromkeys(MOTION_NAMES, because) | (dict.fromkeys(USUAL_NAMES, LITTLE_KNOWN) if is_judged else {})
    found = [f"{name} = {_number(value, reasons.get(name, ''))}" for name, value in known.items()]
    return f" ({', '.join(found)})" if found else ""


def _number(value: float, because: str) -> str:
    return f"unknown{because}" if np.isnan(value) else f"{value:.2f}"


def _of_frame_alone(judged: Judged, frame: int) -> dict[str, np.ndarray]:
    return {name: values[[frame]] for name, values in judged.of_frames.items()}


def _pick(samples: Samples, rows: np.ndarray, counts: np.ndarray, of_frame: Mapping[str, np.ndarray]) -> Faces:
    """Faces of one frame by themselves; `of_frame` (1,) are the values of that frame."""
    times = samples.times[samples.frame_of_face[rows]]
    columns = {name: values[rows] for name, values in samples.columns.items()}
    seen = [samples.track_ids == track for track in samples.track_ids[rows]]
    first = [samples.times[samples.frame_of_face[own]][0] for own in seen]
    columns["track_seconds"] = times - np.array(first) if len(rows) else np.zeros(0)
    upto = [
        int((own & (samples.frame_of_face <= samples.frame_of_face[row])).sum())
        for own, row in zip(seen, rows, strict=True)
    ]
    columns["track_faces"] = np.array(upto, float)
    columns |= {name: np.repeat(values, len(rows)) for name, values in of_frame.items()}
    return Faces(columns, of_frame, np.zeros(len(rows), int), counts[rows], n_frames=1)


@dataclass(frozen=True, slots=True)
class _Lasted:
    """For how many seconds a score stayed at `enter`, and whether that, or what of it was at `strong`, is enough."""

    seconds: float
    is_enough: bool


def _lasted(level: np.ndarray, times: np.ndarray, position: int, rule: Rule) -> _Lasted | None:
    """How long the score stayed at `enter` around a position; None where it is below there."""
    if level[position] < ENTERS:
        return None
    first, last = _around(level >= ENTERS, position)
    seconds = float(times[last] - times[first])
    strong = level[first : last + 1] == STRONG
    spans = [_around(strong, int(i)) for i in np.flatnonzero(strong)]
    longest = max((float(times[first + end] - times[first + begin]) for begin, end in spans), default=-1.0)
    return _Lasted(seconds, seconds >= rule.for_ or longest >= rule.strong_for)


def _around(holds: np.ndarray, position: int) -> tuple[int, int]:
    """The first and the last position of the run of true values around one."""
    breaks = np.flatnonzero(~holds)
    k = int(np.searchsorted(breaks, position))
    return int(breaks[k - 1]) + 1 if k else 0, int(breaks[k]) - 1 if k < len(breaks) else len(holds) - 1


def _lasting(lasted: _Lasted | None, b: BoundRule) -> list[str]:
    """That it did not last long enough, if so."""
    if lasted is None or lasted.is_enough:
        return []
    rule = b.rule
    strong = "" if rule.strong is None else f", or {rule.strong_for:g} s at {rule.strong:g} or above"
    return [f"it lasted {lasted.seconds:.1f} s, {rule.for_:g} s are required{strong}"]
