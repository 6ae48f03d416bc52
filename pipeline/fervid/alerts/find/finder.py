"""Runs rules over faces in order of time: a stored run in pieces, or a live view frame by frame.

`Finder.feed` takes any number of whole frames and keeps its state between calls, so the alerts do not depend on how
a video is cut into pieces. Knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fervid.alerts.find.machine import BELOW, ENTERS, HOLDS, STRONG, Alert, Event, Gathering, Hysteresis
from fervid.alerts.find.yielding import LiveSettling, settle, spans_of
from fervid.alerts.find.zone_motion import ZoneMotion, cells_within
from fervid.alerts.find.zones import is_inside
from fervid.alerts.language.expression import Faces, evaluate, evaluate_frames
from fervid.alerts.language.rules import GRID_NAME, MOTION_NAMES, SECONDS_OF_A_DAY, BoundRule, Rule, Zone

SAMPLES_WITHOUT_A_GAP = 1.5
"""Consecutive samples are never a gap, however sparsely a video was sampled."""
# Decision MOT-9.
LEAST_IN_ZONES = 0.5
"""A rule with zones uses the motion of an image of which so large a share is in them."""
WHOLE_FRAME = -1
"""The track id of a group rule's events."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Whole frames in order of time, and their faces in the order of frames.

    `times` float64 (F,) of frames; of faces (n,): `frame_of_face` (position in `times`), `track_ids`, `columns` by
    name, `is_usable` (good face quality), `centres` (n, 2) relative to the frame's width and height.
    """

    times: np.ndarray
    frame_of_face: np.ndarray
    track_ids: np.ndarray
    columns: Mapping[str, np.ndarray]
    is_usable: np.ndarray
    centres: np.ndarray
    frame_columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Of frames (F,), by name: how the image moves; `GRID_NAME` (F, cells). What was not measured is missing."""


@dataclass(slots=True)
class _Track:
    first_seen: float
    n_faces: int = 0


