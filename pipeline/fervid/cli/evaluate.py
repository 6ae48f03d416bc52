"""`fervid evaluate`: how good a model is on one split of FER-2013."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fervid import assets

if TYPE_CHECKING:
    from fervid.train.evaluate import Evaluation


def evaluate(
    data: Annotated[
        Path, typer.Option(help="FER-2013: the CSV file, or the folder that holds it or train/ and test/.")
    ],
    model: Annotated[str, typer.Argument(help="Name of a shipped model, or a model folder.")] = assets.DEFAULT_MODEL,
    split: Annotated[
        Literal["Training", "PublicTest", "PrivateTest"],
        typer.Option(help="Rows to classify. Each reading of PrivateTest is logged in the model folder."),
    ] = "PublicTest",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for metrics.json, confusion.csv and confusion.png.",
            show_default="evaluation/MODEL-SPLIT in outputs/",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    allow_unofficial: Annotated[
        bool, typer.Option("--allow-unofficial", help="Accept a set with other counts than FER-2013.")
    ] = False,
) -> None:
    """Measure a model on FER-2013: accuracy, calibration, recall of each label, confusions."""
    folder = assets.model_folder(model)
    from fervid.train.evaluate import evaluate_model
    from fervid.train.fer2013 import load_fer2013

    dataset = load_fer2013(data, require_official=not allow_unofficial)
    results = out or assets.default_output_folder() / "evaluation" / f"{folder.name}-{split}"
    evaluation = evaluate_model(folder, dataset, split, results)
    if as_json:
        typer.echo(json.dumps(evaluation.to_json()))
    else:
        typer.echo(f"{_table(evaluation)}\n\nconfusion.png, confusion.csv and metrics.json are in {results}")


def _table(evaluation: Evaluation) -> str:
    low, high = evaluation.accuracy_interval
    labels = list(evaluation.per_class)
    wide = max(map(len, [*labels, "label"])) + 2
    lines = [
        f"{evaluation.model} on {evaluation.split} ({evaluation.n:,} faces)",
        "",
        f"accuracy  {evaluation.accuracy:7.2%}   (95 % interval {low:.2%} to {high:.2%})",
        f"macro F1  {evaluation.macro_f1:7.4f}",
        f"ECE       {evaluation.ece:7.4f}   (expected calibration error, after temperature)",
        f"NLL       {evaluation.nll:7.4f}   (negative log-likelihood in nats, after temperature)",
        "",
        f"{'label':<{wide}}{'precision':>10}{'recall':>10}{'F1':>10}{'faces':>10}",
    ]
    for label, row in evaluation.per_class.items():
        lines.append(
            f"{label:<{wide}}{row['precision']:>10.1%}{row['recall']:>10.1%}{row['f1']:>10.3f}{row['support']:>10,}"
        )
    lines += [
        "",
        "rows: label in the data, columns: predicted",
        " " * wide + "".join(f"{label:>{wide}}" for label in labels),
    ]
    for label, counts in zip(labels, evaluation.confusion, strict=True):
        lines.append(f"{label:<{wide}}" + "".join(f"{count:>{wide},}" for count in counts))
    return "\n".join(lines)
