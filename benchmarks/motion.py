"""What the agitation of motion is worth: ranking of clips, moving cameras, false notices, scenes, and its cost.

    python benchmarks/motion.py VIDEOS [--write configs/motion/surveillance.json] [--cost VIDEO]

VIDEOS/fights holds clips of surveillance cameras with labels.csv (file,label,camera), VIDEOS/cctv, faces and trailers
normal footage. Every clip is judged by a model that never saw its recording; the penalty of that model is chosen within
the other recordings. Intervals draw recordings with replacement.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from fervid.alerts.language.rules import load_rules
from fervid.alerts.measure.agitation_fit import Fitted, Labelled, fit_agitation
from fervid.base.opencv import cv2
from fervid.detect.motion import shrunk
from fervid.interpret.agitation import LEAST_ROWS, MotionJudge, moves_with_camera
from fervid.interpret.agitation_model import AgitationModel, load_agitation_model, window_features
from fervid.observe.flow import FlowWatch
from fervid.stats.intervals import poisson_interval
from fervid.stats.metrics import wilson_interval
from fervid.video.luma import luma
from fervid.video.sampling import sampling_slot
from process_tree import cost_of

ROOT = Path(__file__).resolve().parents[1]
START = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"
FPS, DENSE_FPS, WINDOW_SECONDS = 5.0, 10.0, 2.0
SEARCHED_PX = 640
"""Longer side to which frames are shrunk first, as for the face search."""
FIGHTS = "cctv/shop_fight_indoor.avi", "cctv/fi"
NORMAL = ("cctv", "faces", "trailers")
STILLS = ("cctv/one-by-one-person-detection.mp4", "cctv/traffic_camera_vfr.mp4", "faces/family_dinner.mp4")
OTHERS = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Other limits to enter at, tried with a shorter duration."""
STILL_SECONDS, SCENE_SECONDS, LOOPS = 20, 60.0, 3
SHOWN = {"fight": True, "none": False}

Rows = list[tuple[float, np.ndarray]]
"""Times and flow statistics of the analysed frames of a video."""


@dataclass(frozen=True)
class Clip:
    """A labelled clip: the rows of its frames at 5 per second, from its first frame and from a tenth later on."""

    name: str
    is_fight: bool
    recording: int
    phases: tuple[Rows, Rows]


def grays(path: Path, fps: float) -> Iterator[tuple[float, np.ndarray]]:
    """The frames of a file that an analysis at that rate looks at, shrunk."""
    last = None
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / av.time_base
        for frame in container.decode(video=0):
            seconds = float(frame.time or 0.0) - start
            if (slot := sampling_slot(seconds, fps)) == last:
                continue
            last = slot
            gray = luma(frame)[0]
            scale = min(1.0, SEARCHED_PX / max(gray.shape))
            yield seconds, shrunk(gray, (round(gray.shape[1] * scale), round(gray.shape[0] * scale)))


def rows_of(frames: Sequence[tuple[float, np.ndarray]] | Iterator[tuple[float, np.ndarray]]) -> Rows:
    watch = FlowWatch(new_shot_threshold=0.3)
    return [(seconds, watch.measure(gray, seconds)) for seconds, gray in frames]


def read_clips(folder: Path) -> list[Clip]:
    clips = []
    with (folder / "labels.csv").open() as file:
        for row in csv.DictReader(file):
            dense = list(grays(folder / row["file"], DENSE_FPS))
            phases = rows_of(dense[0::2]), rows_of(dense[1::2])
            clips.append(Clip(row["file"], SHOWN[row["label"]], int(row["camera"]), phases))
    return clips


def window(rows: Rows) -> np.ndarray:
    """The flow statistics of the last window of a clip, float16 (n, N_VALUES)."""
    end = rows[-1][0]
    return np.stack([row for seconds, row in rows if len(row) and seconds > end - WINDOW_SECONDS + 1e-6])


def fit(clips: list[Clip]) -> tuple[Fitted, Labelled]:
    """Of both phases of each clip; the first one is what an analysis sees."""
    rows = [(clip, phase) for phase in (0, 1) for clip in clips if len(_known(clip.phases[phase])) >= LEAST_ROWS]
    labelled = Labelled(
        np.stack([window_features(window(clip.phases[phase])) for clip, phase in rows]),
        np.array([clip.is_fight for clip, _ in rows]),
        np.array([clip.recording for clip, _ in rows]),
    )
    about = {
        "data": "clips of about two seconds from surveillance cameras (Akti, Tataroglu, Ekenel 2019)",
        "made_with": "python benchmarks/motion.py",
        "says": "agitated motion, needs review; 0.5 where agitated and other windows are equally frequent",
        "confuses": "running, crowds, sport, dancing, people close to the camera, doors, rain, headlights",
    }
    return fit_agitation(labelled, name="surveillance", window_seconds=WINDOW_SECONDS, about=about), labelled


