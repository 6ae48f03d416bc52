"""The model card, CARD.md: written only from `model.json`, so that the two agree. Measures nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fervid.emotion.model import FER2013, FERPLUS, stored_metrics
from fervid.errors import ModelError, OutputError
from fervid.stats.metrics import wilson_interval
from fervid.train.fit.recipe import Recipe

CARD = "CARD.md"

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

What it can do is point a reader of footage to moments worth reviewing, over enough material for errors to average
out, and with a person who checks them.
"""

FAULTS = """\
* Labels are noisy: one label per image, and people agreed with them in about 65 % of the cases (Goodfellow et al.,
  2013).
* Images came from web searches for emotion words: posed and exaggerated faces, stock photographs, drawings, some
  images without a face or with text across it. Who is shown, by origin, age or sex, was never recorded.
* Faces are grey, 48 x 48 px and mostly frontal. Video faces in profile, in motion or in poor light look different.
"""

HEADS = {
    FER2013: "FER-2013's labels",
    FERPLUS: "the majority of FER+'s ten voters",
}
VIEWS = {"none": "one view", "flip": "with the mirror image", "ten-crop": "ten crops"}

SPLITS = {
    "PublicTest": "The epoch and the temperatures were selected on these faces, so these numbers are a bit optimistic.",
    "PrivateTest": "Nothing was selected on these faces.",
}

