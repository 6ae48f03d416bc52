"""Fits a read-out over time to labelled recordings: how much, and in which direction, it changes the network's answer.

A multinomial logistic regression on mean scores, added to the network's own log-probabilities, in two parts: one of
single frames, and one that grows with time. Recordings are answered by both parts. Photographs are answered twice: by
the first part alone, and by both, as a still face of a long video would be. A ridge penalty on all weights and a
penalty (cross-entropy) on photographs hold it back: PublicTest to the network's own answer, photographs with labels, if
given, to these, so that labels that the recordings lack are not forgotten.
Everything that is reported, and the weight of the photographs, comes from people left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fervid.emotion.calibration import softmax
from fervid.emotion.heads import calibrated_scores, label_probabilities, resolved_source
from fervid.emotion.model import ModelInfo
from fervid.emotion.readout import STRENGTH_WITHOUT_BASELINE, Correction, Readout

PHOTOGRAPH_WEIGHTS = (1.0, 2.0, 3.0, 5.0, 8.0, 16.0)
"""How much PublicTest counts over time, in units of all recordings together; one is chosen."""
FRAME_WEIGHT = 5.0
"""How much it counts as single frames."""
LABELLED_SHARES = (0.2, 0.05)
"""How much labelled photographs count for each unit of PublicTest, as single frames and over time."""
MOST_CHANGED = 0.05
"""Largest share of PublicTest, of the faces that are not fitted to, whose answer may change over time."""
RIDGE, BIAS_RIDGE = 3.0, 1.0
HALF_LIFE_SECONDS = 0.4
"""Of the smoothing at which it is applied: that of the smoothed scores. Longer ones blur where an expression begins and
ends, which recordings with one expression each cannot show."""
LARGEST_BALANCE = 2.0
"""Labels count alike, but a recording of a rare one counts at most so often."""
FITTED_TO = 4
"""One photograph of so many is fitted to; the others judge."""
STEPS, SMALL_STEP = 25, 1e-5


@dataclass(frozen=True, slots=True)
class LabelledRecording:
    """One recording of one person: the mean scores (L,) of all heads as `calibrated_scores` gives them.

    `relative` (L,) are the same less the usual look of the person, measured over the person's recordings; equal to
    `scores` where there is one alone.
    """

    name: str
    person: str
    label: str
    scores: np.ndarray
    relative: np.ndarray


@dataclass(frozen=True, slots=True)
class LabelledPhotographs:
    """Logits (N, L) of single faces, and the `labels` (N,) that they should get, as numbers of the model's labels."""

    logits: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The answers to one recording by read-outs that were fitted without its person, and by the network alone.

    Each pair is without and with the baseline of the person's recordings.
    """

    recording: LabelledRecording
    network: tuple[str, str]
    answers: tuple[str, str]


@dataclass(frozen=True, slots=True)
class FittedReadout:
    """The coefficients of a read-out (2 + 2 L, C), with how it was chosen: bias and weights of single frames, and those
    that grow with time."""

    usual: np.ndarray
    coefficients: np.ndarray
    photograph_weight: float
    changed_share: float
    """Share of PublicTest, of the faces that were not fitted to, whose answer over time differs from the network's."""
    n_labelled: int
    """Photographs with labels that it was fitted to."""

    def readout(self, model: ModelInfo) -> Readout:
        """What an analysis applies."""
        frame, over_time = (
            Correction(tuple(_rounded(row) for row in part[1:]), _rounded(part[0]))
            for part in np.split(self.coefficients, 2)
        )
        return Readout(
            weights_sha256=model.weights_sha256,
            source=resolved_source(model, "auto"),
            labels=model.labels,
            half_life_seconds=HALF_LIFE_SECONDS,
            usual=_rounded(self.usual),
            frame=frame,
            over_time=over_time,
        )


@dataclass(frozen=True, slots=True)
class _Cases:
    """What is fitted to: `scores` (n, L), `targets` (n, C), `weights` (n,), and 0 or 1 times the part that grows."""

    scores: np.ndarray
    strength: float
    targets: np.ndarray
    weights: np.ndarray


