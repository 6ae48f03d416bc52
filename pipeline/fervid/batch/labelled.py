"""Labelled recordings for a read-out over time: the scores of each run, read from its stored observations."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fervid.batch.job import Method
from fervid.batch.shared_baseline import person_in
from fervid.config import BaselineSettings, Settings
from fervid.emotion.heads import head_columns
from fervid.emotion.model import ModelInfo
from fervid.errors import ConfigError, InputError
from fervid.interpret.baseline import Windows, shared_shifts
from fervid.run.handle import Run, is_named
from fervid.train.fit.readout import LabelledRecording

NAME_COLUMNS = ("video", "file")


def read_recordings(path: Path, runs: Sequence[Run], model: ModelInfo) -> list[LabelledRecording]:
    """The runs that a CSV file labels (columns video or file, emotion, and optionally person), in its order.

    Without a person each recording is of another one. A run without one face of its own at a time is left out. Raises
    ConfigError for another kind of file or an unknown label, InputError for a row without its run, or for a run of
    another model or without observations.
    """
    rows = _rows(path, model)
    found: list[tuple[str, str, str, Mapping[str, Windows]]] = []
    settings = Settings()
    for name, emotion, person in rows:
        fitting = [run for run in runs if is_named(run, name)]
        if len(fitting) != 1:
            raise InputError(
                f"{path}: {name!r} matches {len(fitting)} of {len(runs)} runs, expected one. Analyse it, or write more "
                "of its path."
            )
        run = fitting[0]
        if run.manifest.model["weights_sha256"] != model.weights_sha256:
            raise InputError(f"{run.folder} was made with another model than {model.name}. Analyse it with --model.")
        settings = Settings.model_validate(run.manifest.settings)
        found.append((name, emotion, person, person_in(run.folder, Method.of(settings, model, run.manifest.runner))))
    flip = settings.emotion.flip
    recordings = labelled_recordings(found, model, settings.baseline, is_flipped=flip)
    if (people := len({one.person for one in recordings})) < LEAST_PEOPLE:
        raise InputError(
            f"{path}: only {people} of its people have a face to themselves in a recording. A read-out needs "
            f"{LEAST_PEOPLE}; use recordings of one person each."
        )
    return recordings


def labelled_recordings(
    recordings: Sequence[tuple[str, str, str, Mapping[str, Windows]]],
    model: ModelInfo,
    baseline: BaselineSettings,
    *,
    is_flipped: bool,
) -> list[LabelledRecording]:
    """From name, label, person and lone windows of each recording; those without a face are left out."""
    found = []
    columns = head_columns(model)
    seen = [one for one in recordings if next(iter(one[3].values())).seconds.sum() > 0]
    for name, emotion, person, windows in seen:
        scores, shift = np.zeros(model.n_logits), np.zeros(model.n_logits)
        of_person = [other[3] for other in seen if other[2] == person]  # as a list with a column `person` has them
        several = len(of_person) > 1
        shifts = shared_shifts(of_person, model, baseline, source="auto", is_flipped=is_flipped) if several else {}
        for head, own in windows.items():
            scores[columns[head]] = own.sums.sum(axis=0) / own.seconds.sum()
            shift[columns[head]] = shifts.get(head, 0.0)
        found.append(LabelledRecording(name, person, emotion, scores, scores - shift))
    return found


def _rows(path: Path, model: ModelInfo) -> list[tuple[str, str, str]]:
    """Name, label and person of each row."""
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), skipinitialspace=True)
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} cannot be read ({problem}). Give a CSV file with video,emotion,person.") from None
    columns = reader.fieldnames or ()
    column = next((name for name in NAME_COLUMNS if name in columns), None)
    if column is None or "emotion" not in columns:
        raise ConfigError(f"{path} has the columns {', '.join(columns) or 'none'}; it needs video and emotion.")
    rows = []
    for row in reader:
        name, emotion = (row[column] or "").strip(), (row["emotion"] or "").strip().lower()
        if not name or emotion not in model.labels:
            raise ConfigError(
                f"{path}, line {reader.line_num}: {name or 'no name'}, {emotion or 'no label'}. Expected a video and "
                f"one of {', '.join(model.labels)}."
            )
        rows.append((name, emotion, (row.get("person") or name).strip()))
    if len({person for _, _, person in rows}) < LEAST_PEOPLE:
        raise ConfigError(f"{path} has recordings of fewer than {LEAST_PEOPLE} people (column person). Label more.")
    return rows


LEAST_PEOPLE = 3
"""One is left out of a fit, and another of the choice of its penalty."""
