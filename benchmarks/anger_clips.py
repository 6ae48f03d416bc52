"""Which clips of acted expressions raise an anger alert, by person, and the choice of the rule `anger-lasting`.

    python benchmarks/anger_clips.py CLIPS [RUNS_FOLDER ...] [--cache FOLDER] [--choose]

CLIPS is as for `benchmarks/battery.py`. Each clip is judged by itself, by the `anger` rules as they ship. Its scores
come from an analysis of the person's clips joined to one video in random order, or of twelve clips of one expression
with three others (`benchmarks/baseline.py`): without a baseline, and with `--baseline track` and `video`. With `--kinds
apart` each clip is analysed by itself, with `--scopes video` with a baseline over all clips of its person.
RUNS_FOLDER holds runs that show no anger: every alert there is false. With --readout every person's clips are read out
over time by a read-out that was fitted without that person, and RUNS_FOLDER holds runs made with `--readout on`.

With --choose, forms of `anger-lasting` are tried. For each person the one that finds most angry clips of the others,
with at most MOST_FALSE_PER_HOUR false alerts an hour in their clips and in RUNS_FOLDER, is measured on that person.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

import fervid
from baseline import ORDERS, analysed, make
from battery_faces import Clip, clips_of_people, load_clips
from battery_readout import Photographs, left_out_models, windows_of
from fervid.alerts.find.finder import Finder, Samples
from fervid.alerts.find.scan import find_runs, scan_run
from fervid.alerts.language.rules import RuleSet, bind, load_rules
from fervid.base import assets
from fervid.base.spacing import usual_spacing
from fervid.config import Settings
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.interpret.baseline import shared_shifts
from fervid.interpret.tables import Tables
from fervid.interpret.whole import interpret
from fervid.run.handle import Run
from fervid.run.usable import usable_faces
from fervid.stats.intervals import poisson_interval
from fervid.stats.metrics import wilson_interval

SCOPES = ("off", "track", "video")
MOST_FALSE_PER_HOUR = 10.0
LEAD = "angry - max(happy, neutral, sad)"
RELATIVE = "relative_angry - max(relative_happy, relative_neutral, relative_sad)"
SHARE = "angry / max(1 - surprise, 0.5)"
SEEN = "quality >= 0.4 and face_px >= 32"
CALM = "max(happy, neutral, sad)"
# Decision ALE-12.
FORMS = {
    "share": (SHARE, f"angry >= {CALM} and {SEEN}", (0.26, 0.29, 0.32, 0.35, 0.4)),
    "relative share": (
        "relative_angry / max(1 - relative_surprise, 0.5)",
        f"relative_angry >= max(relative_happy, relative_neutral, relative_sad) and {SEEN}",
        (0.26, 0.29, 0.32, 0.35, 0.4, 0.45, 0.5),
    ),
    "lead": (LEAD, SEEN, (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)),
    "relative lead": (RELATIVE, SEEN, (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)),
    "readout share": (
        "readout_angry / max(1 - readout_surprise, 0.5)",
        f"readout_angry >= max(readout_happy, readout_neutral, readout_sad) and {SEEN}",
        (0.26, 0.29, 0.32, 0.35, 0.4, 0.45, 0.5),
    ),
    "readout lead": (
        "readout_angry - max(readout_happy, readout_neutral, readout_sad)",
        SEEN,
        (0.0, 0.05, 0.1, 0.15, 0.2, 0.25),
    ),
    "larger lead": (f"max({LEAD}, {RELATIVE})", SEEN, (0.0, 0.05, 0.1, 0.15, 0.2, 0.25)),
}
KINDS = {"joined": ORDERS, "mostly one": 1, "apart": 1}
"""Made-up videos, and how often each clip of a person is in them; `apart` are the clips as they are."""
MADE_UP = ("joined", "mostly one")
WAITS = (0.6, 1.0, 1.5)


@dataclass(frozen=True)
class Piece:
    """One clip out of a joined video."""

    person: str
    is_angry: bool
    seconds: float
    samples: Samples


@dataclass(frozen=True)
class Count:
    """Of pieces: `found` of `angry` ones, and `false` alerts in `hours` of the others."""

    found: int
    angry: int
    false: int
    hours: float

    def __add__(self, other: Count) -> Count:
        return Count(
            self.found + other.found, self.angry + other.angry, self.false + other.false, self.hours + other.hours
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("runs", nargs="*", metavar="RUNS_FOLDER")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "fervid-battery")
    parser.add_argument("--choose", action="store_true", help="try forms of --rule")
    parser.add_argument("--forms", nargs="+", default=list(FORMS), choices=list(FORMS), help="which to try")
    parser.add_argument("--scopes", nargs="+", default=list(SCOPES), choices=SCOPES, help="baselines")
    parser.add_argument("--kinds", nargs="+", default=list(MADE_UP), choices=list(KINDS), help="of videos")
    parser.add_argument("--rules", default="anger", help="included rules, or a file")
    parser.add_argument("--rule", default="anger-lasting", help="the one of them to choose")
    parser.add_argument("--readout", action="store_true", help="fit a read-out without each person, and apply it")
    parser.add_argument("--data", type=Path, help="with --readout: the CSV file of FER-2013")
    parser.add_argument("--stills", type=Path, help="with --readout: the photographs, as for benchmarks/battery.py")
    arguments = parser.parse_args()
    settings = fervid.load_settings(environment={})
    model = load_model_info(assets.model_folder(settings.emotion.model))
    all_clips = load_clips(arguments.clips, settings, arguments.cache)
    people = clips_of_people(all_clips)
    models = dict.fromkeys(people, model)
    if arguments.readout:
        settings = settings.model_copy(update={"readout": settings.readout.model_copy(update={"use": "on"})})
        photographs = Photographs.load(arguments.data, arguments.stills, model, settings, arguments.cache)
        models = left_out_models(all_clips, settings, model, photographs)
    kinds = {kind: KINDS[kind] for kind in arguments.kinds}
    pieces = {
        (scope, kind): [
            piece
            for person, clips in people.items()
            for piece in pieces_of(person, clips, kind, with_scope(settings, scope), models[person])
        ]
        for scope in arguments.scopes
        for kind in kinds
    }
    runs = find_runs(arguments.runs) if arguments.runs else []
    rules = load_rules(arguments.rules)
    print(f"the rules as they ship, {len(people)} people")
    for (scope, kind), own in pieces.items():
        by_person = [count(of(own, person), rules, model) for person in people]
        print(f"--baseline {scope:<6}{kind:<12}{in_words(total(by_person), KINDS[kind])}; "
              f"found by person: {', '.join(f'{one.found / max(one.angry, 1):.0%}' for one in by_person)}")  # fmt: skip
    if runs:
        print(f"{len(runs)} runs: {in_words(count_runs(runs, rules), 1)}")
    if arguments.choose:
        choose(pieces, kinds, list(people), runs, rules, model, arguments)


def with_scope(settings: Settings, scope: str) -> Settings:
    return settings.model_copy(update={"baseline": settings.baseline.model_copy(update={"scope": scope})})


def pieces_of(person: str, clips: list[Clip], kind: str, settings: Settings, model: ModelInfo) -> list[Piece]:
    """The clips of a person out of long videos, or as they are: then with a baseline over all of them (`video`)."""
    if kind != "apart":
        return [
            piece for joined in make(clips)[kind] for piece in cut(person, joined, analysed(joined, settings, model)[0])
        ]
    windows = [windows_of(clip, settings, model) for clip in clips]
    shared = shared_shifts(windows, model, settings.baseline, source=settings.emotion.labels, is_flipped=False)
    return [
        piece
        for clip in clips
        for piece in cut(
            person,
            [clip],
            interpret(
                clip.observations,
                settings,
                model,
                video_id=clip.file,
                duration_seconds=clip.duration_seconds,
                shared=shared,
            ),
        )
    ]


def cut(person: str, clips: Sequence[Clip], tables: Tables) -> list[Piece]:
    """Take clips apart that were analysed as one video."""
    labels = [name.removeprefix("s_") for name in tables.faces.column_names if name.startswith("s_")]
    begins = np.concatenate([[0], np.cumsum([clip.duration_seconds for clip in clips])])
    frames = tables.frames["time_s"].to_numpy()
    faces = tables.faces
    times, columns = faces["time_s"].to_numpy(), columns_of(faces, labels)
    usable = usable_faces(faces["abstain"])
    found = []
    for clip, begin, end in zip(clips, begins[:-1], begins[1:], strict=True):
        own = (times >= begin) & (times < end)
        moments = frames[(frames >= begin) & (frames < end)]
        samples = Samples(
            times=moments - begin,
            frame_of_face=np.searchsorted(moments, times[own]),
            track_ids=faces["track_id"].to_numpy()[own],
            columns={name: values[own] for name, values in columns.items()},
            is_usable=usable[own],
            centres=np.zeros((int(own.sum()), 2)),
        )
        found.append(Piece(person, clip.emotion == "angry", float(end - begin), samples))
    return found


def columns_of(faces: pa.Table, labels: Sequence[str]) -> dict[str, np.ndarray]:
    """What the rules of this script use of faces."""
    columns = {label: faces[f"s_{label}"].to_numpy() for label in labels}
    there = set(faces.column_names)
    columns |= {f"relative_{label}": faces[f"{'b' if f'b_{label}' in there else 's'}_{label}"].to_numpy() for label in labels}  # fmt: skip # noqa: E501
    columns |= {f"readout_{label}": faces[f"r_{label}"].to_numpy() if f"r_{label}" in there else columns[f"relative_{label}"] for label in labels}  # fmt: skip # noqa: E501
    columns |= {name: faces[name].to_numpy() for name in ("quality", "margin")}
    return columns | {"face_px": np.minimum(faces["w"].to_numpy(), faces["h"].to_numpy())}


def count(pieces: Sequence[Piece], rules: RuleSet, model: ModelInfo) -> Count:
    sum_ = Count(0, 0, 0, 0.0)
    for piece in pieces:
        bound = bind(rules, model.labels)
        finder = Finder(bound, rules.zones, spacing_seconds=usual_spacing(piece.samples.times))
        finder.feed(piece.samples)
        alerts = sum(len(own) for b, own in zip(bound, finder.settled(), strict=True) if b.rule.tier == "alert")
        sum_ += Count(alerts > 0, 1, 0, 0.0) if piece.is_angry else Count(0, 0, alerts, piece.seconds / 3600)
    return sum_


def count_runs(runs: Sequence[Run], rules: RuleSet) -> Count:
    found = [scan_run(run, rules) for run in runs]
    alerts = sum(len(one.of_tier("alert")) for one in found)
    return Count(0, 0, alerts, sum(one.fitness.observed_seconds for one in found) / 3600)


def total(counts: Sequence[Count]) -> Count:
    return sum(counts, Count(0, 0, 0, 0.0))


def in_words(counted: Count, repeats: int) -> str:
    """Intervals count a clip once, however often it was joined with others."""
    text = ""
    if counted.angry:
        share, n = counted.found / counted.angry, counted.angry // repeats
        low, high = wilson_interval(share, n)
        text = f"{counted.found / repeats:.1f} of {n} angry clips raise an alert ({low:.0%} to {high:.0%}); "
    false, hours = counted.false / repeats, counted.hours / repeats
    low, high = poisson_interval(round(false))
    return f"{text}{false:.1f} false alerts in {hours:.3f} h, {false / hours:.1f} an hour ({low / hours:.1f} to {high / hours:.1f})"  # fmt: skip # noqa: E501


def choose(
    pieces: dict[tuple[str, str], list[Piece]],
    kinds: dict[str, int],
    people: list[str],
    runs: Sequence[Run],
    rules: RuleSet,
    model: ModelInfo,
    arguments: argparse.Namespace,
) -> None:
    tried = [
        (
            form,
            {"score": score, "where": where, "enter": enter, "for_": wait, "exit_": min(enter, max(0.0, enter - 0.1))},
        )
        for form, (score, where, enters) in FORMS.items()
        if form in arguments.forms
        for enter, wait in itertools.product(enters, WAITS)
    ]
    sets = [with_rule(rules, arguments.rule, values) for _, values in tried]
    elsewhere = [count_runs(runs, one) if runs else Count(0, 0, 0, 0.0) for one in sets]
    for scope in dict.fromkeys(scope for scope, _ in pieces):
        counts = [
            {person: [count(of(pieces[scope, kind], person), one, model) for kind in kinds] for person in people}
            for one in sets
        ]
        print(f"\n--baseline {scope}: {arguments.rule} chosen on the others")
        chosen = {p: best([other for other in people if other != p], counts, elsewhere, kinds) for p in people}
        for person, i in chosen.items():
            print(f"{person}: {described(tried[i])}: {in_words(counts[i][person][0], next(iter(kinds.values())))}")
        for at, (kind, repeats) in enumerate(kinds.items()):
            print(f"{kind}: {in_words(total([counts[i][person][at] for person, i in chosen.items()]), repeats)}")
        i = best(people, counts, elsewhere, kinds)
        print(f"chosen on all: {described(tried[i])}; runs: {elsewhere[i].false} false in {elsewhere[i].hours:.3f} h")
        for at, (kind, repeats) in enumerate(kinds.items()):
            print(f"  {kind}: {in_words(total([own[at] for own in counts[i].values()]), repeats)}")


def of(pieces: Sequence[Piece], person: str) -> list[Piece]:
    return [piece for piece in pieces if piece.person == person]


def best(
    persons: Sequence[str], counts: list[dict[str, list[Count]]], elsewhere: list[Count], kinds: dict[str, int]
) -> int:
    """Which of the tried rules finds most angry clips of `persons` at a bearable rate of false alerts."""

    def rate(i: int, at: int, repeats: int) -> float:
        own = total([counts[i][person][at] for person in persons])
        return (own.false / repeats + elsewhere[i].false) / (own.hours / repeats + elsewhere[i].hours)

    rates = [max(rate(i, at, repeats) for at, repeats in enumerate(kinds.values())) for i in range(len(counts))]
    fine = [i for i, false in enumerate(rates) if false <= MOST_FALSE_PER_HOUR]
    if not fine:
        return min(range(len(rates)), key=lambda i: rates[i])
    # Among equals the one with the fewest false alerts, then the highest threshold: it is tried last.
    return max(fine, key=lambda i: (sum(counts[i][person][0].found for person in persons), -max(rates[i], 0), i))


def with_rule(rules: RuleSet, name: str, values: dict[str, object]) -> RuleSet:
    changed = tuple(one.model_copy(update=values) if one.name == name else one for one in rules.rules)
    return RuleSet("tried", changed, rules.zones, "")


def described(tried: tuple[str, dict[str, object]]) -> str:
    form, values = tried
    return f"{form} >= {values['enter']:g} for {values['for_']:g} s"


if __name__ == "__main__":
    main()