class ReadoutFitter:
    """Fits read-outs of one model; `photographs` (N, L) are the logits of PublicTest."""

    def __init__(
        self, model: ModelInfo, photographs: np.ndarray, labelled: LabelledPhotographs | None = None, *, first: int = 0
    ) -> None:
        """`first` says which of FITTED_TO photographs are fitted to."""
        self._model = model
        scores = calibrated_scores(photographs, model)
        self.usual = scores.mean(axis=0)
        is_fitted_to = np.arange(len(scores)) % FITTED_TO == first
        self._fitted_to, self._held_out = scores[is_fitted_to], scores[~is_fitted_to]
        self._labelled = labelled

    def fit(self, recordings: Sequence[LabelledRecording]) -> FittedReadout:
        """The read-out of all these recordings, with the weight of the photographs chosen by leaving people out."""
        return self.fit_with(recordings, self._choose(recordings))

    def left_out(self, recordings: Sequence[LabelledRecording]) -> list[LeftOut]:
        """Of each recording the answers of a read-out that was chosen and fitted without its person."""
        found = []
        for person in sorted({recording.person for recording in recordings}):
            own = [recording for recording in recordings if recording.person == person]
            fitted = self.fit([recording for recording in recordings if recording.person != person])
            views = [np.stack([getattr(one, view) for one in own]) for view in VIEWS]
            answers = [
                self._labels(self.log_probabilities(view, fitted, strength))
                for view, strength in zip(views, APPLIED_STRENGTHS, strict=True)
            ]
            network = [self._labels(self._network(view)) for view in views]
            found += [LeftOut(one, (network[0][i], network[1][i]), (answers[0][i], answers[1][i]))
                      for i, one in enumerate(own)]  # fmt: skip
        return found

    def log_probabilities(self, scores: np.ndarray, fitted: FittedReadout, strength: float = 1.0) -> np.ndarray:
        """Of the labels, (n, C), from mean scores (n, L), with this share of the part that grows with time."""
        return _log_softmax(self._network(scores) + self._inputs(scores, strength) @ fitted.coefficients)

    def _choose(self, recordings: Sequence[LabelledRecording]) -> float:
        """The weight of the photographs at which people left out are recognised best, among those that change few."""
        persons = sorted({recording.person for recording in recordings})
        losses: dict[float, float] = {}
        for weight in PHOTOGRAPH_WEIGHTS:
            loss, changed = 0.0, []
            for person in persons:
                own = [recording for recording in recordings if recording.person == person]
                fitted = self.fit_with([recording for recording in recordings if recording.person != person], weight)
                truth = [self._model.labels.index(recording.label) for recording in own]
                for view in VIEWS:
                    scores = np.stack([getattr(one, view) for one in own])
                    loss -= float(self.log_probabilities(scores, fitted)[np.arange(len(own)), truth].sum())
                changed.append(fitted.changed_share)
            if np.mean(changed) <= MOST_CHANGED:
                losses[weight] = loss
        return min(losses, key=lambda weight: losses[weight]) if losses else PHOTOGRAPH_WEIGHTS[-1]

    def fit_with(self, recordings: Sequence[LabelledRecording], photograph_weight: float) -> FittedReadout:
        """The read-out of all these recordings with a given weight of the photographs over time."""
        cases = self._of_recordings(recordings)
        total = sum(float(case.weights.sum()) for case in cases)
        for strength, weight, share in zip((0.0, 1.0), (FRAME_WEIGHT, photograph_weight), LABELLED_SHARES, strict=True):
            cases += self._of_photographs(strength, total * weight, total * weight * share)
        inputs = np.concatenate([self._inputs(case.scores, case.strength) for case in cases])
        ridge = np.array([BIAS_RIDGE, *[RIDGE] * len(self.usual)] * 2)
        # Without labels of photographs nothing is known of single frames: their answer stays the network's.
        first = 0 if self._labelled is not None else inputs.shape[1] // 2
        coefficients = np.zeros((inputs.shape[1], len(self._model.labels)))
        coefficients[first:] = fit_logistic(
            inputs[:, first:],
            np.concatenate([self._network(case.scores) for case in cases]),
            np.concatenate([case.targets for case in cases]),
            np.concatenate([case.weights for case in cases]),
            ridge[first:],
        )
        n_labelled = 0 if self._labelled is None else len(self._labelled.labels)
        fitted = FittedReadout(self.usual, coefficients, photograph_weight, 0.0, n_labelled)
        before = self._network(self._held_out).argmax(axis=1)
        after = self.log_probabilities(self._held_out, fitted).argmax(axis=1)
        return replace(fitted, changed_share=float((before != after).mean()))

    def _of_recordings(self, recordings: Sequence[LabelledRecording]) -> list[_Cases]:
        """Every recording as it is and with the baseline, which count half each."""
        labels = np.array([self._model.labels.index(recording.label) for recording in recordings])
        balance, targets = self._balance(labels) / len(VIEWS), np.eye(len(self._model.labels))[labels]
        views = [np.stack([getattr(recording, view) for recording in recordings]) for view in VIEWS]
        return [_Cases(view, 1.0, targets, balance) for view in views]

    def _of_photographs(self, strength: float, total: float, total_labelled: float) -> list[_Cases]:
        own, n = np.exp(self._network(self._fitted_to)), len(self._fitted_to)
        cases = [_Cases(self._fitted_to, strength, own, np.full(n, total / n))]
        if (labelled := self._labelled) is not None:
            balance = self._balance(labelled.labels)
            targets = np.eye(len(self._model.labels))[labelled.labels]
            scores = calibrated_scores(labelled.logits, self._model)
            cases.append(_Cases(scores, strength, targets, balance * total_labelled / balance.sum()))
        return cases

    def _balance(self, labels: np.ndarray) -> np.ndarray:
        """How much each case counts, so that labels count alike up to LARGEST_BALANCE."""
        counts = np.bincount(labels, minlength=len(self._model.labels))
        return np.asarray(np.minimum(len(labels) / (counts > 0).sum() / counts[labels], LARGEST_BALANCE))

    def _inputs(self, scores: np.ndarray, strength: float) -> np.ndarray:
        """Of scores (n, L) the inputs (n, 2 + 2 L) of both parts."""
        of_frame = np.column_stack([np.ones(len(scores)), scores - self.usual])
        return np.hstack([of_frame, strength * of_frame])

    def _network(self, scores: np.ndarray) -> np.ndarray:
        """The network's own log-probabilities (n, C)."""
        temperatures = np.concatenate([np.full(len(head.labels), head.temperature) for head in self._model.heads])
        found = label_probabilities(scores * temperatures, self._model, source="auto")
        return np.asarray(np.log(np.maximum(found, 1e-12)))

    def _labels(self, logs: np.ndarray) -> list[str]:
        return [self._model.labels[i] for i in logs.argmax(axis=1)]


