"""Teachers for distillation: models run beside the student, or their stored logits on fixed views. Trains nothing.

Source of the method: Hinton et al., "Distilling the Knowledge in a Neural Network" (2015). Teacher and student see the
same view; see Beyer et al., "Knowledge distillation: A good teacher is patient and consistent" (2022).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base import assets
from fervid.base.progress import make_bar
from fervid.emotion.model import FER2013, FERPLUS, ModelInfo, load_model_info
from fervid.errors import ConfigError, ModelError, OutputError
from fervid.storage.files import file_sha256
from fervid.storage.publish import written_whole
from fervid.train.data.agreement import FERPLUS_LABELS
from fervid.train.data.augment import apply_views, draw_views
from fervid.train.data.fer2013 import EMOTIONS, SIDE_PX, FaceDataset
from fervid.train.fit.objective import TAUGHT, mean_logits
from fervid.train.fit.recipe import AugmentSettings, Recipe

SCHEMA_VERSION = 1
HEAD_LABELS = {FER2013: EMOTIONS, FERPLUS: FERPLUS_LABELS}
BATCH = 256


@dataclass(frozen=True, slots=True)
class StoredTargets:
    """Teachers' logits float16 (V, N, C) on V fixed views of the N Training images, and how the views are drawn."""

    logits: np.ndarray
    augment: AugmentSettings
    seed: int

    def epoch(self, number: int) -> dict[str, np.ndarray]:
        """Views of all images in an epoch, one row each, with the teachers' logits; epochs cycle through them."""
        view = (number - 1) % len(self.logits)
        return draw_fixed_views(self.logits.shape[1], self.augment, self.seed, view) | {
            TAUGHT: self.logits[view].astype(np.float32)
        }


@dataclass(frozen=True, slots=True)
class Teaching:
    """A resolved `[distil]` section: networks or stored targets, and the hashes that identify them."""

    networks: tuple[Any, ...] = ()
    stored: StoredTargets | None = None
    hashes: tuple[str, ...] = ()


def prepare_teaching(recipe: Recipe, training: FaceDataset) -> Teaching:
    """The teachers of a recipe, checked against it and the Training rows; empty for a recipe without `[distil]`.

    Raises ConfigError for targets of other data or views and for a recipe without a teacher, ModelError for a
    model that cannot teach these labels.
    """
    if recipe.distil is None:
        return Teaching()
    if recipe.distil.targets:
        path = Path(recipe.distil.targets)
        stored = load_targets(path, training, recipe)
        return Teaching(stored=stored, hashes=(file_sha256(path),))
    if not recipe.distil.teachers:
        raise ConfigError("the recipe has a section [distil], but no teacher. Give --teacher MODEL, or --targets FILE.")
    infos, networks = load_teachers(recipe.distil.teachers)
    return Teaching(networks, hashes=tuple(info.weights_sha256 for info in infos))


def load_teachers(names: Sequence[str]) -> tuple[tuple[ModelInfo, ...], tuple[Any, ...]]:
    """Models by name or folder, and their networks. Raises ModelError for one with other labels or another input."""
    from fervid.emotion.keras import KerasClassifier

    infos = tuple(load_model_info(assets.model_folder(name)) for name in names)
    for info in infos:
        heads = {head.name: head.labels for head in info.heads}
        expected = {name: labels for name, labels in HEAD_LABELS.items() if name == FER2013 or name in heads}
        if list(heads.items()) != list(expected.items()):
            found = "; ".join(f"{name}: {', '.join(labels)}" for name, labels in heads.items())
            raise ModelError(
                f"{info.folder} has the labels {found}, which are not those of the data. Give another teacher."
            )
        if info.input_side_px != SIDE_PX:
            raise ModelError(
                f"{info.folder} takes faces of {info.input_side_px} px, expected {SIDE_PX}. Give another teacher."
            )
    return infos, tuple(KerasClassifier(info).network for info in infos)


# Decision TRA-5.
def draw_fixed_views(n: int, augment: AugmentSettings, seed: int, view: int) -> dict[str, np.ndarray]:
    """Parameters of one view of each of n images. Without noise, which only the student gets, drawn each time."""
    quiet = augment.model_copy(update={"noise_share": 0.0})
    return draw_views(n, SIDE_PX, quiet.strength(), (seed, view))


