"""How many hand-marked faces the face search finds, how many boxes are false, and what it costs.

    python benchmarks/detect.py --videos FOLDER [--clips FOLDER] [--repeats 3] [--json FILE] [--only NAME...]

    python benchmarks/detect.py --kinds --videos FOLDER [--half choose|report] [--detectors haar centerface]

With `--kinds` faces of every kind are asked for (`benchmarks/face_kinds.py`); what follows is without it.
`benchmarks/faces/marked.csv` says which faces are seen where (benchmarks/faces/README.md: how it was made). Each
setting searches the whole of each clip at 5 frames a second, as a running video, segment by segment, and is judged on
the marked frames. Clips that show no face count with every frame. Settings run in turn, clip by clip; the cost is the
process's own CPU time from the decoded frame to its boxes (shrinking included, decoding not), a frame, median of the
repeats. Frames at full size are searched on the marked frames only: there is no state that could need the others.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

import face_kinds
from fervid.base.geometry import iou_matrix
from fervid.base.opencv import CASCADES_FOLDER, cv2
from fervid.base.types import Frame
from fervid.config import DetectSettings, load_settings, preset_names
from fervid.detect import make_detector
from fervid.detect.plan import SearchPlan, SearchWork
from fervid.detect.stage import detect_faces
from fervid.video.ledger import Ledger
from fervid.video.probe import probe
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments

FPS = 5.0
FOUND_IOU, TOUCHED_IOU = 0.35, 0.2
"""A face counts as found from the first overlap on. A box is false that overlaps no mark by the second, nor has its
centre in one."""

MARKED = Path(__file__).parent / "faces" / "marked.csv"
ALL_SAVINGS_OFF = {"full_search_seconds": 0.0}
FULL_SIZE: dict[str, float] = {"full size, 8 % of the height": 0.08, "full size, minSize 30": 30}


@dataclass(frozen=True, slots=True)
class Marks:
    """What was marked in one frame: boxes (n, 4) in pixels of the frame, and how each face is seen."""

    boxes: np.ndarray
    views: tuple[str, ...]


@dataclass(slots=True)
class Score:
    """What a setting found on all clips."""

    frontal_found: int = 0
    frontal: int = 0
    turned_found: int = 0
    turned: int = 0
    false_boxes: int = 0
    boxes_without_faces: int = 0
    """Boxes in all frames of the clips that show no face."""
    missed: list[str] = field(default_factory=list)
    cpu_ms: dict[str, list[float]] = field(default_factory=dict)
    """CPU milliseconds an analysed frame, a clip, a repeat."""
    work: dict[str, dict[str, int]] = field(default_factory=dict)


def read_marks(path: Path = MARKED) -> dict[str, dict[float, Marks]]:
    """clip -> time -> marks; a frame without a face has none."""
    rows: dict[str, dict[float, list[dict[str, str]]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["clip"], {}).setdefault(float(row["time_s"]), []).append(row)
    marks: dict[str, dict[float, Marks]] = {}
    for clip, times in rows.items():
        marks[clip] = {}
        for seconds, found in times.items():
            seen = [row for row in found if row["view"] != "none"]
            boxes = np.array([[float(row[name]) for name in ("x", "y", "w", "h")] for row in seen]).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            marks[clip][seconds] = Marks(boxes, tuple(row["view"] for row in seen))
    return marks


def segments_of(path: Path) -> Iterator[tuple[float, list[Frame]]]:
    """The sampled frames of each segment of a video, and the shape of its pixels."""
    video = load_settings(environment={}).video
    info, plan = probe(path, max_pixels=video.max_pixels)
    aspect = float(info.sample_aspect_ratio)
    for segment in plan_segments("", info, plan, segment_seconds=video.segment_seconds, fps=FPS):
        frames = read_frames(
            path,
            info,
            plan,
            segment,
            Ledger(),
            fps=FPS,
            start_seconds=0.0,
            end_seconds=None,
            decoder_threads=video.decoder_threads,
            max_pixels=video.max_pixels,
        )
        yield (1 / aspect if info.rotation_degrees % 180 else aspect), list(frames)


def search(settings: DetectSettings, frames: list[Frame], aspect: float, work: SearchWork) -> list[np.ndarray]:
    """The boxes of each frame of a segment."""
    detector = make_detector(settings.detector, settings.chosen_options)
    found = detect_faces(
        iter(frames),
        detector,
        search=SearchPlan.of(settings),
        work=work,
        min_face_px=settings.min_face_px,
        min_face_share=settings.min_face_share,
        min_confidence=settings.min_confidence,
        pixel_aspect=aspect,
    )
    return [detections.boxes for _, detections, _ in found]


def full_size_search(smallest: float) -> Callable[[list[Frame]], list[np.ndarray]]:
    """OpenCV's own loop over pictures that are not shrunk; `smallest` in pixels, below 1 as a share of the height."""
    cascade = cv2.CascadeClassifier(str(Path(CASCADES_FOLDER) / "haarcascade_frontalface_alt2.xml"))

    def run(frames: list[Frame]) -> list[np.ndarray]:
        boxes = []
        for frame in frames:
            side = round(smallest * frame.gray.shape[0]) if smallest < 1 else round(smallest)
            found = np.asarray(cascade.detectMultiScale(frame.gray, 1.1, 4, minSize=(side, side)), np.float32)
            found = found.reshape(-1, 4)
            found[:, 2:] += found[:, :2]
            boxes.append(found)
        return boxes

    return run