@dataclass(slots=True)
class _Inside:
    since: float
    last_seen: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule's evaluation of samples: score and level of each face (of each frame in a group rule), whether all but its
    score allows an event there, and whether each face is inside the rule's zones.

    `of_frames` are the values of frames as the rule sees them; `moves_in_place` (F,) says of each whether the motion
    that the rule uses lies in its zones, None if it need not.
    """

    score: np.ndarray
    level: np.ndarray
    holds: np.ndarray
    is_in_place: np.ndarray
    of_frames: Mapping[str, np.ndarray]
    moves_in_place: np.ndarray | None


@dataclass(slots=True)
class _State:
    """The state of one rule."""

    bound: BoundRule
    max_gap: float
    gathering: Gathering
    settling: LiveSettling
    machines: dict[int, Hysteresis] = field(default_factory=dict)
    raised: list[Event] = field(default_factory=list)
    """The events that the samples of the last call raised."""
    inside: dict[int, _Inside] = field(default_factory=dict)
    judged: Judged | None = None
    zone_motion: ZoneMotion | None = None

    def bridge(self, max_gap: float) -> None:
        """Bridge gaps of up to `max_gap` seconds from now on."""
        self.max_gap = max_gap
        for gathering in (self.gathering, self.settling.gathering):
            gathering.joins_within = self.bound.rule.joins_within(max_gap)
        for machine in self.machines.values():
            machine.max_gap = max_gap


class Finder:
    """Finds the alerts of bound rules in samples that arrive in order of time.

    `spacing_seconds` is the usual time between analysed frames. `clock_seconds` is the time of day at which the video
    starts, None if unknown: rules with hours then find nothing.
    """

    def __init__(
        self,
        rules: Sequence[BoundRule],
        zones: Sequence[Zone],
        *,
        spacing_seconds: float,
        clock_seconds: float | None = None,
    ) -> None:
        self._zones = {zone.name: zone for zone in zones}
        self._clock = clock_seconds
        self._tracks: dict[int, _Track] = {}
        self._n_faces = self._n_frames = 0
        self._states = []
        for bound in rules:
            max_gap = _max_gap(bound, spacing_seconds)
            limits = bound.rule.joins_within(max_gap), bound.rule.cooldown
            state = _State(bound, max_gap, Gathering(*limits), LiveSettling(Gathering(*limits)))
            if bound.needs_grid:
                polygons = [[self._zones[name].polygon for name in names] for names in _zones_of(bound)]
                state.zone_motion = ZoneMotion(cells_within(*polygons))
            self._states.append(state)

    def set_spacing(self, seconds: float) -> None:
        """The usual time between frames, as far as it is known by now: it may change while a source plays."""
        for state in self._states:
            if (max_gap := _max_gap(state.bound, seconds)) != state.max_gap:
                state.bridge(max_gap)

    @property
    def alerts(self) -> list[list[Alert]]:
        """The alerts so far, a list per rule. The newest of each may still grow."""
        return [state.gathering.alerts for state in self._states]

    def settled(self) -> list[list[Alert]]:
        """The alerts so far, a list per rule, without events suppressed by an overlapping alert of another rule
        (`yields_to`).

        Suppressed events start no cooldown. All events must be complete.
        """
        spans = {state.bound.rule.name: spans_of(state.gathering.alerts) for state in self._states}
        return [settle(state.gathering, [spans[name] for name in state.bound.rule.yields_to]) for state in self._states]

    def feed(self, samples: Samples) -> None:
        """Process the next frames."""
        order = np.argsort(samples.track_ids, kind="stable")
        columns = dict(samples.columns) | self._track_columns(samples, order)
        faces = Faces(
            columns=columns,
            frame_columns=samples.frame_columns,
            frame_of_face=samples.frame_of_face,
            counts=samples.is_usable,
            n_frames=len(samples.times),
        )
        for state in self._states:
            state.raised = self._feed_rule(state, samples, faces, order)
            for event in state.raised:
                state.gathering.add(event)
        self._n_faces += len(samples.track_ids)
        self._n_frames += len(samples.times)

    def feed_live(self, samples: Samples) -> list[tuple[BoundRule, Alert]]:
        """Process the current live frame; returns the alerts to send now, in the order of rules.

        They are those of `settled`, and those that a stronger rule's alert overlaps only later.
        """
        self.feed(samples)
        now, named = float(samples.times[-1]), {state.bound.rule.name: state for state in self._states}
        sent = []
        for state in self._states:
            if not state.raised and not state.settling.waiting:
                continue
            others = [named[name] for name in state.bound.rule.yields_to]
            machines = [machine for other in others for machine in other.machines.values()]
            alerts = state.settling.step(now, state.raised, [other.gathering for other in others], machines)
            sent += [(state.bound, alert) for alert in alerts]
        return sent

    @property
    def judged(self) -> list[Judged]:
        """Each rule's evaluation of the samples of the last call."""
        return [state.judged for state in self._states if state.judged is not None]

    def _feed_rule(self, state: _State, samples: Samples, faces: Faces, order: np.ndarray) -> list[Event]:
        judged = state.judged = self._judge(state, samples, faces, order)
        if state.bound.rule.over == "group":
            ids = np.full(len(samples.times), WHOLE_FRAME)
            times, score, level = samples.times, judged.score, judged.level
            rows = np.arange(len(times)) + self._n_frames
        else:
            ids = samples.track_ids[order]
            times, score, level = samples.times[samples.frame_of_face[order]], judged.score[order], judged.level[order]
            rows = order + self._n_faces
        firsts, lasts = runs(ids, times, level, state.max_gap)
        peaks = _peaks(score, firsts, lasts)
        found = []
        rule = state.bound.rule
        for first, last, track_id, kind, began, ended, best, best_at, best_row in zip(
            firsts.tolist(), lasts.tolist(), ids[firsts].tolist(), level[firsts].tolist(), times[firsts].tolist(),
            times[lasts].tolist(), score[peaks].tolist(), times[peaks].tolist(), rows[peaks].tolist(), strict=True,
        ):  # fmt: skip
            machine = state.machines.get(track_id)
            if kind < ENTERS and (machine is None or machine.event is None):
                continue  # without an active or pending event, only `enter` matters
            if machine is None:
                limits = rule.for_, rule.keep_firing_for, state.max_gap
                machine = Hysteresis(track_id, *limits, strong_seconds=rule.strong_for)
                state.machines[track_id] = machine
            event = machine.step(began, ended, kind, best, best_at, best_row)
            if event is not None:
                enough = np.searchsorted(times[first : last + 1], machine.due)
                event.raised = float(times[first + int(enough)])
                found.append(event)
        return sorted(found, key=lambda event: (event.raised, event.track_id))

    def _judge(self, state: _State, samples: Samples, faces: Faces, order: np.ndarray) -> Judged:
        rule, bound = state.bound.rule, state.bound
        is_in_place = self._in_place(state, samples, order)
        faces, moves_in_place = _with_frames(state, samples, faces, is_in_place)
        is_measured = not missing_names(bound, samples.frame_columns)
        if rule.over == "group":
            score = evaluate_frames(bound.score, faces).astype(np.float64)
            holds = np.full(faces.n_frames, is_measured)
            if bound.where is not None:
                holds &= evaluate_frames(bound.where, faces)
            if moves_in_place is not None:
                holds &= moves_in_place
            times = samples.times
        else:
            n = len(samples.track_ids)
            score = np.broadcast_to(evaluate(bound.score, faces), n).astype(np.float64)
            holds = samples.is_usable & is_in_place & is_measured
            if bound.where is not None:
                holds = holds & evaluate(bound.where, faces)
            if moves_in_place is not None:
                holds &= moves_in_place[samples.frame_of_face]
            times = samples.times[samples.frame_of_face]
        if rule.hours:
            holds = holds & self._within_hours(rule.hours, times)
        level = levels(score, holds, rule)
        return Judged(score, level, holds, is_in_place, faces.frame_columns, moves_in_place)

    def _within_hours(self, hours: Sequence[tuple[float, float]], times: np.ndarray) -> np.ndarray:
        if self._clock is None:
            return np.zeros(len(times), bool)
        clock = (times + self._clock) % SECONDS_OF_A_DAY
        within = np.zeros(len(times), bool)
        for begin, end in hours:
            within |= ((clock >= begin) & (clock < end)) if begin < end else ((clock >= begin) | (clock < end))
        return within

    def _in_place(self, state: _State, samples: Samples, order: np.ndarray) -> np.ndarray:
        """Whether each face is in scope: long enough in one of the rule's zones, and in none that it excludes."""
        rule = state.bound.rule
        in_place = np.ones(len(samples.track_ids), bool)
        if rule.zones:
            inside = np.zeros(len(in_place), bool)
            for name in rule.zones:
                inside |= is_inside(samples.centres, self._zones[name].polygon)
            times = samples.times[samples.frame_of_face[order]]
            in_place[order] = _inside_long_enough(
                samples.track_ids[order], times, inside[order], state.inside, rule.zone_inertia, state.max_gap
            )
        for name in rule.exclude_zones:
            in_place &= ~is_inside(samples.centres, self._zones[name].polygon)
        return in_place

    def _track_columns(self, samples: Samples, order: np.ndarray) -> dict[str, np.ndarray]:
        """How long, and how often, each face was seen so far."""
        ids, times = samples.track_ids[order], samples.times[samples.frame_of_face[order]]
        starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]])) if len(ids) else np.zeros(0, int)
        counts = np.diff(np.concatenate([starts, [len(ids)]]))
        since, before = np.zeros(len(starts)), np.zeros(len(starts), int)
        for i, (first, count) in enumerate(zip(starts.tolist(), counts.tolist(), strict=True)):
            track = self._tracks.setdefault(int(ids[first]), _Track(float(times[first])))
            since[i], before[i] = track.first_seen, track.n_faces
            track.n_faces += count
        seconds, faces = np.zeros(len(ids)), np.zeros(len(ids))
        seconds[order] = times - np.repeat(since, counts)
        faces[order] = np.arange(1, len(ids) + 1) - np.repeat(starts, counts) + np.repeat(before, counts)
        return {"track_seconds": seconds, "track_faces": faces}


