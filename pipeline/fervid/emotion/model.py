"""Model folders: `model.json` with the weights it describes. Knows nothing of how a network is built or run.

    FOLDER/model.json         what is in this module's ModelInfo, and how the model came about
    FOLDER/model.weights.h5   Keras weights, for GPUs and further training
    FOLDER/model.tflite       the same network for CPUs: float32 (N, S, S, 1) in 0..1 -> logits (N, C)

Nothing heavier than the standard library is imported here: every analysis passes through here before its first frame.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fervid.errors import ModelError, OutputError
from fervid.files import file_sha256

SCHEMA_VERSION = 1
MODEL_JSON = "model.json"
WEIGHTS = "model.weights.h5"
TFLITE = "model.tflite"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What analysis has to know of a classifier. `mean` and `std` are of inputs in 0..1; labels are in logit order."""

    name: str
    network: str
    labels: tuple[str, ...]
    input_side_px: int
    mean: float
    std: float
    temperature: float
    weights_sha256: str
    tflite_sha256: str
    training_data: str
    licence: str
    folder: Path


def load_model_info(folder: Path) -> ModelInfo:
    """Read `model.json` of a model folder and check that its files are the ones it was written for.

    Raises ModelError when a file is missing, changed, or not of this schema.
    """
    folder = Path(folder)
    stored = read_model_json(folder)
    path = folder / MODEL_JSON
    labels = _entry(path, stored, "labels", list)
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) < max(2, len(labels)):
        raise ModelError(f"{path}: labels {labels!r} are not two or more different names. Export the model again.")
    info = ModelInfo(
        name=_entry(path, stored, "name", str),
        network=_entry(path, stored, "network", str),
        labels=tuple(labels),
        input_side_px=_entry(path, stored, "input_side_px", int),
        mean=_positive(path, stored, "mean"),
        std=_positive(path, stored, "std"),
        temperature=_positive(path, stored, "temperature"),
        weights_sha256=_entry(path, stored, "weights_sha256", str),
        tflite_sha256=_entry(path, stored, "tflite_sha256", str),
        training_data=_entry(path, stored, "training_data", str),
        licence=_entry(path, stored, "licence", str),
        folder=folder,
    )
    for name, expected in ((WEIGHTS, info.weights_sha256), (TFLITE, info.tflite_sha256)):
        _check_file(folder / name, expected)
    return info


def read_model_json(folder: Path) -> dict[str, Any]:
    """The whole of `model.json`, of a known schema version. Raises ModelError."""
    path = Path(folder) / MODEL_JSON
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} holds no {MODEL_JSON}. Give a folder that `fervid train` wrote.") from None
    except OSError as problem:
        raise ModelError(f"{path} cannot be read ({problem.strerror}). Check its permissions.") from None
    except ValueError as problem:  # broken JSON, or bytes that are not text
        raise ModelError(f"{path} is not JSON ({problem}). Copy or export the model again.") from None
    version = stored.get("schema_version") if isinstance(stored, dict) else None
    if version != SCHEMA_VERSION:
        raise ModelError(
            f"{path} has schema_version {version!r}, expected {SCHEMA_VERSION}. Use a model of this version of fervid."
        )
    return dict(stored)


def write_model_json(folder: Path, content: dict[str, Any]) -> None:
    """Write `model.json` in one step: a reader sees the old file or the new one. Raises OutputError."""
    path = Path(folder) / MODEL_JSON
    partial = path.with_name(f".{MODEL_JSON}.{os.getpid()}.part")
    try:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as problem:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written ({problem.strerror}). Choose a folder that you may write to."
        ) from None


def _check_file(path: Path, expected: str) -> None:
    try:
        found = file_sha256(path)
    except FileNotFoundError:
        raise ModelError(f"{path} is missing. Copy the whole model folder again.") from None
    except OSError as problem:
        raise ModelError(f"{path} cannot be read ({problem.strerror}). Check its permissions.") from None
    if found != expected:
        raise ModelError(
            f"{path} is not the file that {MODEL_JSON} describes (sha256 {found[:12]}, expected {expected[:12]}). "
            "Copy the whole model folder again."
        )


def _entry(path: Path, stored: dict[str, Any], key: str, kind: type[T]) -> T:
    value = stored.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ModelError(f"{path}: {key} is {value!r}, expected a {kind.__name__}. Copy or export the model again.")
    return value


def _positive(path: Path, stored: dict[str, Any], key: str) -> float:
    value = stored.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise ModelError(f"{path}: {key} is {value!r}, expected a number above 0. Copy or export the model again.")
    return float(value)
