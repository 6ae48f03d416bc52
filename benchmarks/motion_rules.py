"""Chooses the threshold of the notice of agitated motion on scenes, and reports it on other, normal footage.

    python benchmarks/motion_rules.py VIDEOS

Scenes are the clips of benchmarks/motion.py: fights laid into a minute of normal footage. Scenes and normal footage are
judged by models that never saw the recording. Chosen is the variant that finds most fights, and of those most within
two seconds, with at most two other notices per hour in scenes and one on normal footage. Of that, one video surrounds
half of the scenes. Then the same choice is made on one half of the recordings and of the normal footage, and reported
on the other, both ways round.
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
ENTERS, WAITS = (0.55, 0.6, 0.65, 0.7, 0.75), (0.8, 1.2, 1.6)
STRONGS: tuple[tuple[float | None, float], ...] = ((None, 0.0), *product((0.9, 0.95), (0.2, 0.4, 0.8)))
PROMPT_SECONDS = 2.0
CONDITIONS = ("", *(f"not (agitation_usual < {share:g})" for share in (0.8, 0.9)))
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
    recording: int
    begin: float
    end: float
    judged: Judged


@dataclass(frozen=True)
class Found:
    """What a variant of the rule does with scenes: the delays of the notices in fights, and how many are elsewhere."""

    n: int
    delays: tuple[float, ...]
    n_other: int

    @property
    def n_found(self) -> int:
        return len(self.delays)

    @property
    def n_prompt(self) -> int:
        return sum(delay <= PROMPT_SECONDS for delay in self.delays)

    @property
    def other_per_hour(self) -> float:
        return self.n_other / (self.n * SCENE_SECONDS / 3600)

    def text(self) -> str:
        low, high = wilson_interval(self.n_found / self.n, self.n)
        share = f"{self.n_found} of {self.n} fights, {self.n_found / self.n:.0%} ({low:.0%} to {high:.0%})"
        delay = float(np.median(self.delays)) if self.delays else float("nan")
        prompt = f"median delay {delay:.1f} s, {self.n_prompt} within {PROMPT_SECONDS:g} s"
        return f"{share}, {prompt}; {self.n_other} other notices, {self.other_per_hour:.1f} per hour"


@dataclass(frozen=True)
class Outcome:
    """What a variant does with each scene (delay of its notice or None, other notices), and each normal video."""

    rule: Rule
    scenes: tuple[tuple[Scene, float | None, int], ...]
    normal: dict[str, int]

    def of(self, half: int | None) -> tuple[dict[str, Found], int]:
        """By kind of scene, and the notices on normal footage, of one half of the recordings and videos or of all."""
        order = sorted({scene.recording for scene, _, _ in self.scenes})
        own = {recording for i, recording in enumerate(order) if half is None or i % 2 == half}
        found = {}
        for kind in dict.fromkeys(scene.kind for scene, _, _ in self.scenes):
            rows = [row for row in self.scenes if row[0].kind == kind and row[0].recording in own]
            delays = tuple(delay for _, delay, _ in rows if delay is not None)
            found[kind] = Found(len(rows), delays, sum(n for _, _, n in rows))
        return found, sum(n for i, n in enumerate(self.normal.values()) if half is None or i % 2 == half)

    def worth(self, half: int | None) -> tuple[int, int] | None:
        """Fights found, and found in time; None where the targets are missed."""
        found, n_normal = self.of(half)
        if n_normal > MOST_ON_NORMAL or any(each.other_per_hour > TARGET_PER_HOUR for each in found.values()):
            return None
        return sum(each.n_found for each in found.values()), sum(each.n_prompt for each in found.values())

    def words(self) -> str:
        rule = self.rule
        strong = "" if rule.strong is None else f", {rule.strong_for:g} s from {rule.strong:g} on"
        return (
            f"enter {rule.enter:g}, exit {rule.leave:g}, for {rule.for_:g} s{strong}, where {rule.where or 'anywhere'}"
        )


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
            made.append(Scene(kind, clip.recording, n_before / FPS, (n_before + len(fight)) / FPS, found))
    return made


def outcome_of(rule: Rule, scenes: Sequence[Scene], normal: dict[str, Judged]) -> Outcome:
    """What a rule does with all scenes and all normal footage."""
    rows = []
    for scene in scenes:
        found = notices(rule, scene.judged)
        own = [raised for raised in found if scene.begin <= raised <= scene.end + WINDOW_SECONDS]
        rows.append((scene, max(0.0, own[0] - scene.begin) if own else None, len(found) - len(own)))
    return Outcome(rule, tuple(rows), {name: len(notices(rule, each)) for name, each in normal.items()})


def variants(rule: Rule) -> list[Rule]:
    """The rule at other thresholds, durations and conditions."""
    return [
        rule.model_copy(
            update={
                "enter": enter,
                "exit_": round(enter - EXIT_BELOW, 2),
                "for_": wait,
                "where": condition or None,
                "strong": strong,
                "strong_for": strong_for,
            }
        )
        for condition, enter, wait, (strong, strong_for) in product(CONDITIONS, ENTERS, WAITS, STRONGS)
        if strong is None or strong > enter
    ]


def best_of(outcomes: Sequence[Outcome], half: int | None) -> Outcome:
    """The variant that finds most within the targets, judged by one half or by all."""
    allowed = [(worth, -i) for i, one in enumerate(outcomes) if (worth := one.worth(half)) is not None]
    if not allowed:
        raise SystemExit("no variant meets the targets")
    return outcomes[-max(allowed)[1]]


def report_halves(outcomes: Sequence[Outcome], half: int) -> None:
    """The choice on one half, and what it does on the other; first without, then with a strong score."""
    for words, own in (
        ("one level", [one for one in outcomes if one.rule.strong is None]),
        ("two levels", outcomes),
    ):
        chosen = best_of(own, half)
        found, n_normal = chosen.of(1 - half)
        print(f"chosen on half {half}, {words}: {chosen.words()}; on the other half:")
        for kind, each in found.items():
            print(f"  {kind}: {each.text()}")
        print(f"  {n_normal} on normal footage")


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


def report_rule(name: str, outcome: Outcome, normal: dict[str, Judged]) -> None:
    """What a rule finds, and raises where there is nothing."""
    print(f"{name}: {outcome.words()}")
    for kind, found in outcome.of(None)[0].items():
        print(f"  {kind}: {found.text()}")
    report_normal(outcome.rule, normal)


def report(clips: Sequence[Clip], fitted: Fitted, normal: dict[str, Rows]) -> None:
    """Choose, and report the choice and the shipped rule."""
    shipped = next(rule for rule in load_rules("cctv").rules if rule.name == NAME)
    scenes = scenes_of(clips, fitted, normal[STILLS[0]])
    unseen = {
        name: judged(rows, fitted.left_out.get(number, fitted.model))
        for number, (name, rows) in enumerate(normal.items(), FIRST_NORMAL)
    }
    report_rule("shipped", outcome_of(shipped, scenes, unseen), unseen)
    print("by the shipped model, which learned from this footage", flush=True)
    report_normal(shipped, {name: judged(rows, fitted.model) for name, rows in normal.items()})
    outcomes = [outcome_of(rule, scenes, unseen) for rule in variants(shipped)]
    print(f"{len(outcomes)} variants, {sum(one.worth(None) is not None for one in outcomes)} within the targets")
    report_rule("chosen", best_of(outcomes, None), unseen)
    for half in (0, 1):
        report_halves(outcomes, half)


def main() -> None:
    """Fit the models, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("videos", type=Path)
    videos = parser.parse_args().videos
    clips, normal = read_clips(videos / "fights"), normal_footage(videos)
    report(clips, fit(clips, normal), normal)


if __name__ == "__main__":
    main()