def _known(rows: Rows) -> Rows:
    return [row for row in rows if len(row[1])]


def report_ranking(fitted: Fitted, clips: list[Clip]) -> None:
    n_fights, n_recordings = sum(clip.is_fight for clip in clips), len({clip.recording for clip in clips})
    print(f"{len(clips)} clips, {n_fights} fights, {n_recordings} recordings, none of which its model saw")
    for name, merit in fitted.merits.items():
        print(f"  {name:28} {merit.value:.3f} ({merit.low:.3f} to {merit.high:.3f})")
    moving = [clip for clip in clips if moves_with_camera(window(clip.phases[0]))]
    print(
        f"  the camera moves in {len(moving)} clips, {sum(clip.is_fight for clip in moving)} of them fights: no score"
    )


def agitation_of(rows: Rows, model: AgitationModel) -> tuple[np.ndarray, np.ndarray]:
    """Times and agitation of frames, NaN where there is none."""
    judge = MotionJudge(model)
    found = [(seconds, judge.update(row, seconds).agitation) for seconds, row in rows]
    return np.array([each[0] for each in found]), np.array([each[1] for each in found])


@dataclass(frozen=True)
class Notice:
    """The thresholds of a rule."""

    enter: float
    exit_: float
    for_: float
    cooldown: float = 60.0


def shipped_notice() -> Notice:
    rule = next(rule for rule in load_rules("cctv").rules if rule.name == "agitated-motion")
    return Notice(rule.enter, rule.exit_ or rule.enter, rule.for_, rule.cooldown)


def notices(times: np.ndarray, agitation: np.ndarray, rule: Notice) -> list[tuple[float, float]]:
    """When notices are raised, and how long they last; those within the cooldown are one."""
    found: list[tuple[float, float]] = []
    since: float | None = None
    is_on = False
    for seconds, value in zip(times.tolist(), agitation.tolist(), strict=True):
        if not value >= (rule.exit_ if is_on else rule.enter):
            since, is_on = None, False
            continue
        since = seconds if since is None else since
        if is_on:
            found[-1] = found[-1][0], seconds
        elif seconds - since >= rule.for_ - 1e-6:
            is_on = True
            if found and seconds - found[-1][1] <= rule.cooldown:
                found[-1] = found[-1][0], seconds
            else:
                found.append((seconds, seconds))
    return found


