"""The checkpoint of a training run: one file, replaced after each epoch, that any backend can resume. Trains nothing.

It identifies its run by the recipe and by hashes of the training inputs, not by their paths.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fervid.errors import ConfigError, OutputError
from fervid.train.data.fer2013 import FaceDataset
from fervid.train.fit.recipe import Recipe

CHECKPOINT = "checkpoint.npz"
Arrays = dict[str, np.ndarray]
Identity = dict[str, Any]


def run_identity(
    recipe: Recipe, training: FaceDataset, validation: FaceDataset, votes: np.ndarray | None, teachers: Sequence[str]
) -> Identity:
    """What makes two runs the same: the recipe, both splits, the votes of the Training rows, hashes of the teachers.

    PrivateTest is not part of it: a run can resume without that split.
    """
    content = {"recipe": _settings(recipe), "data": [training.sha256(), validation.sha256()]}
    if votes is not None:
        content["votes"] = _votes_sha256(votes)
    if teachers:
        content["teachers"] = list(teachers)
    return content


def former_identity(recipe: Recipe, dataset: FaceDataset, votes: np.ndarray | None) -> Identity:
    """The identity in its older form, which covered every row of the data, so that such a run can resume."""
    content = {"recipe": _settings(recipe), "data": dataset.sha256()}
    return content if votes is None else content | {"votes": _votes_sha256(votes)}


def save_checkpoint(
    path: Path, identity: Identity, state: Arrays, history: Sequence[dict[str, Any]], best: Arrays
) -> None:
    """Replace the checkpoint in one step: a reader sees the old one or the new one. Raises OutputError."""
    arrays: Arrays = state | {f"best/{key}": value for key, value in best.items()}
    arrays["identity"] = np.array(json.dumps(identity, sort_keys=True))
    arrays["history"] = np.array(json.dumps(list(history)))
    partial = path.with_suffix(".part.npz")
    try:
        np.savez(partial, allow_pickle=False, **arrays)
        os.replace(partial, path)
    except OSError as problem:
        raise OutputError(
            f"{path} cannot be written ({problem.strerror}). Free some space, and run again to resume."
        ) from None


def load_checkpoint(path: Path, identities: Sequence[Identity]) -> tuple[Arrays, list[dict[str, Any]], Arrays]:
    """State, history and the best epoch's averages from a checkpoint of a run with one of these identities.

    Raises ConfigError for a file that is not a checkpoint, or belongs to another run.
    """
    try:
        with path.open("rb") as file, np.load(file) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise ConfigError(f"{path} cannot be read as a checkpoint ({problem}). Start over with --no-resume.") from None
    if _stored_identity(arrays) not in identities:
        raise ConfigError(
            f"{path} belongs to another recipe or data set. Give another --out, or --no-resume to start over."
        )
    history = json.loads(str(arrays["history"]))
    return arrays, history, {key.removeprefix("best/"): v for key, v in arrays.items() if key.startswith("best/")}


def _stored_identity(arrays: Arrays) -> Identity | None:
    """As it would be written now: settings added after the run started have their defaults."""
    try:
        stored: Identity = json.loads(str(arrays["identity"]))
        return stored | {"recipe": _settings(Recipe.model_validate(stored["recipe"]))} if "recipe" in stored else stored
    except (ValueError, KeyError, TypeError):
        return None


def _settings(recipe: Recipe) -> dict[str, Any]:
    """The recipe without the paths of its teachers, whose contents count instead."""
    settings = recipe.model_dump(mode="json")
    if settings["distil"] is not None:
        settings["distil"] |= {"teachers": [], "targets": None}
    return settings


def _votes_sha256(votes: np.ndarray) -> str:
    return hashlib.sha256(votes.astype("<f4").tobytes()).hexdigest()
