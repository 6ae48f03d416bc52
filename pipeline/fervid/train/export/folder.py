"""From a fitted network to a model folder: weights, LiteRT file, `model.json`, card, history. Trains nothing.

All metrics here are measured on PublicTest, on which the epoch was also selected; PrivateTest is never read.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base.clock import utc_now
from fervid.base.version import __version__
from fervid.emotion.crops import as_network_input
from fervid.emotion.litert import LiteRTClassifier
from fervid.emotion.model import (
    FER2013,
    FERPLUS,
    SCHEMA_VERSION,
    TFLITE,
    WEIGHTS,
    Head,
    Member,
    ModelInfo,
    load_model_info,
    read_model_json,
    write_model_json,
)
from fervid.emotion.networks.network import count_mmacs
from fervid.errors import ModelError, OutputError
from fervid.runtime.backend import load_tensorflow, quiet
from fervid.storage.files import file_sha256
from fervid.storage.publish import write_whole
from fervid.train.charts import draw_curves
from fervid.train.data.agreement import FERPLUS_LABELS
from fervid.train.data.fer2013 import EMOTIONS, OFFICIAL_COUNTS, SIDE_PX, FaceDataset
from fervid.train.evaluate.card import write_card
from fervid.train.evaluate.measure import VIEWS, SplitFaces, fit_heads, measure_views, require_votes
from fervid.train.evaluate.tta import mean_logits
from fervid.train.fit.loop import EpochRecord, Fitted
from fervid.train.fit.recipe import Recipe
from fervid.train.fit.stepper import infer_logits

LOGIT_TOLERANCE = 1e-4
CHECKED_BATCHES = (1, 16)
LICENCE = "MIT"


def write_model_folder(
    fitted: Fitted, recipe: Recipe, dataset: FaceDataset, out: Path, name: str, *, votes: np.ndarray | None = None
) -> ModelInfo:
    """Write everything that makes `out` a model folder, `model.json` last, and read it back.

    `votes` (N, 10), a row for each of `dataset`, are needed for a network with a FER+ head. The notes of
    `export_model` apply here too.
    """
    member = Member(recipe.network, fitted.heads, fitted.mean, fitted.std)
    info = draft_info(name, [member], training_data=_describe(dataset), folder=out)
    origin = {
        "recipe": recipe.model_dump(),
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "training_seconds": sum(record.seconds for record in fitted.history),
    }

    def write_curves() -> None:
        _write_history(fitted.history, out / "history.csv")
        draw_curves(fitted.history, fitted.best_epoch, f"{name} ({recipe.network})", out / "curves.png")

    return export_model(fitted.model, info, dataset, votes, origin, write_more=write_curves)


def draft_info(name: str, members: Sequence[Member], *, training_data: str, folder: Path) -> ModelInfo:
    """A model that is about to be exported, with FER-2013's head and FER+'s if a member has it; no file exists yet."""
    labels = {FER2013: EMOTIONS, FERPLUS: FERPLUS_LABELS}
    named = {head for member in members for head in member.heads}
    return ModelInfo(
        name=name,
        heads=tuple(Head(head, labels[head], 1.0, 1.0) for head in labels if head in named),
        members=tuple(members),
        input_side_px=SIDE_PX,
        weights_sha256="",
        tflite_sha256="",
        training_data=training_data,
        licence=LICENCE,
        folder=folder,
    )


def export_model(
    model: Any,
    draft: ModelInfo,
    dataset: FaceDataset,
    votes: np.ndarray | None,
    origin: dict[str, Any],
    *,
    write_more: Callable[[], None] = lambda: None,
) -> ModelInfo:
    """Write `model` into the folder of `draft`: files, temperatures, numbers of PublicTest, card, `model.json` last.

    `origin` records in `model.json` how the network was made; `write_more` adds files to the folder. The log of
    PrivateTest readings is kept when the same weights are exported again. Raises ModelError when the LiteRT file does
    not reproduce the logits of the network within 1e-4, ConfigError without the votes that a head needs, OutputError
    when the folder cannot be written.
    """
    out = draft.folder
    require_votes(draft, votes, "its export")
    faces = SplitFaces.of(dataset, "PublicTest", votes)
    earlier = _earlier(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        save_weights(model, out)
        _convert(model, out / TFLITE)
        info = replace(draft, weights_sha256=file_sha256(out / WEIGHTS), tflite_sha256=file_sha256(out / TFLITE))
        predict = LiteRTClassifier(info).predict
        single = predict(faces.images)
        _check_agreement(model, out / TFLITE, faces.images, single)
        logits = {tta: single if tta == "none" else mean_logits(predict, faces.images, tta) for tta in VIEWS}
        info = fit_heads(info, faces, logits)
        content = _content(info, model, dataset, faces) | origin
        content["metrics"] = {"PublicTest": measure_views(info, faces, logits)}
        content["private_test_readings"] = []
        if earlier.get("parameters_sha256") == content["parameters_sha256"]:
            _keep_readings(earlier, content)
        write_more()
        write_card(content, out)
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem}). Give another folder with --out.") from None
    write_model_json(out, content)
    return load_model_info(out)


def _content(info: ModelInfo, model: Any, dataset: FaceDataset, faces: SplitFaces) -> dict[str, Any]:
    import keras

    counted = dataset.counts()["Training"]
    return {
        "schema_version": SCHEMA_VERSION,
        "name": info.name,
        "network": info.network,
        "heads": [asdict(head) for head in info.heads],
        "members": [asdict(member) for member in info.members],
        "input_side_px": info.input_side_px,
        "weights_sha256": info.weights_sha256,
        "tflite_sha256": info.tflite_sha256,
        "training_data": info.training_data,
        "licence": info.licence,
        "created_utc": utc_now(),
        "fervid_version": __version__,
        "keras_version": keras.__version__,
        "parameters": model.count_params(),
        "mmacs": count_mmacs(model),
        "parameters_sha256": _parameters_sha256(model),
        "data_sha256": dataset.sha256(),
        "data": {
            "training_faces": dict(zip(EMOTIONS, counted, strict=True)),
            "public_test_faces": len(faces.codes),
            "public_test_copies": int(faces.has_copy.sum()),
        },
    }


def _earlier(out: Path) -> dict[str, Any]:
    """What is known of the model that is in `out` now."""
    try:
        return read_model_json(out)
    except ModelError:
        return {}


def _keep_readings(earlier: dict[str, Any], content: dict[str, Any]) -> None:
    """Keep the log of PrivateTest readings if the weights are the same, and the metrics if the temperatures are too."""
    content["private_test_readings"] = earlier.get("private_test_readings", [])
    measured = earlier.get("metrics", {}).get("PrivateTest")
    if measured is not None and _round_trip(earlier["heads"]) == _round_trip(content["heads"]):
        content["metrics"]["PrivateTest"] = measured


def _round_trip(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _describe(dataset: FaceDataset) -> str:
    rows = int((dataset.usage == "Training").sum())
    official = dataset.counts() == OFFICIAL_COUNTS
    kind = (
        "FER-2013 (Goodfellow et al., 2013)"
        if official
        else "a set in the layout of FER-2013 that is not the official one"
    )
    return f"{kind}, Training split, {rows:,} faces"


def _parameters_sha256(model: Any) -> str:
    """Hash of the numbers alone; the HDF5 file differs from save to save, as it holds the time."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(weight.astype("<f4").tobytes())
    return digest.hexdigest()


def save_weights(model: Any, out: Path) -> None:
    """Write the weights file of a model folder in one step; any backend can."""
    partial = out / f".part-{os.getpid()}.weights.h5"  # Keras insists on this ending
    model.save_weights(partial)
    os.replace(partial, out / WEIGHTS)


def _convert(model: Any, path: Path) -> None:
    # from_keras_model, not from_concrete_functions: the latter silently drops the variables of a Keras 3 model.
    tensorflow = load_tensorflow()
    with quiet():
        converted = tensorflow.lite.TFLiteConverter.from_keras_model(model).convert()
    write_whole(path, converted)


def _check_agreement(model: Any, tflite: Path, images: np.ndarray, logits: np.ndarray) -> None:
    """Compare the LiteRT logits of all images, and those in resized batches, with the network's own."""
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