def read_normal(videos: Path, model: AgitationModel) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, times and agitation of each video without a fight."""
    found = []
    for path in sorted(path for name in NORMAL for path in (videos / name).iterdir()):
        if path.relative_to(videos).as_posix().startswith(FIGHTS) or path.name.startswith(("nofi", "SOURCES")):
            continue
        found.append((path.name, *agitation_of(rows_of(grays(path, FPS)), model)))
    return found


def report_normal(normal: list[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """Notices of the shipped rule on footage without a fight."""
    hours, n = 0.0, 0
    for name, times, agitation in normal:
        raised = notices(times, agitation, shipped_notice())
        hours, n = hours + (times[-1] - times[0]) / 3600, n + len(raised)
        known = agitation[~np.isnan(agitation)]
        high = f"highest {known.max():.2f}" if len(known) else "none"
        judged = f"judged {len(known) / len(times):4.0%}"
        print(f"  {name:40} {times[-1]:6.1f} s  {judged}  {high}  notices {len(raised)}")
    low, high_rate = (bound / hours for bound in poisson_interval(n))
    print(f"  {n} notices in {hours:.3f} h = {n / hours:.1f} per hour ({low:.1f} to {high_rate:.1f})")


def report_cameras(videos: Path, model: AgitationModel) -> None:
    """A camera made from a still: the share of time below the notice."""
    limit = shipped_notice().enter
    for kind in ("pan", "zoom", "shake", "turn"):
        below = said = total = 0
        for name in STILLS:
            still = next(gray for _, gray in grays(videos / name, FPS))
            _, values = agitation_of(rows := rows_of(moved(still, kind)), model)
            below += int((~(values >= limit)).sum())
            judge = MotionJudge(model)
            said += sum(judge.update(row, seconds).camera_moves is True for seconds, row in rows)
            total += len(values)
        print(f"  {kind:6} below the notice {below / total:6.1%} of the time, said to move {said / total:6.1%}")


def moved(still: np.ndarray, kind: str) -> Iterator[tuple[float, np.ndarray]]:
    """What a moving camera makes of an image: twenty seconds of it, at 5 frames per second."""
    height, width = still.shape
    rng = np.random.default_rng(0)
    for i in range(int(STILL_SECONDS * FPS)):
        seconds = i / FPS
        x, y = 0.1 * width * np.sin(seconds / 2), 0.0
        zoom, degrees = 1.4, 0.0
        if kind == "zoom":
            x, zoom = 0.0, 1.6 + 0.4 * np.sin(seconds / 2)
        elif kind == "shake":
            x, y, degrees = rng.normal(0, 0.01 * width), rng.normal(0, 0.01 * width), rng.normal(0, 0.5)
        elif kind == "turn":
            x, degrees = 0.0, 8 * np.sin(seconds / 2)
        matrix = cv2.getRotationMatrix2D((width / 2 + x, height / 2 + y), degrees, zoom)
        matrix[:, 2] -= (x, y)
        noise = rng.normal(0, 1.5, still.shape)
        shown = cv2.warpAffine(still, matrix, (width, height), borderMode=cv2.BORDER_REFLECT) + noise
        yield seconds, shown.clip(0, 255).astype(np.uint8)


def report_scenes(clips: list[Clip], fitted: Fitted, long_rows: Rows, rule: Notice) -> None:
    """Fights laid into a minute of normal footage: of the same recording, and of a long normal video."""
    for name, around in (("the same recording", None), ("long normal footage", long_rows)):
        found, false, n = 0, 0, 0
        delays: list[float] = []
        for clip in clips:
            model = fitted.left_out[clip.recording]
            calm = [_known(one.phases[0]) for one in clips if one.recording == clip.recording and not one.is_fight]
            normal = [row for rows in calm for row in rows] if around is None else _known(around)
            if not clip.is_fight or not normal:
                continue
            fight = _known(clip.phases[0]) * LOOPS
            n_before = int((SCENE_SECONDS - len(fight) / FPS) / 2 * FPS)
            before = (normal * (n_before // len(normal) + 1))[:n_before]
            rows = [(i / FPS, row) for i, (_, row) in enumerate(before + fight + before)]
            begin, end = n_before / FPS, (n_before + len(fight)) / FPS
            raised = notices(*agitation_of(rows, model), rule)
            own = [first for first, last in raised if last >= begin and first <= end + WINDOW_SECONDS]
            n, found = n + 1, found + bool(own)
            false += sum(first < begin or first > end + WINDOW_SECONDS for first, _ in raised)
            delays += [max(0.0, own[0] - begin)] if own else []
        low, high = wilson_interval(found / n, n)
        late = f"{np.median(delays):.1f} s" if delays else "none"
        print(
            f"  {name}: {found} of {n} fights = {found / n:.0%} ({low:.0%} to {high:.0%}) overlap a notice, "
            f"median delay {late}; {false} other notices in {n} minutes"
        )


def report_cost(video: Path) -> None:
    """CPU seconds and memory of analyses with and without motion, in turn."""
    pairs = []
    for _ in range(3):
        spent = {}
        for measure in ("true", "false"):
            with tempfile.TemporaryDirectory() as out:
                arguments = ["analyze", str(video), "-o", out, "--preset", "cctv", "--workers", "1", "--no-plot", "-q"]
                command = [sys.executable, "-c", START, *arguments, "--set", f"motion.measure={measure}"]
                spent[measure] = cost_of(command)
        pairs.append(spent)
    shares = [pair["true"].cpu_seconds / pair["false"].cpu_seconds - 1 for pair in pairs]
    memory = [pair["true"].peak_mib - pair["false"].peak_mib for pair in pairs]
    print(f"cost: {np.median(shares):+.1%} CPU seconds ({', '.join(f'{share:+.1%}' for share in shares)})")
    print(f"memory: {np.median(memory):+.0f} MiB")


def main() -> None:
    """Print every part."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--write", type=Path, help="write the model that is fitted to all clips here")
    parser.add_argument("--cost", type=Path, help="a video to measure the cost on, such as one of 1080p")
    chosen = parser.parse_args()
    clips = read_clips(chosen.videos / "fights")
    fitted, _ = fit(clips)
    report_ranking(fitted, clips)
    if chosen.write:
        chosen.write.write_text(fitted.model.to_json(), encoding="utf-8")
    model = fitted.model if chosen.write else load_agitation_model("surveillance")
    print("moving cameras")
    report_cameras(chosen.videos, model)
    print("normal footage")
    normal = read_normal(chosen.videos, model)
    report_normal(normal)
    long_rows = rows_of(grays(chosen.videos / STILLS[0], FPS))
    for rule in (shipped_notice(), *(Notice(enter, enter - 0.1, 0.4) for enter in OTHERS)):
        n = sum(len(notices(times, agitation, rule)) for _, times, agitation in normal)
        print(f"scenes, enter {rule.enter:g} for {rule.for_:g} s; on normal footage {n} notices")
        report_scenes(clips, fitted, long_rows, rule)
    if chosen.cost:
        report_cost(chosen.cost)


if __name__ == "__main__":
    main()
