"""What it does to labels to take the usual look of a face out of its scores, and the numbers that `baseline` needs.

    python benchmarks/baseline.py CLIPS [--cache FOLDER]

CLIPS holds clips of several people and `labels.csv`, as for `benchmarks/battery.py`. Of each person three kinds of long
video are made of the clips' observations: all clips in random order; those of one expression, over and over; and twelve
of one expression with three others among them. A frame is right when its largest smoothed score is its clip's label.

The numbers are chosen without a person, and measured on that person: the most frames right in joined videos among those
that cost at most LARGEST_LOSS on videos of one expression. The last line chooses among all people: what ships. With
--readout labels are read out over time instead, by read-outs that were fitted without the person.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

import fervid
from battery_faces import Clip, clips_of_people, load_clips
from battery_readout import Photographs, left_out_models
from fervid.base import assets
from fervid.config import Settings
from fervid.config.settings import BaselineSettings
from fervid.emotion.calibration import softmax
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.interpret.baseline import people, shift, usual_scores
from fervid.interpret.build import frame_intervals
from fervid.interpret.judge import smoother_of
from fervid.interpret.tables import Tables
from fervid.interpret.whole import interpret
from fervid.run.usable import usable_faces

ORDERS, REPEATS = 5, 4
MOSTLY, OTHERS = 12, 3
LARGEST_LOSS = 0.01
GRID = {
    "prior_seconds": (0.0, 1.0, 2.0, 4.0, 8.0, 16.0),
    "max_shift": (0.5, 1.0, 1.5, 2.0, 2.5, 3.0),
    "min_spread": (0.8, 1.0, 1.1, 1.2, 1.3),
}
KINDS = ("joined", "one expression", "mostly one")


@dataclass(frozen=True)
class Long:
    """A made-up long video: its faces (n,) with their calibrated probabilities (n, C), and the label of each."""

    clips: tuple[Clip, ...]
    times: np.ndarray
    seconds: np.ndarray
    rows: np.ndarray
    track_ids: np.ndarray
    probabilities: np.ndarray
    truth: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "fervid-battery")
    parser.add_argument("--readout", action="store_true", help="only what read-outs fitted without each person add")
    parser.add_argument("--data", type=Path, help="with --readout: the CSV file of FER-2013")
    parser.add_argument("--stills", type=Path, help="with --readout: the photographs, as for benchmarks/battery.py")
    arguments = parser.parse_args()
    settings = fervid.load_settings(environment={})
    model = load_model_info(assets.model_folder(settings.emotion.model))
    all_clips = load_clips(arguments.clips, settings, arguments.cache)
    people = clips_of_people(all_clips)
    if arguments.readout:
        photographs = Photographs.load(arguments.data, arguments.stills, model, settings, arguments.cache)
        models = left_out_models(all_clips, settings, model, photographs)
        report_readouts(people, settings, models)
        return
    videos = {
        person: {kind: [watch(own, settings, model) for own in made] for kind, made in make(clips).items()}
        for person, clips in people.items()
    }
    print(f"{sum(len(clips) for clips in people.values())} clips of {len(videos)} people")
    for scope in ("track", "video"):
        report(scope, videos, settings, model)
    check(videos, settings, model)


def make(clips: list[Clip]) -> dict[str, list[list[Clip]]]:
    """The clips of one person as long videos of each kind."""
    random = np.random.default_rng(0)

    def mixed(some: Sequence[Clip]) -> list[Clip]:
        return [some[i] for i in random.permutation(len(some))]

    made: dict[str, list[list[Clip]]] = {"joined": [mixed(clips) for _ in range(ORDERS)], "one expression": [], "mostly one": []}  # fmt: skip # noqa: E501
    for emotion in sorted({clip.emotion for clip in clips}):
        same = [clip for clip in clips if clip.emotion == emotion]
        rest = mixed([clip for clip in clips if clip.emotion != emotion])
        made["one expression"].append(mixed(same * REPEATS))
        made["mostly one"].append(mixed(list(itertools.islice(itertools.cycle(same), MOSTLY)) + rest[:OTHERS]))
    return made


def join(clips: Sequence[Clip]) -> tuple[pa.Table, float]:
    """The observations of clips as those of one video, and its length in seconds."""
    tables, seconds, frames = [], 0.0, 0
    for clip in clips:
        table = clip.observations
        for name, offset in (("time_s", seconds), ("frame", frames)):
            at = table.schema.get_field_index(name)
            table = table.set_column(at, name, pa.array(table[name].to_numpy() + offset))
        tables.append(table)
        seconds += clip.duration_seconds
        frames = int(table["frame"][-1].as_py()) + 1
    return pa.concat_tables(tables), seconds


def analysed(clips: Sequence[Clip], settings: Settings, model: ModelInfo) -> tuple[Tables, np.ndarray]:
    """The tables of clips joined to one video, and of each face the number of its label."""
    observations, duration = join(clips)
    tables = interpret(observations, settings, model, video_id="joined", duration_seconds=duration)
    ends = np.cumsum([clip.duration_seconds for clip in clips])
    of_face = np.searchsorted(ends, tables.faces["time_s"].to_numpy(), side="right").clip(0, len(clips) - 1)
    return tables, np.array([model.labels.index(clip.emotion) for clip in clips])[of_face]


def watch(clips: Sequence[Clip], settings: Settings, model: ModelInfo) -> Long:
    tables, truth = analysed(clips, settings, model)
    faces, frame_times = tables.faces, tables.frames["time_s"].to_numpy()
    hold = settings.timeline.max_hold_seconds
    end = float(sum(clip.duration_seconds for clip in clips))
    rows = np.searchsorted(tables.frames["frame"].to_numpy(), faces["frame"].to_numpy())
    stands_for = frame_intervals(frame_times, start=0, end=end, max_hold_seconds=hold).seconds[rows]
    return Long(
        tuple(clips),
        faces["time_s"].to_numpy(),
        np.where(usable_faces(faces["abstain"]), stands_for, 0.0),
        rows,
        faces["track_id"].to_numpy(),
        np.stack([faces[f"p_{label}"].to_numpy() for label in model.labels], axis=1),
        truth,
    )


def share_right(video: Long, settings: Settings, model: ModelInfo) -> float:
    """Frames right with the baseline of these settings. The first head answers, so log-probabilities are its logits."""
    probabilities = video.probabilities
    if settings.baseline.scope != "off":
        usual = usual_scores(model.heads[0], model.heads[0].temperature_of(is_flipped=settings.emotion.flip))
        logs = np.log(np.maximum(probabilities, 1e-12).astype(np.float64))
        scores = logs - logs.mean(axis=1, keepdims=True)
        person = people(video.rows, video.track_ids, scope=settings.baseline.scope)
        for one in np.unique(person):
            own = person == one
            logs[own] -= shift(video.times[own], video.seconds[own], scores[own], usual, settings.baseline)
        probabilities = softmax(logs)
    smoothed = np.empty_like(probabilities)
    for track in np.unique(video.track_ids):
        own = video.track_ids == track
        smoothed[own] = smoother_of(settings).zero_phase(video.times[own], probabilities[own])
    return float((smoothed.argmax(axis=1) == video.truth).mean())


def with_baseline(settings: Settings, **values: object) -> Settings:
    return settings.model_copy(update={"baseline": BaselineSettings.model_validate(values)})


def measure(videos: dict[str, dict[str, list[Long]]], share: Callable[[Long], float]) -> dict[str, dict[str, float]]:
    """The mean share by person and kind."""
    return {
        person: {kind: float(np.mean([share(video) for video in made])) for kind, made in kinds.items()}
        for person, kinds in videos.items()
    }


def report(scope: str, videos: dict[str, dict[str, list[Long]]], settings: Settings, model: ModelInfo) -> None:
    without = measure(videos, lambda video: share_right(video, settings, model))
    points = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    gains = []
    for point in points:
        changed = with_baseline(settings, scope=scope, **point)
        found = measure(videos, lambda video, changed=changed: share_right(video, changed, model))  # type: ignore[misc]
        gains.append({p: {kind: found[p][kind] - without[p][kind] for kind in KINDS} for p in videos})

    def choose(persons: Sequence[str]) -> int:
        def mean(i: int, kind: str) -> float:
            return float(np.mean([gains[i][person][kind] for person in persons]))

        fine = [i for i in range(len(points)) if mean(i, "one expression") >= -LARGEST_LOSS]
        return max(fine, key=lambda i: mean(i, "joined"))

    print(f"\n--baseline {scope}: frames right without it, and points more with it, numbers chosen on the others")
    print(f"{'person':<10}" + "".join(f"{kind:>22}" for kind in KINDS) + "   chosen")
    unseen = {person: choose([other for other in videos if other != person]) for person in videos}
    for person, i in unseen.items():
        cells = [f"{without[person][kind]:.1%} {100 * gains[i][person][kind]:+.1f}" for kind in KINDS]
        print(f"{person:<10}" + "".join(f"{cell:>22}" for cell in cells) + f"   {points[i]}")
    cells = []
    for kind in KINDS:
        own = [100 * gains[i][person][kind] for person, i in unseen.items()]
        cells.append(f"{np.mean(own):+.1f} ({interval(own)})")
    print(f"{'mean':<10}" + "".join(f"{cell:>22}" for cell in cells) + "   (95 % over people)")
    best = choose(list(videos))
    cells = [f"{100 * np.mean([gains[best][person][kind] for person in videos]):+.1f}" for kind in KINDS]
    print(f"{'chosen on all':<10}" + "".join(f"{cell:>22}" for cell in cells) + f"   {points[best]}")


def interval(values: list[float]) -> str:
    """Bootstrap over people: with five of them wide, and rather too narrow."""
    random = np.random.default_rng(1)
    means = [np.mean(random.choice(values, len(values))) for _ in range(4000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{low:+.1f} to {high:+.1f}"


def report_readouts(people: dict[str, list[Clip]], settings: Settings, models: dict[str, ModelInfo]) -> None:
    """Frames right by labels read out over time, less those by smoothed scores without a baseline."""
    for scope in ("off", "track", "video"):
        changed = with_baseline(settings, scope=scope).model_copy(
            update={"readout": settings.readout.model_copy(update={"use": "on"})}
        )
        for kind in KINDS:
            before, gained = [], []
            for person, clips in people.items():
                shares = []
                for joined in make(clips)[kind]:
                    tables, truth = analysed(joined, changed, models[person])
                    s, r = (
                        np.stack([tables.faces[f"{k}_{label}"].to_numpy() for label in models[person].labels], axis=1)
                        for k in "sr"
                    )
                    shares.append([(s.argmax(axis=1) == truth).mean(), (r.argmax(axis=1) == truth).mean()])
                first, second = np.mean(shares, axis=0)
                before.append(first)
                gained.append(100 * float(second - first))
            each = ", ".join(f"{points:+.1f}" for points in gained)
            print(f"--readout on --baseline {scope:<6}{kind:<15}{np.mean(before):.1%} {np.mean(gained):+.1f} points "
                  f"({interval(gained)}); by person {each}", flush=True)  # fmt: skip


def check(videos: dict[str, dict[str, list[Long]]], settings: Settings, model: ModelInfo) -> None:
    """The default numbers end to end, from the `b_` columns that an analysis writes."""
    print("\nthe defaults, from the columns that an analysis writes")
    for scope in ("track", "video"):
        changed = settings.model_copy(update={"baseline": settings.baseline.model_copy(update={"scope": scope})})
        for kind in KINDS:
            gained = []
            for kinds in videos.values():
                for video in kinds[kind]:
                    tables, truth = analysed(video.clips, changed, model)
                    s, b = (
                        np.stack([tables.faces[f"{k}_{label}"].to_numpy() for label in model.labels], axis=1).argmax(1)
                        for k in "sb"
                    )
                    gained.append(float((b == truth).mean() - (s == truth).mean()))
            print(f"--baseline {scope}, {kind}: {100 * np.mean(gained):+.1f} points")


if __name__ == "__main__":
    main()
