"""What the agitation of motion is worth: ranking of clips, moving cameras, and its cost.

    python benchmarks/motion.py VIDEOS [--write configs/motion/surveillance.json] [--cost VIDEO]

VIDEOS/fights holds clips of surveillance cameras with labels.csv (file,label,camera). Models also learn from a few
windows of each video of normal footage, in VIDEOS/cctv, faces and trailers, which counts as a recording. Every clip is
judged by a model that never saw its recording; the penalty of that model is chosen within the other recordings.
Figures are of the clips alone; intervals draw recordings with replacement. benchmarks/motion_rules.py measures notices,
on scenes made of the clips and on normal footage.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from fervid.alerts.language.rules import load_rules
from fervid.alerts.measure.agitation_fit import Fitted, Labelled, card_merits, fit_agitation, merits_of
from fervid.base.opencv import cv2
from fervid.detect.motion import shrunk
from fervid.interpret.agitation import LEAST_ROWS, MotionJudge, moves_with_camera
from fervid.interpret.agitation_model import AgitationModel, load_agitation_model, window_features
from fervid.observe.flow import FlowWatch
from fervid.video.luma import luma
from fervid.video.sampling import sampling_slot
from process_tree import cost_of

ROOT = Path(__file__).resolve().parents[1]
START = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"
FPS, DENSE_FPS, WINDOW_SECONDS = 5.0, 10.0, 1.8
SEARCHED_PX = 640
"""Longer side to which frames are shrunk first, as for the face search."""
NORMAL_WINDOWS = 4
"""Of each video of normal footage, spread over it: enough to tell what is normal from what surrounds a fight."""
FIRST_NORMAL = 1000
"""Number of the first video of normal footage, as a recording."""
FIGHTS = "cctv/shop_fight_indoor.avi", "cctv/fi"
NORMAL = ("cctv", "faces", "trailers")
STILLS = ("cctv/one-by-one-person-detection.mp4", "cctv/traffic_camera_vfr.mp4", "faces/family_dinner.mp4")
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


def normal_footage(videos: Path) -> dict[str, Rows]:
    """The flow statistics of all long footage without a fight."""
    paths = sorted(path for name in NORMAL for path in (videos / name).iterdir())
    named = {path.relative_to(videos).as_posix(): path for path in paths}
    return {
        name: rows_of(grays(path, FPS))
        for name, path in named.items()
        if not name.startswith(FIGHTS) and not path.name.startswith(("nofi", "SOURCES"))
    }


# Decision MOT-4.
def normal_windows(normal: dict[str, Rows]) -> Iterator[tuple[int, np.ndarray]]:
    """Recording and features of a few windows of each video, without those in which the camera moves."""
    for number, rows in enumerate(normal.values(), FIRST_NORMAL):
        n = min(NORMAL_WINDOWS, int(rows[-1][0] / WINDOW_SECONDS))
        for end in np.linspace(WINDOW_SECONDS, rows[-1][0], n):
            own = [row for seconds, row in rows if len(row) and end - WINDOW_SECONDS + 1e-6 < seconds <= end + 1e-6]
            if len(own) >= LEAST_ROWS and not moves_with_camera(np.stack(own)):
                yield number, window_features(np.stack(own))


def fit(clips: list[Clip], normal: dict[str, Rows]) -> Fitted:
    """Of both phases of each clip; the first one is what an analysis sees. Merits are of the clips alone."""
    rows = [(clip, phase) for phase in (0, 1) for clip in clips if len(_known(clip.phases[phase])) >= LEAST_ROWS]
    calm = list(normal_windows(normal))
    labelled = Labelled(
        np.stack([*(window_features(window(clip.phases[phase])) for clip, phase in rows), *(each for _, each in calm)]),
        np.array([clip.is_fight for clip, _ in rows] + [False] * len(calm)),
        np.array([clip.recording for clip, _ in rows] + [number for number, _ in calm]),
    )
    about: dict[str, object] = {
        "data": "clips of about two seconds from surveillance cameras (Akti, Tataroglu, Ekenel 2019), half a sampling "
        f"step apart, and up to {NORMAL_WINDOWS} windows of each of {len(normal)} videos without a fight",
        "made_with": "python benchmarks/motion.py",
        "says": "agitated motion, needs review; 0.5 where agitated and other windows are equally frequent",
        "confuses": "running, crowds, sport, dancing, people close to the camera, doors, rain, headlights",
    }
    fitted = fit_agitation(labelled, name="surveillance", window_seconds=WINDOW_SECONDS, about=about)
    merits = merits_of(fitted.unseen[: len(rows)], labelled.of(np.arange(len(rows))))
    card = fitted.model.card | {"merits_of": "the clips alone", "merits": card_merits(merits)}
    return replace(fitted, model=replace(fitted.model, card=card), merits=merits)


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


def report_cameras(videos: Path, model: AgitationModel) -> None:
    """A camera made from a still: the share of time below the notice."""
    limit = next(rule for rule in load_rules("cctv").rules if rule.name == "agitated-motion").enter
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


def report_cost(video: Path) -> None:
    """CPU seconds and memory of analyses with and without motion, in turn."""
    pairs = []
    for _ in range(6):
        spent = {}
        for measure in ("true", "false"):
            with tempfile.TemporaryDirectory() as out:
                arguments = [
                    "analyze",
                    str(video),
                    "-o",
                    out,
                    "--preset",
                    "cctv",
                    "--workers",
                    "1",
                    "--no-plot",
                    "-q",
                    "--set",
                    "batch.stall_seconds=600",
                ]
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
    fitted = fit(clips, normal_footage(chosen.videos))
    report_ranking(fitted, clips)
    if chosen.write:
        chosen.write.write_text(fitted.model.to_json(), encoding="utf-8")
    model = fitted.model if chosen.write else load_agitation_model("surveillance")
    print("moving cameras", flush=True)
    report_cameras(chosen.videos, model)
    if chosen.cost:
        report_cost(chosen.cost)


if __name__ == "__main__":
    main()