def levels(score: np.ndarray, holds: np.ndarray, rule: Rule) -> np.ndarray:
    """What each score (n,) means for an event, where `holds` says whether all but the score allows one."""
    found = np.where(holds & (score >= rule.enter), ENTERS, np.where(holds & (score >= rule.leave), HOLDS, BELOW))
    return found if rule.strong is None else np.where(holds & (score >= rule.strong), STRONG, found)


def missing_names(bound: BoundRule, measured: Container[str]) -> list[str]:
    """The names of motion that a rule uses but a run did not measure: it is then not evaluated."""
    return sorted(name for name in bound.names & set(MOTION_NAMES) if name not in measured)


def _zones_of(bound: BoundRule) -> tuple[Sequence[str], Sequence[str]]:
    return bound.rule.zones, bound.rule.exclude_zones


def _with_frames(
    state: _State, samples: Samples, faces: Faces, is_in_place: np.ndarray
) -> tuple[Faces, np.ndarray | None]:
    """The faces with the values of their frames as a rule sees them, and where the motion it uses is in its zones."""
    counts = samples.is_usable & is_in_place
    of_frames = {name: np.full(faces.n_frames, np.nan) for name in state.bound.names & set(MOTION_NAMES)}
    of_frames |= {name: values for name, values in faces.frame_columns.items() if name != GRID_NAME}
    of_frames["n_faces"] = np.bincount(samples.frame_of_face[counts], minlength=faces.n_frames)
    moves_in_place = None
    if state.zone_motion is not None and (grid := faces.frame_columns.get(GRID_NAME)) is not None:
        of_frames["speed"] = state.zone_motion.speed(grid)
        moves_in_place = state.zone_motion.share(samples.times, grid) >= LEAST_IN_ZONES
    columns = {name: values[samples.frame_of_face] for name, values in of_frames.items()}
    return replace(faces, columns={**faces.columns, **columns}, frame_columns=of_frames, counts=counts), moves_in_place


