"""What a read-out over time gains on clips, and what photographs gain or lose, over what holds it back.

    python benchmarks/readout.py --data FER2013 --clips FOLDER --stills FOLDER [--cache FOLDER] [--write MODEL_FOLDER]

Arguments as for `benchmarks/battery.py`. Each clip is answered by a read-out that was fitted without its person, from
its mean scores; each photograph by one that was fitted to the other half of the photographs, once as a single frame and
once as the still face of a long video. Rows are weights of the photographs, with shares of those with labels; the
shares of `fervid.train.fit.readout` have a star.

A row is chosen by `choice`, which knows nothing of the second half of the photographs: the mean negative log-likelihood
of clips left out, of the faces of PublicTest that are not fitted to, and of the first half of the photographs, each
fifth of its people left out, by photograph and by label.

With --write the read-out is fitted to all clips and the first half of the photographs, and written to MODEL_FOLDER.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import fervid
from battery import stills_in_numbers
from battery_faces import Still, load_clips, load_stills
from battery_readout import Photographs, read_out_for, recordings_of, scored_again
from fervid.base import assets
from fervid.config import Settings
from fervid.emotion import make_classifier
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.train.data.fer2013 import EMOTIONS, load_fer2013
from fervid.train.export.readout import write_readout
from fervid.train.fit import readout as fit
from fervid.train.fit.readout import APPLIED_STRENGTHS, FITTED_TO, VIEWS, LabelledRecording

TRIED = (
    (5.0, (0.0, 0.0)),
    (3.0, (0.2, 0.05)),
    (5.0, (0.2, 0.05)),
    (8.0, (0.2, 0.05)),
    (5.0, (0.2, 0.1)),
    (5.0, (0.4, 0.05)),
)
SEEN_FOR = (0.0, np.inf)
MEASURED = (
    "clips (angry, others called so); with the baseline; single frames: PublicTest, photographs, balanced, calm called "
    "neutral, called angry; still faces: the same"
)
FOLDS = 5
LARGEST_BALANCE = 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--stills", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "fervid-battery")
    parser.add_argument("--write", type=Path, metavar="MODEL_FOLDER")
    arguments = parser.parse_args()
    settings = fervid.load_settings(environment={}, options={"readout.use": "on"})
    model = load_model_info(assets.model_folder(settings.emotion.model))
    classifier, margin = make_classifier("litert", model), settings.emotion.crop_margin
    clips = load_clips(arguments.clips, settings, arguments.cache)
    clips = [replace(clip, observations=scored_again(clip, classifier, model, margin)) for clip in clips]
    recordings = recordings_of(clips, settings, model)
    photographs = Photographs.load(arguments.data, arguments.stills, model, settings, arguments.cache)
    if arguments.write:
        fitter = photographs.fitter(model)
        print(write_readout(fitter.fit(recordings), fitter.left_out(recordings), model, arguments.write))
        return
    codes = load_fer2013(arguments.data).split("PublicTest").labels
    labels = np.array([model.labels.index(EMOTIONS[code]) for code in codes])
    stills = load_stills(arguments.stills, settings, EMOTIONS, arguments.cache)
    print(f"{'weight':>7}{'shares':>12}{'choice':>8}{'changed':>9}  {MEASURED}")
    shipped = fit.LABELLED_SHARES
    for weight, shares in TRIED:
        fit.LABELLED_SHARES = shares
        row = Measured(model, settings, recordings, photographs, labels, weight)
        cells = [row.of_clips(view) for view in VIEWS] + [row.of_photographs(seconds, stills) for seconds in SEEN_FOR]
        name = f"{shares[0]:g}, {shares[1]:g}{'*' if shares == shipped else ' '}"
        print(f"{weight:>7g}{name:>12}{row.choice():>8.4f}{row.changed:>9.3f}  {'; '.join(cells)}", flush=True)


class Measured:
    """One row of the table."""

    def __init__(
        self,
        model: ModelInfo,
        settings: Settings,
        recordings: list[LabelledRecording],
        photographs: Photographs,
        labels: np.ndarray,
        weight: float,
    ) -> None:
        self._model, self._settings, self._photographs, self._labels = model, settings, photographs, labels
        self._recordings, self._weight = recordings, weight
        self._truth = np.array([model.labels.index(one.label) for one in recordings])
        fitted = [photographs.fitter(model, half).fit_with(recordings, weight) for half in range(2)]
        self._halves = [replace(model, readout=one.readout(model)) for one in fitted]
        self.changed = fitted[0].changed_share
        self._logs = self._left_out()

    def _left_out(self) -> dict[str, np.ndarray]:
        """Log-probabilities of the recordings (n, C), with each view of their scores."""
        fitter = self._photographs.fitter(self._model)
        logs = {view: np.zeros((len(self._recordings), len(self._model.labels))) for view in VIEWS}
        for person in sorted({one.person for one in self._recordings}):
            own = np.array([one.person == person for one in self._recordings])
            fitted = fitter.fit_with([one for one in self._recordings if one.person != person], self._weight)
            for (view, found), strength in zip(logs.items(), APPLIED_STRENGTHS, strict=True):
                scores = np.stack([getattr(one, view) for one in self._recordings if one.person == person])
                found[own] = fitter.log_probabilities(scores, fitted, strength)
        return logs

    def of_clips(self, view: str) -> str:
        said, angry = self._logs[view].argmax(axis=1), self._model.labels.index("angry")
        is_angry = self._truth == angry
        return f"{(said == self._truth).sum()} ({(said[is_angry] == angry).sum()}, {(said[~is_angry] == angry).sum()})"

    def of_photographs(self, seconds: float, stills: list[Still]) -> str:
        first, second = self._halves
        of_faces, of_stills = self._photographs.read_out((first, second), self._settings, seconds)
        answers = [self._model.labels[i] for i in of_stills.argmax(axis=1)]
        said = dict(zip((still.file for still in self._photographs.stills), answers, strict=True))
        found = stills_in_numbers(stills, [said.get(still.file) for still in stills])
        names = ("stills", "stills balanced", "stills neutral", "stills false angry")
        public = (of_faces.argmax(axis=1) == self._labels).mean()
        return f"{public:.3f} " + " ".join(f"{found[name]:.3f}" for name in names)

    def choice(self) -> float:
        """Lower is better; see the head of this file."""
        at = np.arange(len(self._truth))
        clips = -np.mean([self._logs[view][at, self._truth] for view in VIEWS])
        photographs, model = self._photographs, self._model
        unseen = np.arange(len(self._labels)) % FITTED_TO > 0
        of_first = np.array([still.half == 0 for still in photographs.stills])
        fold = np.array([fold_of(still.person) for still in photographs.stills])
        labels = np.array([model.labels.index(still.emotion) for still in photographs.stills])
        losses = np.zeros((len(SEEN_FOR), len(labels)))
        for one in range(FOLDS):
            own = of_first & (fold == one)
            others = tuple(still for still, is_own in zip(photographs.stills, own, strict=True) if not is_own)
            rest = replace(photographs, of_stills=photographs.of_stills[~own], stills=others)
            fitted = rest.fitter(model).fit_with(self._recordings, self._weight)
            info = replace(model, readout=fitted.readout(model))
            for i, seconds in enumerate(SEEN_FOR):
                losses[i, own] = self._logs_of(photographs.of_stills[own], info, seconds, labels[own])
        counts = np.bincount(labels[of_first], minlength=len(model.labels))
        balance = np.minimum(of_first.sum() / (counts > 0).sum() / counts[labels[of_first]], LARGEST_BALANCE)
        parts = []
        for i, seconds in enumerate(SEEN_FOR):
            public = self._logs_of(photographs.faces[unseen], self._halves[0], seconds, self._labels[unseen])
            own_losses = losses[i, of_first]
            parts += [clips, public.mean(), own_losses.mean(), balance @ own_losses / balance.sum()]
        return float(np.mean(parts))

    def _logs_of(self, logits: np.ndarray, info: ModelInfo, seconds: float, labels: np.ndarray) -> np.ndarray:
        found = read_out_for(logits, info, self._settings, seconds)
        return -np.log(np.maximum(found[np.arange(len(labels)), labels].astype(np.float64), 1e-12))


def fold_of(person: str) -> int:
    return int(hashlib.sha256(f"{person}x".encode()).hexdigest(), 16) % FOLDS


if __name__ == "__main__":
    main()