def judge(score: Score, clip: str, frame: Frame, marks: Marks, boxes: np.ndarray, *, min_share: float) -> None:
    """Count what the boxes of one marked frame are. Faces below `min_share` of the height are not asked for."""
    overlap = iou_matrix(marks.boxes, boxes)
    for i, view in enumerate(marks.views):
        height = marks.boxes[i, 3] - marks.boxes[i, 1]
        if view == "drawn" or height < min_share * frame.gray.shape[0]:
            continue
        is_found = bool(len(boxes) and overlap[i].max() >= FOUND_IOU)
        if view == "frontal":
            score.frontal += 1
            score.frontal_found += is_found
            if not is_found:
                score.missed.append(f"{clip} {frame.pts_seconds:.2f}")
        else:
            score.turned += 1
            score.turned_found += is_found
    for j, box in enumerate(boxes):
        centre = (box[:2] + box[2:]) / 2
        is_inside = ((marks.boxes[:, :2] < centre) & (centre < marks.boxes[:, 2:])).all(axis=1).any()
        score.false_boxes += int(not (is_inside or (len(marks.boxes) and overlap[:, j].max() >= TOUCHED_IOU)))


def measure(
    clips: dict[str, Path],
    settings: dict[str, DetectSettings],
    full_size: dict[str, float],
    *,
    repeats: int,
    min_share: float,
) -> dict[str, Score]:
    """The score of each setting, and of the search at full size, over all clips."""
    marks = read_marks()
    scores = {name: Score() for name in [*settings, *full_size]}
    for clip, path in clips.items():
        shows_faces = any(len(m.boxes) for m in marks[clip].values())
        spent: dict[str, list[float]] = {name: [0.0] * repeats for name in scores}
        n_frames = n_marked = 0
        work = {name: SearchWork() for name in settings}
        for aspect, frames in segments_of(path):
            n_frames += len(frames)
            at = {round(frame.pts_seconds, 3): i for i, frame in enumerate(frames)}
            wanted = {at[round(s, 3)]: m for s, m in marks[clip].items() if round(s, 3) in at}
            n_marked += len(wanted)
            for repeat in range(repeats):
                for name, setting in settings.items():
                    started = time.process_time()
                    found = search(setting, frames, aspect, work[name] if repeat == 0 else SearchWork())
                    spent[name][repeat] += time.process_time() - started
                    if repeat:
                        continue
                    for i, m in wanted.items():
                        judge(scores[name], clip, frames[i], m, found[i], min_share=min_share)
                    if not shows_faces:
                        scores[name].boxes_without_faces += sum(len(boxes) for boxes in found)
                for name, smallest in full_size.items():
                    started = time.process_time()
                    found = full_size_search(smallest)([frames[i] for i in wanted])
                    spent[name][repeat] += time.process_time() - started
                    if repeat == 0:
                        for (i, m), boxes in zip(wanted.items(), found, strict=True):
                            judge(scores[name], clip, frames[i], m, boxes, min_share=min_share)
        for name, score in scores.items():
            n = n_marked if name in full_size else n_frames
            score.cpu_ms[clip] = [1000 * seconds / n for seconds in spent[name]]
            if name in work:
                score.work[clip] = asdict(work[name])
        print(f"{clip}: {n_frames} frames", flush=True)
    return scores


