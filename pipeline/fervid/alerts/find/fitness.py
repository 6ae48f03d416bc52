"""How suitable a video is for alerts, by channel: the time with a usable face, and the time with known motion.

Without this, "no alerts" would read like "nothing happened". Knows nothing of rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fervid.alerts.find.samples import CAMERA_MOVES, ROWS_AT_A_TIME, FrameTimes, read_frame_motion
from fervid.interpret.build import FrameIntervals, FrameTiming, frame_intervals
from fervid.run.handle import Run
from fervid.run.schema import ABSTAIN_REASONS
from fervid.run.tables import open_table
from fervid.run.usable import UNSURE, usable_faces

FIT_SHARE, LIMITED_SHARE = 0.5, 0.1
"""Least shares of the observed time with a usable face for `fit` and for `limited`."""

LEAST_USABLE_SECONDS = 2.0
"""Least total time with a usable face: below it, a lasting expression cannot be distinguished from a moment."""

Verdict = Literal["fit", "limited", "not_fit"]
SHORT: dict[Verdict, str] = {"fit": "fit", "limited": "fit in part", "not_fit": "not fit"}
"""The verdicts in words, from the best."""
LEAST_SAID = 0.01
"""A smaller share of the time is not worth a word."""

REASONS = {
    "low_quality": "small or flat",
    "too_small": "too small",
    "blurred": "blurred",
    "dark": "too dark",
    "bright": "too bright",
    "turned": "turned away",
    "tilted": "tilted",
    "static": "never moving, as on a poster",
    UNSURE: "between two expressions",
}


@dataclass(frozen=True, slots=True)
class StaticBox:
    """A place where a face did not move or change for minutes, so that it is treated as a poster or photo."""

    track_id: int
    start_s: float
    end_s: float
    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class MotionFitness:
    """How far the motion of a video can be judged. Shares are of the observed time."""

    verdict: Verdict
    known_share: float
    """Share with a value of `agitation`."""
    moving_camera_share: float
    """Share in which the camera pans, turns, zooms or shakes; then nothing is said of the motion before it."""

    def text(self) -> str:
        """The verdict in words."""
        said = SHORT[self.verdict]
        if self.moving_camera_share >= LEAST_SAID:
            return f"{said} (the camera moves in {self.moving_camera_share:.0%} of the time)"
        return said if self.verdict == "fit" else f"{said} (known in {self.known_share:.0%} of the time)"

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the words."""
        return {name: getattr(self, name) for name in self.__slots__} | {"text": self.text()}


