"""Rules on a run as the page asks for them: its scores, why at a moment, what another threshold would change.

All answers come from the functions behind `fervid alerts`, `--explain` and `--diff`. Runs are read once and
kept, as far as memory allows. A page from disk, which can ask nobody, gets the answers for a grid of thresholds along.
Writes no file.
"""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from fervid.alerts.find.explain import Trial, Tried, compare
from fervid.alerts.find.finder import levels
from fervid.alerts.find.records import AlertRecord
from fervid.alerts.language.rule_text import rules_text
from fervid.alerts.language.rules import RuleSet, default_rules, with_threshold
from fervid.errors import ConfigError
from fervid.review.columns import pack, pack_numbers
from fervid.review.content import face_order
from fervid.run.bad_values import BAD_VALUES
from fervid.run.files import ALERTS_JSON
from fervid.run.handle import Run

TRIAL_STEP, MOST_TRIALS = 0.02, 50
"""Of the thresholds that a page from disk can try: the rule's own is among them."""
FACES_OF_TRIALS = 500_000
"""Faces that all trials of a rule look at: a long run gets fewer of them, at least LEAST_TRIALS."""
LEAST_TRIALS = 8
MOST_FACES_KEPT = 2_000_000
"""Of all runs whose samples are kept in memory: about 100 bytes each."""


class RuleDesk:
    """Runs rules over runs for whoever looks at them. For several threads at once."""

    def __init__(self, rules: RuleSet | None) -> None:
        """`rules` are those for all runs; None takes those that `fervid alerts` would take for each."""
        self._given = rules
        self._kept: OrderedDict[tuple[str, str], Tried] = OrderedDict()
        self._lock = threading.Lock()
        self._last: tuple[tuple[str, str, str, float], Tried] | None = None

    def rules(self, run: Run) -> RuleSet:
        """The rules for a run."""
        return self._given or default_rules(run.manifest.settings)

    def scores(self, run: Run) -> dict[str, Any]:
        """The rules, and for each its score of every face of the page (of every frame, over = group).

        `stands` is 0 where the rule may not judge, 1 where a condition of it is false, 2 where the score decides.

        Raises ConfigError for rules that do not fit the labels of the run.
        """
        tried = self._tried(run)
        samples = tried.trial.samples
        shown = []
        for i, b in enumerate(tried.bound):
            rule = b.rule
            about: dict[str, Any] = {
                "name": rule.name, "wording": rule.wording, "tier": rule.tier, "over": rule.over, "score": rule.score,
                "where": rule.where, "enter": rule.enter, "exit": rule.leave, "for_s": rule.for_,
                "strong": rule.strong, "strong_for_s": rule.strong_for,
            }  # fmt: skip
            judged = tried.finder.judged[i]
            every = np.arange(len(judged.score))
            own = every if rule.over == "group" else face_order(samples.frame_of_face, samples.track_ids)[0]
            about["scores"] = pack_numbers(judged.score[own])
            counts = every >= 0 if rule.over == "group" else samples.is_usable & judged.is_in_place
            about["stands"] = pack(counts[own].astype(np.uint8) + (counts & judged.holds)[own], "u8")
            shown.append(about)
        return {"source": self.rules(run).source, "rules": shown, "is_stored": self._is_stored(run)}

    def why(self, run: Run, seconds: float, rule: str | None = None, enter: float | None = None) -> dict[str, Any]:
        """What each rule did at a moment, with one of them at another threshold if wanted."""
        answers = self._at(run, rule, enter).answers(seconds)
        if isinstance(answers, str):
            return {"problem": answers, "rules": []}
        return {
            "problem": None,
            "rules": [
                {
                    "name": one.rule.name,
                    "tier": one.rule.tier,
                    "verdict": one.verdict,
                    "problem": one.problem,
                    "faces": [
                        {"track": face.track_id, "short": face.short, "lines": list(face.lines)}
                        for face in one.standings
                    ],
                }
                for one in answers
            ],
        }

    def what_if(self, run: Run, rule: str, enter: float) -> dict[str, Any]:
        """The alerts that a rule at another threshold would add and remove in a run. Raises ConfigError."""
        before = self._tried(run).records
        after = self._at(run, rule, enter).records
        change = compare(before, after)
        return {
            "before": _counts(before, rule),
            "after": _counts(after, rule),
            "added": [_brief(record) for record in change.added],
            "removed": [_brief(record) for record in change.removed],
            "changed": len(change.changed),
        }

    # Decision REV-9.
    def for_disk(self, run: Run) -> dict[str, Any] | None:
        """`scores`, and with each rule what `what_if` says at a grid of thresholds; None for rules that do not fit."""
        try:
            content = self.scores(run)
        except ConfigError:
            return None
        for about in content["rules"]:
            about["trials"] = self._trials(run, about["name"], about["enter"])
        return content

    def _trials(self, run: Run, rule: str, enter: float) -> dict[str, Any]:
        """By threshold what `what_if` says: the alerts as [place of the rule, start, end, peak score]."""
        tried = self._tried(run)
        before, rules = tried.records, {b.rule.name: i for i, b in enumerate(tried.bound)}
        place = {record.alert_id: i for i, record in enumerate(before)}
        judged, own = tried.finder.judged[rules[rule]], tried.bound[rules[rule]].rule
        trials: dict[str, Any] = {"before": [_brief(record) for record in before], "enter": [], "added": []}
        trials |= {"removed": [], "changed": [], "rule": []}
        last, after = b"", before
        for at in _thresholds(enter, len(tried.trial.samples.track_ids)):
            level = levels(judged.score, judged.holds, own.at(at)).astype(np.uint8).tobytes()
            if level != last:  # between two scores every threshold comes to the same
                last, after = level, self._at(run, rule, at).records
            change = compare(before, after)
            trials["enter"].append(at)
            trials["added"].append([_numbers(rules, record) for record in change.added])
            trials["removed"].append([place[record.alert_id] for record in change.removed])
            trials["changed"].append(len(change.changed))
            trials["rule"].append(_counts(after, rule)["rule"])
        return trials

    def text(self, run: Run, rule: str, enter: float) -> str:
        """The rules of a run with one of them at another threshold, as a file for `--rules`. Raises ConfigError."""
        rules = self.rules(run)
        changed = with_threshold(rules, rule, enter)
        comment = f"{rules.source}, with rule {rule} from {enter:g}. Made on the review page."
        return rules_text(changed.rules, changed.zones, comment=comment)

    def _at(self, run: Run, rule: str | None, enter: float | None) -> Tried:
        if rule is None or enter is None:
            return self._tried(run)
        key = (*_key(run), rule, enter)
        last = self._last  # a page asks what a threshold changes, then why, about the same one
        if last is None or last[0] != key:
            self._last = last = key, self._tried(run).trial.tried(with_threshold(self.rules(run), rule, enter))
        return last[1]

    def _tried(self, run: Run) -> Tried:
        """The unchanged rules over a run; its samples are kept until there are too many."""
        key = _key(run)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        rules = self.rules(run)
        tried = Trial(run, rules).tried(rules)
        with self._lock:
            self._kept[key] = tried
            while len(self._kept) > 1 and sum(map(_n_faces, self._kept.values())) > MOST_FACES_KEPT:
                self._kept.popitem(last=False)
        return tried

    def _is_stored(self, run: Run) -> bool | None:
        """Whether the run's stored alerts were found with these rules; None without stored alerts."""
        try:
            return bool(json.loads((run.folder / ALERTS_JSON).read_text())["rules_sha256"] == self.rules(run).sha256)
        except (OSError, *BAD_VALUES):
            return None


