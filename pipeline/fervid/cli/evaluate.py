"""`fervid evaluate`: how good a model is on one split of FER-2013, or which of several is better."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fervid.base import assets
from fervid.cli.option_groups import with_option_groups

if TYPE_CHECKING:
    from fervid.train.evaluate.compare import Comparison
    from fervid.train.evaluate.model import Evaluation


@dataclass(frozen=True)
class _Measuring:
    """What is measured."""

    split: Annotated[
        Literal["Training", "PublicTest", "PrivateTest"],
        typer.Option(
            help="Split to classify. A reading of PrivateTest measures all heads and views, and is logged in "
            "the model folder."
        ),
    ] = "PublicTest"
    tta: Annotated[
        Literal["none", "flip", "ten-crop"],
        typer.Option(help="Views of each face whose logits are averaged."),
    ] = "none"
    errors: Annotated[
        bool,
        typer.Option(
            "--errors",
            help="Also draw the 25 most confident errors and what in each face made them: shows faces of the data set.",
        ),
    ] = False
    latency: Annotated[bool, typer.Option("--latency", help="Also measure the CPU time per face.")] = False
    device: Annotated[str, typer.Option(help="auto, cpu or gpu:N.")] = "cpu"

    def folder_name(self, models: list[Path]) -> str:
        """The name of the folder of results."""
        return "-vs-".join(one.name for one in models) + f"-{self.split}" + (f"-{self.tta}" * (self.tta != "none"))


@with_option_groups
def evaluate(
    data: Annotated[Path, typer.Option(help="FER-2013: the CSV file, or the folder with it or with train/ and test/.")],
    measuring: _Measuring,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Names of shipped models, or model folders. Several models are compared on the same faces.",
            show_default=assets.DEFAULT_MODEL,
        ),
    ] = None,
    ferplus: Annotated[
        Path | None,
        typer.Option(help="FER+ votes (fer2013new.csv) for the evaluation.", show_default="next to the data"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Folder for metrics.json, evaluation.html and the plots; for several models, comparison.html too.",
            show_default="evaluation/MODEL-SPLIT in outputs/",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    allow_unofficial: Annotated[
        bool, typer.Option("--allow-unofficial", help="Accept a set with other counts than FER-2013.")
    ] = False,
) -> None:
    """Measure a model on FER-2013: accuracy, calibration, recall of each label, confusions, anger over thresholds.

    Several models are compared on the same faces with McNemar's exact test.
    Example: fervid evaluate fer2013-res-s outputs/training/mine --data fer2013.csv
    """
    from fervid.train.data.agreement import find_votes
    from fervid.train.data.fer2013 import load_fer2013
    from fervid.train.evaluate.compare import compare_models
    from fervid.train.evaluate.model import evaluate_model

    folders = [assets.model_folder(model) for model in models or [assets.DEFAULT_MODEL]]
    dataset = load_fer2013(data, require_official=not allow_unofficial)
    results = out or assets.default_output_folder() / "evaluation" / measuring.folder_name(folders)
    chosen = vars(measuring) | {"votes": find_votes(ferplus, data, dataset)}
    split = chosen.pop("split")
    found: Evaluation | Comparison
    if len(folders) == 1:
        found = evaluate_model(folders[0], dataset, split, results, **chosen)
    else:
        found = compare_models(folders, dataset, split, results, **chosen)
    if as_json:
        typer.echo(json.dumps(found.to_json()))
    else:
        typer.echo(f"{_text(found)}\n\n{_written(found)} are in {results}")


def _text(found: Evaluation | Comparison) -> str:
    from fervid.train.evaluate.model import Evaluation

    return _table(found) if isinstance(found, Evaluation) else _comparison_table(found)


def _written(found: Evaluation | Comparison) -> str:
    from fervid.train.evaluate.model import Evaluation

    if isinstance(found, Evaluation):
        return "evaluation.html, metrics.json and the plots"
    return "comparison.html, comparison.json and a folder for each model"


def _comparison_table(comparison: Comparison) -> str:
    from fervid.train.evaluate.comparison_page import pair_text

    wide = max(map(len, comparison.models)) + 2
    lines = [
        f"{comparison.split}, the same {comparison.n:,} faces for each model",
        "",
        f"{'':<{wide}}{'accuracy':>10}{'balanced':>10}{'macro F1':>10}{'ECE':>10}{'NLL':>10}",
    ]
    for name, one in comparison.models.items():
        shares = f"{one.accuracy:>10.2%}{one.balanced_accuracy:>10.2%}"
        lines.append(f"{name:<{wide}}{shares}{one.macro_f1:>10.4f}{one.ece:>10.4f}{one.nll:>10.4f}")
    return "\n".join([*lines, "", *(pair_text(pair) for pair in comparison.pairs)])


def _table(evaluation: Evaluation) -> str:
    labels = list(evaluation.per_class)
    wide = max(map(len, [*labels, "label"])) + 2
    views = "" if evaluation.tta == "none" else f", mean logits over {evaluation.tta} views"
    lines = [
        f"{evaluation.model} on {evaluation.split} ({evaluation.n:,} faces{views})",
        "",
        *(f"{name:<18}{value:>8}   {remark}".rstrip() for name, value, remark in _summary(evaluation)),
        "",
        f"{'label':<{wide}}{'precision':>10}{'recall':>10}{'F1':>10}{'faces':>10}",
    ]
    for label, row in evaluation.per_class.items():
        lines.append(
            f"{label:<{wide}}{row['precision']:>10.1%}{row['recall']:>10.1%}{row['f1']:>10.3f}{row['support']:>10,}"
        )
    lines += _ferplus_lines(evaluation)
    lines += [
        "",
        "rows: label in the data, columns: predicted",
        " " * wide + "".join(f"{label:>{wide}}" for label in labels),
    ]
    for label, counts in zip(labels, evaluation.confusion, strict=True):
        lines.append(f"{label:<{wide}}" + "".join(f"{count:>{wide},}" for count in counts))
    return "\n".join(lines)


def _ferplus_lines(evaluation: Evaluation) -> list[str]:
    """The head trained on the FER+ votes, if the model has one and the votes exist."""
    scores = evaluation.ferplus_head
    if scores is None or scores.votes is None:
        return []
    low, high = scores.accuracy_interval
    wide = max(map(len, scores.per_class)) + 2
    rows = [
        ("accuracy", f"{scores.accuracy:.2%}", f"95 % interval {low:.2%} to {high:.2%}"),
        ("macro F1", f"{scores.macro_f1:.4f}", ""),
        ("ECE", f"{scores.ece:.4f}", f"calibration error; {scores.ece_before_temperature:.4f} before temperature"),
        (
            "cross-entropy",
            f"{scores.votes.cross_entropy:.4f}",
            f"nats, against all votes of {scores.votes.n:,} faces; their own entropy is {scores.votes.entropy:.4f}",
        ),
    ]
    return [
        "",
        f"FER+ head: {len(scores.per_class)} emotions, the {scores.n:,} faces on which most voters agree",
        *(f"{name:<18}{value:>8}   {remark}".rstrip() for name, value, remark in rows),
        *(
            f"{label:<{wide}}{row['precision']:>10.1%}{row['recall']:>10.1%}{row['f1']:>10.3f}{row['support']:>10,}"
            for label, row in scores.per_class.items()
        ),
    ]


def _summary(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Name, value and remark of each line above the labels."""
    low, high = evaluation.accuracy_interval
    lines = [("accuracy", f"{evaluation.accuracy:.2%}", f"95 % interval {low:.2%} to {high:.2%}")]
    copies = evaluation.without_copies
    if copies.accuracy is not None and copies.accuracy_interval is not None:
        low, high = copies.accuracy_interval
        remark = f"{copies.n:,} faces whose image is not in Training; 95 % interval {low:.2%} to {high:.2%}"
        lines.append(("  without copies", f"{copies.accuracy:.2%}", remark))
    lines += [
        ("balanced accuracy", f"{evaluation.balanced_accuracy:.2%}", "mean recall of the labels"),
        ("top-2 accuracy", f"{evaluation.top2_accuracy:.2%}", ""),
        ("macro F1", f"{evaluation.macro_f1:.4f}", ""),
        ("Brier score", f"{evaluation.brier:.4f}", "0 to 2, after temperature"),
        (
            "ECE",
            f"{evaluation.ece:.4f}",
            f"calibration error; {evaluation.ece_before_temperature:.4f} before temperature",
        ),
        ("NLL", f"{evaluation.nll:.4f}", f"nats; {evaluation.nll_before_temperature:.4f} before temperature"),
    ]
    singled = evaluation.singled_out
    if singled.average_precision is not None:
        lines.append((f"{singled.label} AP", f"{singled.average_precision:.4f}", "average precision of one face"))
    for name, point in (("precision 0.8", singled.at_precision_80), ("recall 0.8", singled.at_recall_80)):
        value = "never" if point is None else f"{point.threshold:.3f}"
        remark = (
            ""
            if point is None
            else f"{singled.label} threshold: precision {point.precision:.1%}, recall {point.recall:.1%}"
        )
        lines.append((f"  {name}", value, remark))
    if evaluation.ferplus is not None and evaluation.ferplus.model.accuracy is not None:
        shared = evaluation.ferplus.model
        remark = f"of FER-2013's head with the majority of FER+'s voters on {shared.n:,} faces"
        lines.append(("FER+ agreement", f"{shared.accuracy:.2%}", remark))
    if evaluation.latency is not None:
        for batch, ms in evaluation.latency.cpu_ms_per_face.items():
            lines.append((f"batch of {batch}", f"{ms:.2f}", "CPU milliseconds per face, one thread"))
    return lines
