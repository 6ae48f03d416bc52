"""Why a rule did or did not fire at a moment, and what a change of rules adds and removes. Writes no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from fervid.alerts.find.finder import Finder, Samples
from fervid.alerts.find.machine import BELOW, ENTERS, Alert
from fervid.alerts.find.records import AlertRecord
from fervid.alerts.find.samples import read_faces_between, read_frame_times, read_samples
from fervid.alerts.find.scan import make_finder, names_of, video_name
from fervid.alerts.language.expression import Faces, conditions, evaluate, evaluate_frames, names_in
from fervid.alerts.language.rules import BoundRule, RuleSet, bind
from fervid.alerts.language.syntax import Node, write
from fervid.base.clock import clock
from fervid.run.handle import Run
from fervid.run.recorded import recorded_time

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


def explain(run: Run, rules: RuleSet, seconds: float, *, recorded: datetime | None = None) -> str:
    """For each rule, as text, why it did or did not fire at `seconds` of the video."""
    bound = bind(rules, run.manifest.model["labels"])
    recorded = recorded or recorded_time(run.manifest.video, video_name(run))
    frames = read_frame_times(run)
    lines = [f"{video_name(run)} at {clock(seconds)}"]
    duration = float(run.manifest.video["duration_seconds"])
    if seconds > duration:
        return "\n".join([*lines, f"  the video ends at {clock(duration)}"])
    finder = make_finder(bound, rules, frames, recorded)
    everything = max(1, run.faces.num_rows + 1)
    pieces = list(read_samples(run, frames, names_of(bound), rows_at_a_time=everything))
    frame = int(np.abs(frames.seconds - seconds).argmin()) if len(frames.seconds) else -1
    near = max(NEAR_SECONDS, frames.spacing_seconds)
    if frame < 0 or abs(frames.seconds[frame] - seconds) > near:
        return "\n".join([*lines, "  no frame was analysed there"])
    samples = pieces[0]
    assert len(pieces) == 1, "one piece of all rows"
    finder.feed(samples)
    reasons = _reasons(run, float(frames.seconds[frame]))
    settled = finder.settled()
    for i, b in enumerate(bound):
        lines.append(f"  {b.rule.name} ({b.rule.tier}): {_verdict(bound, finder, settled[i], i, seconds)}")
        lines += [f"    {line}" for line in _why(b, i, finder, samples, frame, reasons, recorded is not None)]
    return "\n".join(lines)


def _essence(record: AlertRecord) -> tuple[float, float, float, str]:
    return record.start_s, record.end_s, record.peak_s, record.tier


def _reasons(run: Run, seconds: float) -> dict[int, str | None]:
    """Why each track's face at a moment is not used, None where it is."""
    table = read_faces_between(run, seconds, seconds, ["track_id", "abstain"])
    return dict(zip(table["track_id"].to_pylist(), table["abstain"].cast(pa.string()).to_pylist(), strict=True))


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


def _why(
    b: BoundRule,
    i: int,
    finder: Finder,
    samples: Samples,
    frame: int,
    reasons: dict[int, str | None],
    has_clock: bool,
) -> list[str]:
    rule, judged = b.rule, finder.judged[i]
    if rule.hours and not has_clock:
        return ["it depends on the time of day; recording time unknown, pass --start-time"]
    here = np.flatnonzero(samples.frame_of_face == frame)
    if rule.over == "group":
        score, level = judged.score[frame], judged.level[frame]
        lines = [_against(b, float(score), int(level))]
        counts = samples.is_usable & judged.is_in_place
        faces = _pick(samples, np.flatnonzero(samples.frame_of_face == frame), counts)
        lines += _parts(b, faces, over_frames=True)
        return [*lines, *_lasting(judged.level, samples.times, frame, b)]
    if not len(here):
        return ["no face is tracked there"]
    lines = []
    for face in here.tolist():
        track = int(samples.track_ids[face])
        name = f"track {track}: "
        if not samples.is_usable[face]:
            lines.append(f"{name}not used, {reasons.get(track) or 'abstained'}")
        elif not judged.is_in_place[face]:
            lines.append(f"{name}outside the zones of the rule, or not long enough inside")
        else:
            lines.append(name + _against(b, float(judged.score[face]), int(judged.level[face])))
            failing = _parts(b, _pick(samples, np.array([face]), samples.is_usable), over_frames=False)
            lines += [f"  {part}" for part in failing]
            own = np.flatnonzero(samples.track_ids == track)
            position = int(np.searchsorted(own, face))
            times = samples.times[samples.frame_of_face[own]]
            lines += [f"  {line}" for line in _lasting(judged.level[own], times, position, b)]
    return lines


def _against(b: BoundRule, score: float, level: int) -> str:
    rule = b.rule
    if score >= rule.enter:
        place = f"at or above enter ({rule.enter:g})"
    elif score >= rule.leave:
        place = f"between exit ({rule.leave:g}) and enter ({rule.enter:g})"
    else:
        place = f"below exit ({rule.leave:g})"
    ruled_out = ", but outside the conditions" if level == BELOW and score >= rule.leave else ""
    return f"{write(b.score)} = {score:.2f}, {place}{ruled_out}"


def _parts(b: BoundRule, faces: Faces, *, over_frames: bool) -> list[str]:
    """The conditions that are false, each with its values."""
    lines = []
    for part in conditions(b.where) if b.where is not None else []:
        holds = evaluate_frames(part, faces)[-1] if over_frames else np.broadcast_to(evaluate(part, faces), 1)[0]
        if not holds:
            lines.append(f"{write(part)} is false{_values(part, faces) if not over_frames else ''}")
    return lines


def _values(part: Node, faces: Faces) -> str:
    found = [f"{name} = {float(np.asarray(faces.columns[name]).ravel()[0]):.2f}" for name in sorted(names_in(part))]
    return f" ({', '.join(found)})"


def _pick(samples: Samples, rows: np.ndarray, counts: np.ndarray) -> Faces:
    """The faces of one frame by themselves."""
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
    return Faces(
        columns, {"n_faces": np.array([counts[rows].sum()])}, np.zeros(len(rows), int), counts[rows], n_frames=1
    )


def _lasting(level: np.ndarray, times: np.ndarray, position: int, b: BoundRule) -> list[str]:
    """How long the score stayed at `enter` around a position, if that was too short."""
    if level[position] != ENTERS:
        return []
    first = last = position
    while first > 0 and level[first - 1] == ENTERS:
        first -= 1
    while last + 1 < len(level) and level[last + 1] == ENTERS:
        last += 1
    lasted = float(times[last] - times[first])
    if lasted >= b.rule.for_:
        return []
    return [f"it lasted {lasted:.1f} s, {b.rule.for_:g} s are required"]
