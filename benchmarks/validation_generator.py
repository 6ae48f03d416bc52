"""How "82 % on the validation generator" comes about: a validation set cut off after augmentation.

    python benchmarks/validation_generator.py --data fer2013.csv

Training images are augmented first, each several times, shuffled, and split into training and validation: every
validation image has twins that were trained on. One network, trained once, is then measured on that validation set, on
its own training images, on Training images that were kept away, and on PublicTest. PrivateTest is not touched.
Writes benchmarks/results/validation_generator.json. Takes two to three CPU minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base.version import __version__
from fervid.errors import FervidError
from fervid.runtime.backend import load_training_backend
from fervid.train.data.fer2013 import SIDE_PX, FaceDataset, load_fer2013

RESULT = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "validation_generator.json"
NETWORK = "res-xs"
VALIDATION_PARTS = 5
SHIFT_PX, ANGLE_DEGREES, SCALE, BRIGHTNESS = 2.0, 6.0, 0.05, 12.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="FER-2013: the CSV file, or the folder that holds it")
    parser.add_argument("--parts", type=int, default=14, help="take one of so many parts of Training")
    parser.add_argument("--copies", type=int, default=5, help="augmented versions of each image")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--allow-unofficial", action="store_true", help="accept a set with other counts")
    arguments = parser.parse_args()
    try:
        load_training_backend()
        found = measure(arguments)
    except FervidError as problem:
        sys.exit(f"validation_generator.py: {problem}")
    arguments.result.parent.mkdir(parents=True, exist_ok=True)
    arguments.result.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for name, measured in found["measured"].items():
        print(f"{name:<32}{measured['accuracy']:>8.1%}   of {measured['n']:,}")
    print(f"{found['cpu_seconds']:.0f} CPU seconds; {arguments.result}")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train on augmented twins, validate on the others, and look at faces that are new."""
    from fervid.train.data.kfold import assign_folds
    from fervid.train.fit.loop import fit
    from fervid.train.fit.recipe import AugmentSettings, Recipe

    started = time.process_time()
    dataset = load_fer2013(arguments.data, require_official=not arguments.allow_unofficial)
    training, public = dataset.split("Training"), dataset.split("PublicTest")
    parts = assign_folds(training.images, training.labels, arguments.parts, seed=0)
    originals, held_out = training.take(parts == 0), training.take(parts == 1)

    rng = np.random.default_rng(0)
    images = np.concatenate([augment(originals.images, rng) for _ in range(arguments.copies)])
    labels = np.tile(originals.labels, arguments.copies)
    is_validation = rng.permutation(len(labels)) < len(labels) // VALIDATION_PARTS
    usage = np.where(is_validation, "PublicTest", "Training")  # fit measures the split of this name after each epoch
    generated = FaceDataset(images, labels, usage, "augmented Training images")

    plain = AugmentSettings(
        angle_degrees=0, scale=0, shift_px=0, contrast=0, brightness=0, erase_share=0, blur_share=0, noise_share=0
    )
    recipe = Recipe(
        network=NETWORK,
        epochs=arguments.epochs,
        batch_size=64,
        peak_learning_rate=0.05,
        warmup_epochs=1,
        weight_decay=5e-4,
        label_smoothing=0.0,
        ema_decay=0.98,
        augment=plain,
    )
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(generated, recipe, Path(folder))
    shown = {
        "validation after augmentation": generated.split("PublicTest"),
        "its own training images": generated.split("Training"),
        "held-out Training images": held_out,
        "PublicTest": public,
    }
    return {
        "network": NETWORK,
        "originals": len(originals.labels),
        "held_out": len(held_out.labels),
        "copies": arguments.copies,
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "settings": recipe.model_dump(mode="json"),
        "measured": {name: accuracy_on(fitted.model, faces) for name, faces in shown.items()},
        "cpu_seconds": time.process_time() - started,
        "fervid_version": __version__,
    }


def augment(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Small random changes of images uint8 (N, S, S), as generators in tutorials make them, uint8 (N, S, S)."""
    from fervid.base.opencv import cv2

    changed = np.empty_like(images)
    centre = (SIDE_PX - 1) / 2
    for i, image in enumerate(images):
        angle, scale = rng.uniform(-ANGLE_DEGREES, ANGLE_DEGREES), 1 + rng.uniform(-SCALE, SCALE)
        matrix = cv2.getRotationMatrix2D((centre, centre), angle, scale)
        matrix[:, 2] += rng.uniform(-SHIFT_PX, SHIFT_PX, 2)
        view = cv2.warpAffine(image, matrix, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE).astype(float)
        view = view[:, ::-1] if rng.random() < 0.5 else view
        changed[i] = np.clip(view + rng.uniform(-BRIGHTNESS, BRIGHTNESS), 0, 255)
    return changed


def accuracy_on(model: Any, faces: FaceDataset) -> dict[str, Any]:
    """Accuracy of a fitted network, with its 95 % interval."""
    from fervid.emotion.crops import as_network_input
    from fervid.stats.metrics import accuracy, wilson_interval

    share = accuracy(model.predict(as_network_input(faces.images), batch_size=256, verbose=0), faces.labels)
    return {"n": len(faces.labels), "accuracy": share, "accuracy_interval": wilson_interval(share, len(faces.labels))}


if __name__ == "__main__":
    main()