def _max_gap(bound: BoundRule, spacing_seconds: float) -> float:
    """The longest gap that a rule bridges: never less than some samples, however few there are a second."""
    return max(bound.rule.max_gap, SAMPLES_WITHOUT_A_GAP * spacing_seconds)


def runs(ids: np.ndarray, times: np.ndarray, values: np.ndarray, max_gap: float) -> tuple[np.ndarray, np.ndarray]:
    """First and last position of every run of one id and one value without a gap longer than `max_gap`."""
    if not len(ids):
        return np.zeros(0, int), np.zeros(0, int)
    breaks = (ids[1:] != ids[:-1]) | (values[1:] != values[:-1]) | (times[1:] - times[:-1] > max_gap)
    firsts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    return firsts, np.concatenate([firsts[1:], [len(ids)]]) - 1


def _peaks(score: np.ndarray, firsts: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """The first position of the largest score of each run; missing scores never are the largest of several."""
    if not len(firsts):
        return np.zeros(0, int)
    clean = np.where(np.isnan(score), -np.inf, score)
    is_largest = np.flatnonzero(clean == np.repeat(np.maximum.reduceat(clean, firsts), lasts - firsts + 1))
    return np.asarray(is_largest[np.searchsorted(is_largest, firsts)])


def _inside_long_enough(
    ids: np.ndarray, times: np.ndarray, inside: np.ndarray, state: dict[int, _Inside], inertia: float, max_gap: float
) -> np.ndarray:
    """Which samples, sorted by track, have been inside for `inertia` seconds; `state` carries over between calls."""
    enough = np.zeros(len(ids), bool)
    firsts, lasts = runs(ids, times, inside, max_gap)
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        track_id, since = int(ids[first]), float(times[first])
        before = state.get(track_id)
        if not inside[first]:
            state.pop(track_id, None)
            continue
        if before is not None and since - before.last_seen <= max_gap:
            since = before.since
        state[track_id] = _Inside(since, float(times[last]))
        enough[first : last + 1] = times[first : last + 1] >= since + inertia
    return enough
