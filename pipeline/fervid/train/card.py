"""The model card, CARD.md: written from the numbers in `model.json`, so that the two agree. Measures nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fervid.train.fer2013 import EMOTIONS, FaceDataset

WARNING = """\
## What it is not for

An expression label says what a face looks like to people who sorted photographs. It does not say what a person feels,
means or will do: people smile when they are not happy and are angry without a frown, and how faces are read depends
on culture and situation (Barrett et al., "Emotional Expressions Reconsidered", 2019).

* Do not use it for decisions about people: hiring, education, credit, insurance, policing, borders, health. In the
  European Union, inferring emotions at work and in education is prohibited, medical and safety reasons aside
  (Regulation 2024/1689, Article 5(1)(f)).
* Do not use it to diagnose, to detect lies, or to judge one person. Errors are frequent (see the recall of each
  class) and were not measured by age, sex, skin colour or region, so that they may fall on some groups more.
* It does not identify anybody, and was not trained to: no names, no identities, no embeddings to compare.

What it can do is point a reader of footage to moments worth looking at, in numbers large enough for errors to average
out, and with a person who looks.
"""

FAULTS = """\
* Labels are noisy: one label per image, and people agreed with them in about 65 % of the cases (Goodfellow et al.,
  2013).
* Images came from web searches for emotion words: posed and exaggerated faces, stock photographs, drawings, some
  pictures without a face or with lettering across it. Who is shown, by origin, age or sex, was never recorded.
* Faces are grey, 48 x 48 px and mostly frontal. Video faces in profile, in motion or in poor light are unlike them.
"""

_CARD = """\
# {name}

A classifier of facial expressions: network `{network}` ({parameters:,} parameters), a grey face of {side} x {side} px
in, logits of {n_labels} labels out ({labels}).

| | |
| --- | --- |
| Trained on | {training_data} |
| Epochs | {epochs}, of which epoch {best_epoch} was kept; seed {seed}; {hours:.1f} h |
| Optimiser | {optimiser}, peak learning rate {peak_learning_rate}, batches of {batch_size} |
| Regularisation | label smoothing {label_smoothing}, weight decay {weight_decay} (decoupled), averaged weights (EMA) |
| Augmentation | flip, {augment} |
| Selected on | PublicTest accuracy of the averaged weights, after each epoch |
| Temperature | {temperature:.4f}, fitted on PublicTest |
| PrivateTest | never read in training; each later reading is logged in `model.json` under `private_test_readings` |

## Results on PublicTest ({n:,} faces)

The epoch and the temperature were chosen on these faces, so these numbers are slightly too good.

| Measure | Value |
| --- | --- |
| Accuracy | {accuracy:.2%} (95 % Wilson interval {low:.2%} to {high:.2%}) |
| Macro F1 | {macro_f1:.4f} |
| Negative log-likelihood | {nll_before:.4f} before temperature, {nll:.4f} after |
| Expected calibration error | {ece_before:.4f} before temperature, {ece:.4f} after |

| Label | Recall | Precision | F1 | Faces |
| --- | --- | --- | --- | --- |
{classes}

{warning}
## Known faults of the data

{faults}{counted}
## Files and licence

The weights are under the {licence} licence. The images of FER-2013 are not part of this folder; they were published
for research, and their own rights stay with their owners.

| File | SHA-256 |
| --- | --- |
| `model.weights.h5` | `{weights_sha256}` |
| `model.tflite` | `{tflite_sha256}` |
| training data (pixels, labels, split) | `{data_sha256}` |

Made by fervid {fervid_version} with Keras {keras_version} on {created_utc}.
"""


def write_card(content: dict[str, Any], dataset: FaceDataset, path: Path) -> None:
    """Write the card of a model from the content of its `model.json` and the data set that it was trained on."""
    metrics, recipe = content["metrics"]["PublicTest"], content["recipe"]
    low, high = metrics["accuracy_interval"]
    classes = "\n".join(
        f"| {label} | {row['recall']:.1%} | {row['precision']:.1%} | {row['f1']:.3f} | {row['support']:,} |"
        for label, row in metrics["per_class"].items()
    )
    path.write_text(
        _CARD.format(
            **{key: content[key] for key in ("name", "network", "parameters", "training_data", "epochs", "best_epoch")},
            **{
                key: content[key]
                for key in ("temperature", "licence", "weights_sha256", "tflite_sha256", "data_sha256")
            },
            **{key: content[key] for key in ("fervid_version", "keras_version", "created_utc")},
            **{key: recipe[key] for key in ("seed", "peak_learning_rate", "batch_size", "label_smoothing")},
            **{key: metrics[key] for key in ("n", "accuracy", "macro_f1", "nll", "ece")},
            weight_decay=recipe["weight_decay"],
            side=content["input_side_px"],
            n_labels=len(content["labels"]),
            labels=", ".join(content["labels"]),
            hours=content["training_seconds"] / 3600,
            optimiser=_optimiser(recipe),
            augment=_augmentation(recipe["augment"]),
            low=low,
            high=high,
            nll_before=metrics["nll_before_temperature"],
            ece_before=metrics["ece_before_temperature"],
            classes=classes,
            warning=WARNING,
            faults=FAULTS,
            counted=_counted_faults(dataset),
        ),
        encoding="utf-8",
    )


def _optimiser(recipe: dict[str, Any]) -> str:
    names = {
        "sgd": f"SGD with Nesterov momentum {recipe['momentum']:g}",
        "adam": "Adam",
        "adamw": "AdamW",
    }
    extras = [names[recipe["optimizer"]]]
    if recipe["mixup_alpha"]:
        extras.append(f"mixup {recipe['mixup_alpha']:g}")
    if recipe["class_weight"] != "none":
        extras.append(f"{recipe['class_weight']} class weights")
    if recipe["ferplus_weight"]:
        extras.append(f"FER+ votes as a second target (weight {recipe['ferplus_weight']:g})")
    return ", ".join(extras)


def _augmentation(strength: dict[str, float]) -> str:
    return (
        f"rotation up to {strength['angle_degrees']:g} degrees, scale by up to {strength['scale']:.0%}, shift up to "
        f"{strength['shift_px']:g} px, contrast {strength['contrast']:.0%}, brightness {strength['brightness']:.0%}, "
        f"erasing of {strength['erase_share']:.0%} of the images, blur of {strength['blur_share']:.0%}, "
        f"noise on {strength['noise_share']:.0%}"
    )


def _counted_faults(dataset: FaceDataset) -> str:
    """The faults that can be counted: imbalance, and PublicTest faces that also stand in Training, pixel for pixel."""
    counts = dict(zip(EMOTIONS, dataset.counts()["Training"], strict=True))
    rarest, commonest = min(counts, key=lambda k: counts[k]), max(counts, key=lambda k: counts[k])
    pixels = {
        name: [image.tobytes() for image in dataset.images[dataset.usage == name]]
        for name in ("Training", "PublicTest")
    }
    known = set(pixels["Training"])
    copies = sum(image in known for image in pixels["PublicTest"])
    return (
        f"* Classes are uneven: {counts[commonest]:,} {commonest} and {counts[rarest]:,} {rarest} faces in Training.\n"
        f"* {copies:,} of the {len(pixels['PublicTest']):,} PublicTest faces also stand in Training, pixel for pixel.\n"
    )