def print_table(scores: dict[str, Score]) -> None:
    """One row a setting; the cost is the mean over clips of each clip's median."""
    print("\n| search | frontal faces found | turned | false boxes | in clips without faces | CPU ms a frame |")
    print("|---|---|---|---|---|---|")
    for name, s in scores.items():
        cost = statistics.mean(statistics.median(times) for times in s.cpu_ms.values())
        print(
            f"| {name} | {s.frontal_found} of {s.frontal} ({s.frontal_found / max(1, s.frontal):.1%}) | "
            f"{s.turned_found} of {s.turned} | {s.false_boxes} | "
            f"{'-' if name in FULL_SIZE else s.boxes_without_faces} | {cost:.1f} |"
        )
    slowest = [clip for clip in next(iter(scores.values())).cpu_ms if clip.startswith("clips/")]
    for clip in slowest:
        times = ", ".join(f"{name} {statistics.median(s.cpu_ms[clip]):.1f}" for name, s in scores.items())
        print(f"\n{clip}, CPU ms a frame: {times}")


def report_kinds(arguments: argparse.Namespace) -> None:
    """Recall by kind and size for the presets, or those of `--settings`, and for the detectors that are named."""
    settings = {name: load_settings(preset=name, environment={}).detect for name in preset_names()}
    min_share = settings["default"].min_face_share
    others = {name: settings["default"].model_copy(update={"detector": name}) for name in arguments.detectors}
    wanted = arguments.settings or ([] if others else list(settings))
    settings = {name: value for name, value in settings.items() if name in wanted} | others

    def searching(setting: DetectSettings) -> face_kinds.Search:
        return lambda frames, aspect: search(setting, frames, aspect, SearchWork())

    scores = face_kinds.measure(
        arguments.videos,
        {name: searching(setting) for name, setting in settings.items()},
        segments_of,
        half=arguments.half,
        only=arguments.only,
        min_share=min_share,
    )
    face_kinds.print_kinds(scores, min_share=min_share)
    if arguments.json:
        content = {name: asdict(score) for name, score in scores.items()}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True, help="folder of the footage that was marked")
    parser.add_argument("--clips", type=Path, help="folder with group_h264.mp4, the reference clip")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="+", help="clips whose path contains one of these")
    parser.add_argument("--settings", nargs="+", help="of the searches, these alone, by their name in the table")
    parser.add_argument("--kinds", action="store_true", help="judge by faces/kinds.csv: faces of every kind")
    parser.add_argument("--half", choices=("choose", "report"), help="with --kinds: this half of the clips alone")
    parser.add_argument("--detectors", nargs="+", default=[], help="with --kinds: default preset, these detectors too")
    arguments = parser.parse_args()
    if arguments.kinds:
        report_kinds(arguments)
        return

    clips: dict[str, Path] = {}
    for clip in read_marks():
        is_reference = clip.startswith("clips/")
        folder = arguments.clips if is_reference else arguments.videos
        path = folder / (clip.removeprefix("clips/") if is_reference else clip) if folder else None
        if arguments.only and not any(part in clip for part in arguments.only):
            continue
        if path is None or not path.is_file():
            print(f"{clip} is not there: left out")
            continue
        clips[clip] = path

    settings = {name: load_settings(preset=name, environment={}).detect for name in preset_names()}
    default = settings["default"]
    settings = {"all savings off": default.model_copy(update=ALL_SAVINGS_OFF)} | settings
    full_size = dict(FULL_SIZE)
    if arguments.settings:
        settings = {name: value for name, value in settings.items() if name in arguments.settings}
        full_size = {name: value for name, value in full_size.items() if name in arguments.settings}
    scores = measure(clips, settings, full_size, repeats=arguments.repeats, min_share=default.min_face_share)
    print_table(scores)
    if arguments.json:
        content = {
            "machine": f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}",
            "opencv": cv2.__version__,
            "settings": {name: setting.model_dump(mode="json") for name, setting in settings.items()},
            "scores": {name: asdict(score) for name, score in scores.items()},
        }
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
