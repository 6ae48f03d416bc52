"""Chooses the threshold of the notice of agitated motion on scenes, and reports it on other, normal footage.

    python benchmarks/motion_rules.py VIDEOS

Scenes are the clips of benchmarks/motion.py: fights laid into a minute of normal footage. Scenes and normal footage are
judged by models that never saw the recording. Chosen is the variant that finds most fights with at most two other
notices per hour in scenes, of those that raise fewest notices on normal footage. Of that, one video surrounds half of
the scenes.
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
from fervid.interpret.agitation import Usual
from fervid.interpret.agitation_model import AgitationModel
from fervid.stats.intervals import poisson_interval
from fervid.stats.metrics import wilson_interval
from motion import (
    FIRST_NORMAL,
    FPS,
    LOOPS,
    SCENE_SECONDS,
    STILLS,
    WINDOW_SECONDS,
    Clip,
    Rows,
    agitation_of,
    fit,
    normal_footage,
    read_clips,
)

NAME = "agitated-motion"
TARGET_PER_HOUR = 2.0
MOST_ON_NORMAL = 1
"""Notices on normal footage that a variant may raise: there is too little of it to tell none from two per hour."""
ENTERS, WAITS = tuple(i / 20 for i in range(7, 19)), (0.4, 0.8, 1.2, 1.6)
CONDITIONS = ("", *(f"not (agitation_usual < {share:g})" for share in (0.8, 0.85, 0.9)))
"""What is unknown is not below: notices are also raised where too little is known of the camera."""
EXIT_BELOW = 0.15
"""An event ends this far below where it begins."""
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@dataclass(frozen=True)
class Judged:
    """Agitation of frames, and how unusual it is, NaN where unknown."""

    times: np.ndarray
    agitation: np.ndarray
    usual: np.ndarray


def judged(rows: Rows, model: AgitationModel) -> Judged:
    times, agitation = agitation_of(rows, model)
    usual = Usual()
    usual.add(agitation, np.full(len(times), 1 / FPS))
    return Judged(times, agitation, usual.rank(agitation))


@dataclass(frozen=True)
class Scene:
    """A minute, and from when to when the fight is."""

    kind: str
    begin: float
    end: float
    judged: Judged


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


def notices(rule: Rule, found: Judged) -> list[float]:
    """When notices are raised, as `fervid alerts` finds them."""
    rules = RuleSet("benchmark", (rule.model_copy(update={"yields_to": ()}),), (), "")
    finder = Finder(bind(rules, LABELS), (), spacing_seconds=1 / FPS)
    none = np.zeros(0, int)
    columns = {"agitation": found.agitation, "agitation_usual": found.usual}
    finder.feed(Samples(found.times, none, none, {}, np.zeros(0, bool), np.zeros((0, 2)), frame_columns=columns))
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
            found = judged(rows, fitted.left_out[clip.recording])
            made.append(Scene(kind, n_before / FPS, (n_before + len(fight)) / FPS, found))
    return made


def measure(rule: Rule, scenes: Sequence[Scene]) -> Found:
    """In how many fights a notice is raised, how late, and how many are raised elsewhere."""
    delays, other = [], 0
    for scene in scenes:
        found = notices(rule, scene.judged)
        own = [raised for raised in found if scene.begin <= raised <= scene.end + WINDOW_SECONDS]
        other += len(found) - len(own)
        delays += [max(0.0, own[0] - scene.begin)] if own else []
    return Found(len(scenes), len(delays), other, float(np.median(delays)) if delays else float("nan"))


def variants(rule: Rule) -> list[Rule]:
    """The rule at other thresholds, durations and conditions."""
    return [
        rule.model_copy(
            update={"enter": enter, "exit_": round(enter - EXIT_BELOW, 2), "for_": wait, "where": condition or None}
        )
        for condition, enter, wait in product(CONDITIONS, ENTERS, WAITS)
    ]


def choose(rule: Rule, scenes: Sequence[Scene], normal: dict[str, Judged]) -> Rule:
    """The variant that finds most within the targets; every variant is printed."""
    best: tuple[int, Rule] | None = None
    kinds = {kind: [scene for scene in scenes if scene.kind == kind] for kind in dict.fromkeys(s.kind for s in scenes)}
    for one in variants(rule):
        n_normal = sum(len(notices(one, each)) for each in normal.values())
        found = {kind: measure(one, own) for kind, own in kinds.items()}
        is_quiet = all(each.other_per_hour <= TARGET_PER_HOUR for each in found.values())
        is_allowed = is_quiet and n_normal <= MOST_ON_NORMAL
        n_found = sum(each.n_found for each in found.values())
        if is_allowed and (best is None or n_found > best[0]):
            best = n_found, one
        shares = ", ".join(f"{each.n_found / each.n:.0%} and {each.other_per_hour:.1f}/h" for each in found.values())
        words = f"enter {one.enter:.2f} for {one.for_:.1f} s {one.where or '':30}"
        print(f"  {words} {shares}, {n_normal} on normal footage{'' if is_allowed else '  above the targets'}")
    if best is None:
        raise SystemExit("no variant meets the targets")
    return best[1]


def report_normal(rule: Rule, normal: dict[str, Judged]) -> None:
    """Notices on footage without a fight, and on that which does not surround scenes."""
    raised = {name: len(notices(rule, each)) for name, each in normal.items()}
    for words, left_out in (("all normal footage", ""), ("without that of the scenes", STILLS[0])):
        names = [name for name in normal if name != left_out]
        hours = sum(float(np.ptp(normal[name].times)) for name in names) / 3600
        n = sum(raised[name] for name in names)
        low, high = (bound / hours for bound in poisson_interval(n))
        print(f"  {words}: {n} in {hours:.3f} h, {n / hours:.1f} per hour ({low:.1f} to {high:.0f})")
    print(f"  in: {', '.join(name for name, n in raised.items() if n) or 'none'}")


def report_rule(name: str, rule: Rule, scenes: Sequence[Scene], normal: dict[str, Judged]) -> None:
    """What a rule finds, and raises where there is nothing."""
    print(f"{name}: enter {rule.enter:g}, exit {rule.leave:g}, for {rule.for_:g} s, where {rule.where or 'anywhere'}")
    for kind in dict.fromkeys(scene.kind for scene in scenes):
        print(f"  {kind}: {measure(rule, [scene for scene in scenes if scene.kind == kind]).text()}")
    report_normal(rule, normal)


def report(clips: Sequence[Clip], fitted: Fitted, normal: dict[str, Rows]) -> None:
    """Choose, and report the choice and the shipped rule."""
    shipped = next(rule for rule in load_rules("cctv").rules if rule.name == NAME)
    scenes = scenes_of(clips, fitted, normal[STILLS[0]])
    unseen = {
        name: judged(rows, fitted.left_out.get(number, fitted.model))
        for number, (name, rows) in enumerate(normal.items(), FIRST_NORMAL)
    }
    report_rule("chosen", choose(shipped, scenes, unseen), scenes, unseen)
    report_rule("shipped", shipped, scenes, unseen)
    print("by the shipped model, which learned from this footage")
    report_normal(shipped, {name: judged(rows, fitted.model) for name, rows in normal.items()})


def main() -> None:
    """Fit the models, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("videos", type=Path)
    videos = parser.parse_args().videos
    clips, normal = read_clips(videos / "fights"), normal_footage(videos)
    report(clips, fit(clips, normal), normal)


if __name__ == "__main__":
    main()