_CARD = """\
# {name}

A classifier of facial expressions: network `{network}` ({parameters:,} parameters), a grey face of {side} x {side} px
in, {n_logits} logits out: {heads}.

| | |
| --- | --- |
{facts}
| Temperature | {temperatures} |
| PrivateTest | {readings} |

{results}
{warning}
## Known faults of the data

{faults}
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


def write_card(content: dict[str, Any], folder: Path) -> Path:
    """Write CARD.md into `folder` from the content of its `model.json`; returns its path. Raises OutputError."""
    path = folder / CARD
    try:
        path.write_text(make_card(content), encoding="utf-8")
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Check its permissions.") from None
    return path


def make_card(content: dict[str, Any]) -> str:
    """The card as Markdown. Raises ModelError for a `model.json` that has no record of how the model was made."""
    try:
        facts = _combined(content) if "combined_from" in content else _trained(content)
        return _CARD.format(
            **{key: content[key] for key in ("name", "network", "parameters", "licence", "data_sha256")},
            **{key: content[key] for key in ("weights_sha256", "tflite_sha256")},
            **{key: content[key] for key in ("fervid_version", "keras_version", "created_utc")},
            side=content["input_side_px"],
            n_logits=sum(len(head["labels"]) for head in content["heads"]),
            heads="; ".join(f"{HEADS[head['name']]} ({', '.join(head['labels'])})" for head in content["heads"]),
            facts="\n".join(f"| {name} | {value} |" for name, value in facts),
            temperatures=_temperatures(content),
            readings=_readings(content),
            results="\n".join(filter(None, (_results(content, split) for split in reversed(SPLITS)))),
            warning=WARNING,
            faults=FAULTS + _counted_faults(content),
        )
    except KeyError as problem:
        raise ModelError(
            f"model.json of {content.get('name')} has no entry {problem}, so no card can be written from it. "
            "Export the model again."
        ) from None


def _trained(content: dict[str, Any]) -> list[tuple[str, str]]:
    recipe = Recipe.model_validate(content["recipe"]).model_dump()  # settings added since then have defaults
    hours = content["training_seconds"] / 3600
    return [
        ("Trained on", content["training_data"]),
        (
            "Epochs",
            f"{content['epochs']}, best epoch {content['best_epoch']}; seed {recipe['seed']}; {hours:.1f} h",
        ),
        (
            "Optimiser",
            f"{_optimiser(recipe)}, peak learning rate {recipe['peak_learning_rate']}, batches of "
            f"{recipe['batch_size']}",
        ),
        (
            "Regularisation",
            f"label smoothing {recipe['label_smoothing']}, weight decay {recipe['weight_decay']} (decoupled), "
            "averaged weights (EMA)",
        ),
        ("Augmentation", f"flip, {_augmentation(recipe['augment'])}"),
        *_teaching(recipe),
        ("Selected on", "PublicTest accuracy of the averaged weights, after each epoch"),
    ]


def _teaching(recipe: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if recipe["clean"]:
        rows.append(("Left out", "copies of images, and images without a face, from Training"))
    if distil := recipe["distil"]:
        teachers = ", ".join(Path(name).name for name in distil["teachers"] or [distil["targets"]])
        rows.append(
            ("Distilled from", f"{teachers}: weight {distil['weight']:g}, at temperature {distil['temperature']:g}")
        )
    return rows


def _combined(content: dict[str, Any]) -> list[tuple[str, str]]:
    """The members of an ensemble; their own PrivateTest readings count as readings of the ensemble."""
    members = "; ".join(
        f"{member['name']} (`{member['network']}`, weights `{member['weights_sha256'][:12]}`, PrivateTest "
        f"{_read(member['private_test_readings'])})"
        for member in content["combined_from"]
    )
    return [
        ("Trained on", content["training_data"]),
        ("Combined from", members),
        ("How", "mean of the logits of each head, over the members that have it; nothing was trained again"),
    ]


def _temperatures(content: dict[str, Any]) -> str:
    each = "; ".join(
        f"{head['name']} {head['temperature']:.4f}, {head['flip_temperature']:.4f} with the mirror image"
        for head in content["heads"]
    )
    return f"{each}; fitted on PublicTest"


def _readings(content: dict[str, Any]) -> str:
    readings = content.get("private_test_readings", [])
    if not readings:
        return "never read; each reading is logged in `model.json` under `private_test_readings`"
    days = ", ".join(dict.fromkeys(reading["utc"][:10] for reading in readings))
    return f"not read in training; {_read(len(readings))} since ({days}), as logged in `model.json`"


def _read(times: int) -> str:
    return {0: "never read", 1: "read once", 2: "read twice"}.get(times, f"read {times} times")


def _results(content: dict[str, Any], split: str) -> str:
    """The section of one split: a table over the views and one over the labels for each head."""
    tables = [
        table for head in content["heads"] for table in _head_tables(content, split, head["name"]) if table is not None
    ]
    if not tables and split == "PrivateTest":
        readings = content.get("private_test_readings", [])
        if not readings:
            return ""
        last = readings[-1]
        low, high = wilson_interval(last["accuracy"], last["n"])
        tables = [
            f"Accuracy {last['accuracy']:.2%} (95 % Wilson interval {low:.2%} to {high:.2%}) of {last['n']:,} faces; "
            "the other numbers of this reading were not stored.\n"
        ]
    return f"## Results on {split}\n\n{SPLITS[split]}\n\n" + "\n".join(tables)


def _head_tables(content: dict[str, Any], split: str, head: str) -> list[str | None]:
    measured = {tta: stored_metrics(content, split, head, tta) for tta in VIEWS}
    single = measured["none"]
    if not single:
        return [None]
    title = HEADS[head][0].upper() + HEADS[head][1:]
    what = f"### {title} ({single['n']:,} faces)\n"
    if head == FERPLUS:
        what += (
            "\nSingle votes dropped, more than half of the rest agree on one of the eight emotions (Barsoum et al., "
            "2016).\n"
        )
    rows = [_view_row(VIEWS[tta], numbers) for tta, numbers in measured.items() if numbers]
    views = (
        f"{what}\n| Views | Accuracy (95 % Wilson interval) | Without copies | Balanced | Macro F1 | NLL | "
        "Calibration error before, after temperature |\n| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows)
    )
    if single.get("votes"):
        votes = single["votes"]
        views += (
            f"\n\nCross-entropy against all votes of {votes['n']:,} faces, one view: {votes['cross_entropy']:.3f} nats "
            f"({votes['cross_entropy_before_temperature']:.3f} before temperature); the votes' own entropy is "
            f"{votes['entropy']:.3f}."
        )
    labels = "\n".join(
        f"| {label} | {row['recall']:.1%} | {row['precision']:.1%} | {row['f1']:.3f} | {row['support']:,} |"
        for label, row in single["per_class"].items()
    )
    heading = "| Label, one view | Recall | Precision | F1 | Faces |\n| --- | --- | --- | --- | --- |\n"
    return [views + "\n", heading + labels + "\n"]


def _view_row(name: str, numbers: dict[str, Any]) -> str:
    low, high = numbers["accuracy_interval"]
    copies = numbers.get("without_copies") or {}
    cells = [
        name,
        f"{numbers['accuracy']:.2%} ({low:.2%} to {high:.2%})",
        f"{copies['accuracy']:.2%} of {copies['n']:,}" if copies.get("n") else "",
        f"{numbers['balanced_accuracy']:.2%}" if "balanced_accuracy" in numbers else "",
        f"{numbers['macro_f1']:.4f}",
        f"{numbers['nll']:.4f}",
        f"{numbers['ece_before_temperature']:.4f}, {numbers['ece']:.4f}",
    ]
    return f"| {' | '.join(cells)} |"


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


def _counted_faults(content: dict[str, Any]) -> str:
    """The faults that were counted at export: imbalance, and PublicTest faces that also occur in Training."""
    counted = content.get("data")
    if counted is None:
        return ""
    classes = counted["training_faces"]
    rarest, commonest = min(classes, key=lambda k: classes[k]), max(classes, key=lambda k: classes[k])
    return (
        f"* Classes are uneven: {classes[commonest]:,} {commonest} and {classes[rarest]:,} {rarest} faces in Training."
        "\n"
        f"* {counted['public_test_copies']:,} of the {counted['public_test_faces']:,} PublicTest faces also occur in "
        "Training, pixel for pixel.\n"
    )
