"""From a fitted network to a model folder: weights, LiteRT file, `model.json`, card, history. Trains nothing.

Everything measured here is of PublicTest, on which the epoch was also chosen; PrivateTest is never read.
"""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fervid import __version__
from fervid.backend import load_tensorflow, quiet
from fervid.emotion.calibration import fit_temperature
from fervid.emotion.crops import as_network_input
from fervid.emotion.litert import LiteRTClassifier
from fervid.emotion.model import (
    SCHEMA_VERSION,
    TFLITE,
    WEIGHTS,
    ModelInfo,
    load_model_info,
    read_model_json,
    write_model_json,
)
from fervid.errors import ModelError, OutputError
from fervid.files import file_sha256
from fervid.train.card import write_card
from fervid.train.charts import draw_curves
from fervid.train.fer2013 import EMOTIONS, OFFICIAL_COUNTS, SIDE_PX, FaceDataset
from fervid.train.fit import EpochRecord, Fitted
from fervid.train.network import count_mmacs
from fervid.train.recipe import Recipe
from fervid.train.scores import score_logits
from fervid.train.stepper import infer_logits

LOGIT_TOLERANCE = 1e-4
CHECKED_BATCHES = (1, 16)
LICENCE = "MIT"


def write_model_folder(fitted: Fitted, recipe: Recipe, dataset: FaceDataset, out: Path, name: str) -> ModelInfo:
    """Write everything that makes `out` a model folder, `model.json` last, and read it back.

    The log of PrivateTest readings is kept when the same weights are exported again. Raises ModelError when the LiteRT
    file does not reproduce the logits of the network within 1e-4, OutputError when `out` cannot be written.
    """
    validation = dataset.split("PublicTest")
    out.mkdir(parents=True, exist_ok=True)
    readings = _earlier_readings(out)
    try:
        _save_weights(fitted.model, out)
        _convert(fitted.model, out / TFLITE)
        info = ModelInfo(
            name=name,
            network=recipe.network,
            labels=EMOTIONS,
            input_side_px=SIDE_PX,
            mean=fitted.mean,
            std=fitted.std,
            temperature=1.0,
            weights_sha256=file_sha256(out / WEIGHTS),
            tflite_sha256=file_sha256(out / TFLITE),
            training_data=_describe(dataset),
            licence=LICENCE,
            folder=out,
        )
        logits = LiteRTClassifier(info).predict(validation.images)
        _check_agreement(fitted.model, out / TFLITE, validation.images, logits)
        info = replace(info, temperature=fit_temperature(logits, validation.labels))
        content = _content(info, fitted, recipe, dataset, logits, validation.labels)
        content["private_test_readings"] = readings.get(content["parameters_sha256"], [])
        _write_history(fitted.history, out / "history.csv")
        draw_curves(fitted.history, fitted.best_epoch, f"{name} ({recipe.network})", out / "curves.png")
        write_card(content, dataset, out / "CARD.md")
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem}). Give another folder with --out.") from None
    write_model_json(out, content)
    return load_model_info(out)


def _content(
    info: ModelInfo, fitted: Fitted, recipe: Recipe, dataset: FaceDataset, logits: np.ndarray, codes: np.ndarray
) -> dict[str, Any]:
    import keras

    scores = score_logits(
        logits, codes, labels=info.labels, temperature=info.temperature, model=info.name, split="PublicTest"
    )
    described = {field.name: getattr(info, field.name) for field in fields(info) if field.name != "folder"}
    return {
        "schema_version": SCHEMA_VERSION,
        **described,
        "labels": list(info.labels),
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "fervid_version": __version__,
        "keras_version": keras.__version__,
        "parameters": fitted.model.count_params(),
        "mmacs": count_mmacs(fitted.model),
        "parameters_sha256": _parameters_sha256(fitted.model),
        "recipe": recipe.model_dump(),
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "training_seconds": sum(record.seconds for record in fitted.history),
        "data_sha256": dataset.sha256(),
        "metrics": {"PublicTest": scores.to_json()},
    }


def _describe(dataset: FaceDataset) -> str:
    rows = int((dataset.usage == "Training").sum())
    official = dataset.counts() == OFFICIAL_COUNTS
    kind = (
        "FER-2013 (Goodfellow et al., 2013)"
        if official
        else "a set in the layout of FER-2013 that is not the official one"
    )
    return f"{kind}, Training split, {rows:,} faces"


def _earlier_readings(out: Path) -> dict[str, list[Any]]:
    """The log of PrivateTest readings of the model that is in `out` now, by the hash of its parameters."""
    try:
        stored = read_model_json(out)
    except ModelError:
        return {}
    return {stored.get("parameters_sha256", ""): stored.get("private_test_readings", [])}


def _parameters_sha256(model: Any) -> str:
    """Hash of the numbers alone; the HDF5 file differs from save to save, as it holds the time."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(weight.astype("<f4").tobytes())
    return digest.hexdigest()


def _save_weights(model: Any, out: Path) -> None:
    partial = out / f".part-{os.getpid()}.weights.h5"  # Keras insists on this ending
    model.save_weights(partial)
    os.replace(partial, out / WEIGHTS)


def _convert(model: Any, path: Path) -> None:
    # from_keras_model, not from_concrete_functions: the latter drops the variables of a Keras 3 model without a word.
    tensorflow = load_tensorflow()
    with quiet():
        converted = tensorflow.lite.TFLiteConverter.from_keras_model(model).convert()
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_bytes(converted)
    os.replace(partial, path)


def _check_agreement(model: Any, tflite: Path, images: np.ndarray, logits: np.ndarray) -> None:
    """Hold the LiteRT logits of all images, and those in resized batches, against the network's own."""
    expected = infer_logits(lambda faces: model(faces, training=False), images)
    differences = {"one by one": np.abs(logits - expected).max()}
    for batch in CHECKED_BATCHES:
        taken = np.resize(images, (batch, *images.shape[1:]))  # repeats the images when there are fewer
        found = _logits_of_batch(tflite, taken)
        differences[f"in a batch of {batch}"] = np.abs(found - np.resize(expected, found.shape)).max()
    for how, difference in differences.items():
        if not difference <= LOGIT_TOLERANCE:  # NaN fails too
            raise ModelError(
                f"{tflite} run {how} differs from the network by {difference:.1e} in a logit, expected at most "
                f"{LOGIT_TOLERANCE:.0e}. Nothing was exported; report this with the output of `pip freeze`."
            )


def _logits_of_batch(tflite: Path, images: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(str(tflite), num_threads=1)
        taken, given = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
        faces = as_network_input(images)
        interpreter.resize_tensor_input(taken, faces.shape)
        interpreter.allocate_tensors()
    interpreter.set_tensor(taken, faces)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(given))


def _write_history(history: tuple[EpochRecord, ...], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(EpochRecord)])
        writer.writeheader()
        writer.writerows(asdict(record) for record in history)