@dataclass(frozen=True, slots=True)
class Fitness:
    """Visibility of faces in a video. Shares are of time; None if undefined."""

    verdict: Verdict
    """Of faces alone; `best` is that of the better channel."""
    observed_seconds: float
    face_seconds: float
    """One second with two faces counts twice."""
    seen_share: float
    """Share of the observed time with a face, usable or not."""
    usable_share: float
    abstained_share: float | None
    """Share of the face time in which no label is given, whatever the reason."""
    abstained_by_reason: dict[str, float]
    median_face_px: float | None
    static_boxes: tuple[StaticBox, ...]
    motion: MotionFitness | None = None
    """None where the run did not measure motion."""

    @property
    def best(self) -> Verdict:
        """The verdict of the channel that can be judged best."""
        return min((self.verdict, *((self.motion.verdict,) if self.motion else ())), key=list(SHORT).index)

    @property
    def is_by_motion_alone(self) -> bool:
        """Whether rules for motion can be judged, fully or in part, and rules for faces cannot."""
        return self.verdict == "not_fit" != self.best

    def short(self) -> str:
        """The verdict of each channel in a few words."""
        if self.median_face_px is None:
            detail = "none found"
        elif 0 < self._usable_seconds < LEAST_USABLE_SECONDS:
            detail = f"usable for only {self._usable_seconds:.1f} s"
        elif self.verdict == "not_fit":
            detail = f"median {self.median_face_px:.0f} px"
        else:
            detail = f"usable in {self.usable_share:.0%} of the time"
        return f"faces: {SHORT[self.verdict]} ({detail})" + (f"; motion: {self.motion.text()}" if self.motion else "")

    def text(self) -> str:
        """The verdict as a sentence; of each channel where motion was measured."""
        detail = self._detail()
        if self.motion is not None:
            return f"faces: {SHORT[self.verdict]} ({detail}); motion: {self.motion.text()}"
        judgement = {"fit": "fit for alerts", "limited": "fit for alerts in part", "not_fit": "not fit for alerts"}
        return f"{detail}: {judgement[self.verdict]}"

    @property
    def _usable_seconds(self) -> float:
        return self.usable_share * self.observed_seconds

    def _detail(self) -> str:
        """What the verdict on faces rests on."""
        if self.median_face_px is None:
            return f"no face found in {self.observed_seconds:.0f} s"
        text = f"faces usable in {self.usable_share:.0%} of the time, median size {self.median_face_px:.0f} px"
        if 0 < self._usable_seconds < LEAST_USABLE_SECONDS:
            text += f", only {self._usable_seconds:.1f} s in all"
        # Rules also evaluate faces between two expressions.
        unused = {reason: share for reason, share in self.abstained_by_reason.items() if reason != UNSURE}
        if unused:
            main = max(unused, key=lambda reason: unused[reason])
            text += f", {sum(unused.values()):.0%} of the face time not used (mostly {REASONS.get(main, main)})"
        if UNSURE in self.abstained_by_reason:
            text += f", {self.abstained_by_reason[UNSURE]:.0%} {REASONS[UNSURE]}"
        return text

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the sentence."""
        return {
            "verdict": self.verdict,
            "best": self.best,
            "text": self.text(),
            "short": self.short(),
            "motion": None if self.motion is None else self.motion.to_json(),
            "observed_seconds": self.observed_seconds,
            "face_seconds": self.face_seconds,
            "seen_share": self.seen_share,
            "usable_share": self.usable_share,
            "abstained_share": self.abstained_share,
            "abstained_by_reason": self.abstained_by_reason,
            "median_face_px": self.median_face_px,
            "static_boxes": [
                {"track_id": box.track_id, "start_s": box.start_s, "end_s": box.end_s}
                | {"x": box.x, "y": box.y, "w": box.w, "h": box.h}
                for box in self.static_boxes
            ],
        }


def intervals_of_frames(run: Run, frames: FrameTimes) -> FrameIntervals:
    """From when to when each analysed frame (F) stands for what is seen, as in the tables of bins and tracks."""
    settings = run.manifest.settings
    duration = float(run.manifest.video["duration_seconds"])
    start = min(float(settings["video"]["start_seconds"]), duration)
    end = min(duration, settings["video"]["end_seconds"] or duration)
    hold = float(settings["timeline"]["max_hold_seconds"])
    timing = FrameTiming.of(run.manifest.video, settings["video"])
    return frame_intervals(frames.seconds, start=start, end=end, max_hold_seconds=hold, timing=timing)


def seconds_of_frames(run: Run, frames: FrameTimes) -> np.ndarray:
    """Seconds that each analysed frame covers, float64 (F,)."""
    return intervals_of_frames(run, frames).seconds


def judge_fitness(run: Run, frames: FrameTimes) -> Fitness:
    """The suitability of a run for alerts, from its tables."""
    seconds = seconds_of_frames(run, frames)
    is_seen, is_usable = np.zeros(len(seconds), bool), np.zeros(len(seconds), bool)
    by_reason = dict.fromkeys(ABSTAIN_REASONS, 0.0)
    sizes = []
    face_seconds = 0.0
    file = open_table(run.folder, run.manifest.settings_hash, "faces")
    for batch in file.iter_batches(batch_size=ROWS_AT_A_TIME, columns=["frame", "w", "h", "abstain"]):
        row = np.searchsorted(frames.numbers, batch["frame"].to_numpy())
        reason = batch["abstain"].cast(pa.string())
        usable = usable_faces(reason)
        is_seen[row] = True
        is_usable[row[usable]] = True
        face_seconds += float(seconds[row].sum())
        for name in pc.unique(reason).to_pylist():
            if name is not None:
                is_it = pc.fill_null(pc.equal(reason, name), False).to_numpy(zero_copy_only=False)
                by_reason[name] = by_reason.get(name, 0.0) + float(seconds[row[is_it]].sum())
        sizes.append(np.minimum(batch["w"].to_numpy(), batch["h"].to_numpy()))
    observed = float(seconds.sum())
    usable_share = float(seconds[is_usable].sum()) / observed if observed else 0.0
    seen_share = float(seconds[is_seen].sum()) / observed if observed else 0.0
    n_faces = sum(map(len, sizes))
    return Fitness(
        verdict=_verdict(observed, seen_share, usable_share),
        observed_seconds=observed,
        face_seconds=face_seconds,
        seen_share=seen_share,
        usable_share=usable_share,
        abstained_share=sum(by_reason.values()) / face_seconds if face_seconds else None,
        abstained_by_reason={
            name: value / face_seconds for name, value in by_reason.items() if value > 0 and face_seconds
        },
        median_face_px=float(np.median(np.concatenate(sizes))) if n_faces else None,
        static_boxes=_static_boxes(file) if "static" in by_reason and by_reason["static"] > 0 else (),
        motion=_judge_motion(run, seconds),
    )


def _judge_motion(run: Run, seconds: np.ndarray) -> MotionFitness | None:
    """The motion of frames that last so many `seconds` (F,); None where the run did not measure it."""
    found = read_frame_motion(run, ("agitation", CAMERA_MOVES))
    if "agitation" not in found:
        return None
    observed = max(float(seconds.sum()), 1e-9)
    known = float(seconds[~np.isnan(found["agitation"])].sum()) / observed
    moving = float(seconds[found[CAMERA_MOVES] == 1].sum()) / observed
    verdict: Verdict = "fit" if known >= FIT_SHARE else "limited" if known >= LIMITED_SHARE else "not_fit"
    return MotionFitness(verdict, known, moving)


def _verdict(observed_seconds: float, seen_share: float, usable_share: float) -> Verdict:
    """The verdict from shares of time. Some cameras rarely see people: then the quality of those faces counts."""
    if usable_share * observed_seconds < LEAST_USABLE_SECONDS:
        return "not_fit"
    if usable_share >= FIT_SHARE:
        return "fit"
    return "limited" if usable_share >= LIMITED_SHARE or usable_share >= FIT_SHARE * seen_share else "not_fit"


def _static_boxes(file: Any) -> tuple[StaticBox, ...]:
    columns = ["track_id", "time_s", "x", "y", "w", "h", "abstain"]
    batches = file.iter_batches(batch_size=ROWS_AT_A_TIME, columns=columns)
    found = [batch.filter(pc.equal(batch["abstain"].cast(pa.string()), "static")) for batch in batches]
    table = pa.Table.from_batches(found)
    ids, times = table["track_id"].to_numpy(), table["time_s"].to_numpy()
    sides = np.stack([table[name].to_numpy() for name in ("x", "y", "w", "h")], axis=1)
    boxes = []
    for track_id in np.unique(ids).tolist():
        own = ids == track_id
        x, y, w, h = np.median(sides[own], axis=0).tolist()
        boxes.append(StaticBox(track_id, float(times[own][0]), float(times[own][-1]), x, y, w, h))
    return tuple(boxes)