VIEWS = ("scores", "relative")
APPLIED_STRENGTHS = (STRENGTH_WITHOUT_BASELINE, 1.0)
"""How much of the part that grows with time an analysis applies to each view in the end. Fits are at full strength."""


def fit_logistic(
    inputs: np.ndarray, offsets: np.ndarray, targets: np.ndarray, weights: np.ndarray, ridge: np.ndarray
) -> np.ndarray:
    """The coefficients (D, C) of a multinomial logistic regression with offsets, by Newton's method.

    `inputs` (n, D), `offsets` (n, C) are added to the linear terms, `targets` (n, C) are probabilities, `weights` (n,)
    of cases, `ridge` (D,) penalises squared coefficients by half. The loss is convex, so there is one solution; a step
    that would raise it is halved.
    """

    def loss(coefficients: np.ndarray) -> float:
        logs = _log_softmax(offsets + inputs @ coefficients)
        return float(ridge @ (coefficients**2).sum(axis=1) / 2 - weights @ (targets * logs).sum(axis=1))

    n_inputs, n_labels = inputs.shape[1], targets.shape[1]
    found = np.zeros((n_inputs, n_labels))
    for _ in range(STEPS):
        probabilities = softmax(offsets + inputs @ found)
        gradient = inputs.T @ (weights[:, None] * (probabilities - targets)) + ridge[:, None] * found
        curvature = np.zeros((n_inputs, n_labels, n_inputs, n_labels))
        for a in range(n_labels):
            for b in range(a, n_labels):
                by_case = weights * probabilities[:, a] * ((a == b) - probabilities[:, b])
                curvature[:, a, :, b] = curvature[:, b, :, a] = (inputs * by_case[:, None]).T @ inputs
        size = n_inputs * n_labels
        matrix = curvature.reshape(size, size) + np.diag(np.repeat(ridge, n_labels))
        step = np.linalg.solve(matrix, gradient.reshape(size)).reshape(n_inputs, n_labels)
        before = loss(found)
        while loss(found - step) > before and np.abs(step).max() >= SMALL_STEP:
            step /= 2
        found = found - step
        if np.abs(step).max() < SMALL_STEP:
            break
    return found


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    below = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(below - np.log(np.exp(below).sum(axis=1, keepdims=True)))