def write_targets(
    path: Path,
    names: Sequence[str],
    training: FaceDataset,
    augment: AugmentSettings,
    *,
    n_views: int,
    seed: int = 0,
    progress: bool = True,
) -> tuple[int, int, int]:
    """Store the mean logits of teachers for `n_views` views of each Training row, and return their shape (V, N, C).

    Half precision: 14 MB for FER-2013, 16 views and both heads. Raises ModelError for a model that cannot teach,
    OutputError when `path` cannot be written.
    """
    infos, networks = load_teachers(names)
    n = len(training.labels)
    views = []
    with make_bar(n_views * n, description="targets", unit="faces", is_shown=progress) as bar:
        for view in range(n_views):
            drawn = draw_fixed_views(n, augment, seed, view)
            parts = []
            for rows in np.array_split(np.arange(n), range(BATCH, n, BATCH)):
                parts.append(_logits(networks, training.images[rows], {k: v[rows] for k, v in drawn.items()}))
                bar.update(len(rows))
            views.append(np.concatenate(parts).astype(np.float16))
    logits = np.stack(views)
    heads = [name for name in HEAD_LABELS if any(name in [head.name for head in info.heads] for info in infos)]
    header = {
        "schema_version": SCHEMA_VERSION,
        "data_sha256": training.sha256(),
        "labels": {name: list(HEAD_LABELS[name]) for name in heads},
        "augment": augment.model_dump(),
        "seed": seed,
        "teachers": [info.weights_sha256 for info in infos],
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial, partial.open("wb") as file:
            np.savez(file, header=np.array(json.dumps(header)), logits=logits)
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Give another file with --out.") from None
    return logits.shape[0], logits.shape[1], logits.shape[2]


def load_targets(path: Path, training: FaceDataset, recipe: Recipe) -> StoredTargets:
    """Targets that `write_targets` stored for these Training rows and the views of this recipe. Raises ConfigError."""
    try:
        with path.open("rb") as file, np.load(file) as stored:
            header, logits = json.loads(str(stored["header"])), stored["logits"]
        augment = AugmentSettings.model_validate(header["augment"])
        version, labels, data, seed = (header[k] for k in ("schema_version", "labels", "data_sha256", "seed"))
    except OSError as problem:
        raise ConfigError(
            f"{path} cannot be read ({problem.strerror}). Give a file that `fervid targets` wrote."
        ) from None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as problem:
        raise ConfigError(
            f"{path} is not a file of targets ({problem}). Give one that `fervid targets` wrote."
        ) from None
    if version != SCHEMA_VERSION:
        raise ConfigError(f"{path} has schema_version {version!r}, expected {SCHEMA_VERSION}. Write it again.")
    expected = {name: list(HEAD_LABELS[name]) for name in HEAD_LABELS if name == FER2013 or name in labels}
    shape = (len(training.labels), sum(len(head) for head in labels.values()))
    if labels != expected:
        raise ConfigError(f"{path} has targets for the labels {labels}, which are not those of the data.")
    if data != training.sha256() or logits.shape[1:] != shape or not len(logits):
        raise ConfigError(
            f"{path} was written for other data ({logits.shape[1]:,} Training rows, here {shape[0]:,}; hash "
            f"{str(data)[:12]}, here {training.sha256()[:12]}). Write the targets again with this --data."
        )
    for key, value in augment.model_dump().items():
        if key != "noise_share" and value != getattr(recipe.augment, key):
            raise ConfigError(
                f"{path} was written for views with {key} = {value}, the recipe has {getattr(recipe.augment, key)}. "
                "Write it again with this recipe, or change the recipe."
            )
    if recipe.mixup_alpha:
        raise ConfigError(
            f"mixup_alpha = {recipe.mixup_alpha:g} mixes faces, but the targets in {path} are for unmixed ones. "
            "Set it to 0, or use --teacher."
        )
    return StoredTargets(logits, augment, int(seed))


def _logits(networks: Sequence[Any], images: np.ndarray, views: dict[str, np.ndarray]) -> np.ndarray:
    from keras import ops

    seen = ops.convert_to_numpy(apply_views(images.astype(np.float32) / 255.0, views))[..., None]
    outputs = [network.predict_on_batch(seen) for network in networks]
    return np.asarray(ops.convert_to_numpy(mean_logits(outputs, len(EMOTIONS))))
