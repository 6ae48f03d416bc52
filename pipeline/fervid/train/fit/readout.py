"""Fits a read-out over time to labelled recordings: how much, and in which direction, it changes the network's answer.

A multinomial logistic regression on the mean scores of each recording, added to the network's own log-probabilities.
Two things hold it back: a ridge penalty on its weights, and a penalty (cross-entropy) for answering otherwise than the
network on photographs of many people with all labels. So labels that the recordings lack are not forgotten.
Everything that is reported, and the weight of the photographs, comes from people left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fervid.emotion.calibration import softmax
from fervid.emotion.heads import calibrated_scores, label_probabilities, resolved_source
from fervid.emotion.model import ModelInfo
from fervid.emotion.readout import Readout

PHOTOGRAPH_WEIGHTS = (1.0, 2.0, 3.0, 5.0, 8.0, 16.0)
"""How much all photographs together count, in units of all recordings together; one is chosen."""
MOST_CHANGED = 0.05
"""Largest share of photographs, of those that are not fitted to, whose answer may change."""
RIDGE, BIAS_RIDGE = 10.0, 1.0
HALF_LIFE_SECONDS = 0.8
"""Of the smoothing at which it is applied: about a second to each side. Recordings with one expression each cannot tell
how long is too long."""
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
class LeftOut:
    """The answers to one recording by read-outs that were fitted without its person, and by the network alone.

    Each pair is without and with the baseline of the person's recordings.
    """

    recording: LabelledRecording
    network: tuple[str, str]
    answers: tuple[str, str]


@dataclass(frozen=True, slots=True)
class FittedReadout:
    """The weights (L, C) and the bias (C,) of a read-out, with how it was chosen."""

    usual: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    photograph_weight: float
    changed_share: float
    """Share of photographs, of those that were not fitted to, whose answer differs from the network's."""

    def readout(self, model: ModelInfo) -> Readout:
        """What an analysis applies."""
        return Readout(
            weights_sha256=model.weights_sha256,
            source=resolved_source(model, "auto"),
            labels=model.labels,
            half_life_seconds=HALF_LIFE_SECONDS,
            usual=_rounded(self.usual),
            weights=tuple(_rounded(row) for row in self.weights),
            bias=_rounded(self.bias),
        )


class ReadoutFitter:
    """Fits read-outs of one model; `photographs` (N, L) are the logits of single crops of many people."""

    def __init__(self, model: ModelInfo, photographs: np.ndarray, answers: np.ndarray | None = None) -> None:
        """`answers` (N, C) are what is held on photographs: probabilities; None: what the network says of them."""
        self._model = model
        scores = calibrated_scores(photographs, model)
        self.usual = scores.mean(axis=0)
        is_fitted_to = np.arange(len(scores)) % FITTED_TO == 0
        self._fitted_to, self._held_out = scores[is_fitted_to], scores[~is_fitted_to]
        self._targets = np.exp(self._network(self._fitted_to)) if answers is None else answers[is_fitted_to]

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
            answers = [self._labels(self.log_probabilities(view, fitted)) for view in views]
            network = [self._labels(self._network(view)) for view in views]
            found += [LeftOut(one, (network[0][i], network[1][i]), (answers[0][i], answers[1][i]))
                      for i, one in enumerate(own)]  # fmt: skip
        return found

    def log_probabilities(self, scores: np.ndarray, fitted: FittedReadout) -> np.ndarray:
        """Of the labels, (n, C), from mean scores (n, L)."""
        return _log_softmax(self._network(scores) + (scores - fitted.usual) @ fitted.weights + fitted.bias)

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
        """The read-out of all these recordings with a given weight of the photographs."""
        truth = np.array([self._model.labels.index(recording.label) for recording in recordings])
        counts = np.bincount(truth, minlength=len(self._model.labels))
        balance = np.minimum(len(truth) / (counts > 0).sum() / counts[truth], LARGEST_BALANCE)
        views = [np.stack([getattr(recording, view) for recording in recordings]) for view in VIEWS]
        scores = np.concatenate([*views, self._fitted_to])
        offsets = self._network(scores)
        targets = np.concatenate([*[np.eye(len(counts))[truth]] * len(views), self._targets])
        each = photograph_weight * balance.sum() / len(self._fitted_to)
        weights = np.concatenate([*[balance / len(views)] * len(views), np.full(len(self._fitted_to), each)])
        inputs = np.column_stack([np.ones(len(scores)), scores - self.usual])
        ridge = np.array([BIAS_RIDGE, *[RIDGE] * scores.shape[1]])
        found = fit_logistic(inputs, offsets, targets, weights, ridge)
        fitted = FittedReadout(self.usual, found[1:], found[0], photograph_weight, 0.0)
        before = self._network(self._held_out).argmax(axis=1)
        after = self.log_probabilities(self._held_out, fitted).argmax(axis=1)
        return FittedReadout(self.usual, found[1:], found[0], photograph_weight, float((before != after).mean()))

    def _network(self, scores: np.ndarray) -> np.ndarray:
        """The network's own log-probabilities (n, C)."""
        temperatures = np.concatenate([np.full(len(head.labels), head.temperature) for head in self._model.heads])
        found = label_probabilities(scores * temperatures, self._model, source="auto")
        return np.asarray(np.log(np.maximum(found, 1e-12)))

    def _labels(self, logs: np.ndarray) -> list[str]:
        return [self._model.labels[i] for i in logs.argmax(axis=1)]


VIEWS = ("scores", "relative")


def fit_logistic(
    inputs: np.ndarray, offsets: np.ndarray, targets: np.ndarray, weights: np.ndarray, ridge: np.ndarray
) -> np.ndarray:
    """The coefficients (D, C) of a multinomial logistic regression with offsets, by Newton's method.

    `inputs` (n, D), `offsets` (n, C) are added to the linear terms, `targets` (n, C) are probabilities, `weights` (n,)
    of cases, `ridge` (D,) penalises squared coefficients by half. The loss is convex, so there is one solution.
    """
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
        found -= step
        if np.abs(step).max() < SMALL_STEP:
            break
    return found


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(softmax(logits), 1e-12)))