def _key(run: Run) -> tuple[str, str]:
    return str(run.folder), f"{run.manifest.settings_hash} {run.manifest.finished_utc}"


def _thresholds(enter: float, n_faces: int) -> list[float]:
    """Thresholds from near 0 to 1 (or beyond a larger one), at equal steps from a rule's own."""
    most = min(MOST_TRIALS, max(LEAST_TRIALS, FACES_OF_TRIALS // max(1, n_faces)))
    highest = max(1.0, 1.5 * enter)
    step = TRIAL_STEP * math.ceil(highest / most / TRIAL_STEP - 1e-9)
    below, above = (max(0, math.floor(room / step + 1e-9)) for room in (enter - TRIAL_STEP, highest - enter))
    return [round(enter + k * step, 4) for k in range(-below, above + 1)]


def _n_faces(tried: Tried) -> int:
    return 1 + len(tried.trial.samples.track_ids)


def _counts(records: tuple[AlertRecord, ...], rule: str) -> dict[str, int]:
    return {"all": len(records), "rule": sum(record.rule == rule for record in records)}


def _numbers(places: dict[str, int], record: AlertRecord) -> list[float]:
    return [places[record.rule], round(record.start_s, 2), round(record.end_s, 2), round(record.peak_score, 3)]


def _brief(record: AlertRecord) -> dict[str, Any]:
    names = ("alert_id", "rule", "wording", "tier", "start_s", "end_s", "peak_s", "peak_score")
    return {name: getattr(record, name) for name in names}
