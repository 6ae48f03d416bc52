"""Chooses the threshold of the notice of agitated motion on scenes, and reports it on other, normal footage.

    python benchmarks/motion_rules.py VIDEOS

Scenes are those of benchmarks/motion.py: fights laid into a minute of normal footage, each judged by a model that never
saw its recording. Chosen is the variant that finds most fights with at most two other notices per hour. Of the normal
footage, one video surrounds half of the scenes; the rest is not used for the choice, and is reported by itself too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from fervid.alerts.find.finder import Finder, Samples
from fervid.alerts.language.rules import Rule, RuleSet, bind, load_rules
from fervid.alerts.measure.agitation_fit import Fitted
from fervid.interpret.agitation_model import load_agitation_model
from fervid.stats.intervals import poisson_interval
from fervid.stats.metrics import wilson_interval
from motion import (
    FIGHTS,
    FPS,
    LOOPS,
    NORMAL,
    SCENE_SECONDS,
    STILLS,
    WINDOW_SECONDS,
    Clip,
    Rows,
    agitation_of,
    fit,
    grays,
    read_clips,
    rows_of,
)

NAME = "agitated-motion"
TARGET_PER_HOUR = 2.0
ENTERS, WAITS = tuple(i / 20 for i in range(10, 20)), (0.4, 1.0, 1.5, 2.0)
EXIT_BELOW = 0.15
"""An event ends this far below where it begins."""
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@dataclass(frozen=True)
class Scene:
    """Agitation over a minute, and from when to when the fight is."""

    kind: str
    begin: float
    end: float
    times: np.ndarray
    agitation: np.ndarray


@dataclass(frozen=True)
class Found:
    """What a variant of the rule does with scenes."""

    n: int
    n_found: int
    n_other: int
    delay: float

    @property
    def other_per_hour(self) -> float:
        return self.n_other / (self.n * SCENE_SECONDS / 3600)

    def text(self) -> str:
        low, high = wilson_interval(self.n_found / self.n, self.n)
        share = f"{self.n_found} of {self.n} fights, {self.n_found / self.n:.0%} ({low:.0%} to {high:.0%})"
        other = f"{self.n_other} other notices, {self.other_per_hour:.1f} per hour"
        return f"{share}, median delay {self.delay:.1f} s; {other}"


def notices(rule: Rule, times: np.ndarray, agitation: np.ndarray) -> list[float]:
    """When notices are raised, as `fervid alerts` finds them."""
    rules = RuleSet("benchmark", (rule.model_copy(update={"yields_to": ()}),), (), "")
    finder = Finder(bind(rules, LABELS), (), spacing_seconds=1 / FPS)
    none = np.zeros(0, int)
    finder.feed(
        Samples(times, none, none, {}, np.zeros(0, bool), np.zeros((0, 2)), frame_columns={"agitation": agitation})
    )
    return [alert.raised for alert in finder.alerts[0]]


def scenes_of(clips: Sequence[Clip], fitted: Fitted, long_rows: Rows) -> list[Scene]:
    """Each fight in a minute of normal clips of its recording, and in a minute of a long video."""
    known = {clip.name: [row for row in clip.phases[0] if len(row[1])] for clip in clips}
    made = []
    for clip in clips:
        calm = [row for one in clips if one.recording == clip.recording and not one.is_fight for row in known[one.name]]
        for kind, normal in (("the same recording", calm), ("long footage", [row for row in long_rows if len(row[1])])):
            if not clip.is_fight or not normal:
                continue
            fight = known[clip.name] * LOOPS
            n_before = int((SCENE_SECONDS - len(fight) / FPS) / 2 * FPS)
            around = (normal * (n_before // len(normal) + 1))[:n_before]
            rows = [(i / FPS, row) for i, (_, row) in enumerate([*around, *fight, *around])]
            judged = agitation_of(rows, fitted.left_out[clip.recording])
            made.append(Scene(kind, n_before / FPS, (n_before + len(fight)) / FPS, *judged))
    return made


def measure(rule: Rule, scenes: Sequence[Scene]) -> Found:
    """In how many fights a notice is raised, how late, and how many are raised elsewhere."""
    delays, other = [], 0
    for scene in scenes:
        found = notices(rule, scene.times, scene.agitation)
        own = [raised for raised in found if scene.begin <= raised <= scene.end + WINDOW_SECONDS]
        other += len(found) - len(own)
        delays += [max(0.0, own[0] - scene.begin)] if own else []
    return Found(len(scenes), len(delays), other, float(np.median(delays)) if delays else float("nan"))


def variants(rule: Rule) -> list[Rule]:
    """The rule at other thresholds and durations."""
    return [
        rule.model_copy(update={"enter": enter, "exit_": round(enter - EXIT_BELOW, 2), "for_": wait})
        for enter, wait in product(ENTERS, WAITS)
    ]


def choose(rule: Rule, scenes: Sequence[Scene]) -> Rule:
    """The variant that finds most within the target in both kinds of scenes; every variant is printed."""
    best: tuple[int, Rule] | None = None
    kinds = {kind: [scene for scene in scenes if scene.kind == kind] for kind in dict.fromkeys(s.kind for s in scenes)}
    for one in variants(rule):
        found = {kind: measure(one, own) for kind, own in kinds.items()}
        is_allowed = all(each.other_per_hour <= TARGET_PER_HOUR for each in found.values())
        n_found = sum(each.n_found for each in found.values())
        if is_allowed and (best is None or n_found > best[0]):
            best = n_found, one
        shares = ", ".join(f"{each.n_found / each.n:.0%} and {each.other_per_hour:.1f}/h" for each in found.values())
        print(f"  enter {one.enter:.2f} for {one.for_:.1f} s: {shares}{'' if is_allowed else '  above the target'}")
    if best is None:
        raise SystemExit("no variant meets the target")
    print(f"chosen: enter {best[1].enter:g}, exit {best[1].leave:g}, for {best[1].for_:g} s")
    for kind, own in kinds.items():
        print(f"  {kind}: {measure(best[1], own).text()}")
    return best[1]


def normal_footage(videos: Path) -> dict[str, Rows]:
    """The flow statistics of all long footage without a fight."""
    paths = sorted(path for name in NORMAL for path in (videos / name).iterdir())
    named = {path.relative_to(videos).as_posix(): path for path in paths}
    return {
        name: rows_of(grays(path, FPS))
        for name, path in named.items()
        if not name.startswith(FIGHTS) and not path.name.startswith(("nofi", "SOURCES"))
    }


def report_normal(rule: Rule, normal: dict[str, Rows]) -> None:
    """Notices on footage without a fight, and on that which does not surround scenes."""
    model = load_agitation_model("surveillance")
    spent: dict[str, tuple[float, int]] = {}
    for name, rows in normal.items():
        times, agitation = agitation_of(rows, model)
        spent[name] = (times[-1] - times[0]) / 3600, len(notices(rule, times, agitation))
        if spent[name][1]:
            print(f"  {name}: {spent[name][1]}")
    for words, left_out in (("all normal footage", ""), ("without that of the scenes", STILLS[0])):
        own = [one for name, one in spent.items() if name != left_out]
        hours, n = sum(one[0] for one in own), sum(one[1] for one in own)
        low, high = (bound / hours for bound in poisson_interval(n))
        print(f"  {words}: {n} in {hours:.3f} h, {n / hours:.1f} per hour ({low:.1f} to {high:.0f})")


def main() -> None:
    """Choose, and report the choice and the shipped rule."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("videos", type=Path)
    videos = parser.parse_args().videos
    clips = read_clips(videos / "fights")
    report(clips, fit(clips)[0], normal_footage(videos))


def report(clips: Sequence[Clip], fitted: Fitted, normal: dict[str, Rows]) -> None:
    """All parts."""
    shipped = next(rule for rule in load_rules("cctv").rules if rule.name == NAME)
    scenes = scenes_of(clips, fitted, normal[STILLS[0]])
    report_normal(choose(shipped, scenes), normal)
    print(f"shipped: enter {shipped.enter:g}, exit {shipped.leave:g}, for {shipped.for_:g} s")
    for kind in dict.fromkeys(scene.kind for scene in scenes):
        print(f"  {kind}: {measure(shipped, [scene for scene in scenes if scene.kind == kind]).text()}")
    report_normal(shipped, normal)


if __name__ == "__main__":
    main()
