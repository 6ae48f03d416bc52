"""One self-contained HTML page of an evaluation: numbers and plots. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from fervid.train.evaluate.latency import Latency
from fervid.train.evaluate.measure import HeadScores, Share
from fervid.train.evaluate.model import CrossLabels, Evaluation, SingledOut
from fervid.web.written import html_figure, html_page, html_table

VIEWS = {
    "none": "one view of each face",
    "flip": "mean logits of each face and its mirror image",
    "ten-crop": "mean logits of ten crops of each face",
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A PNG with its heading and alternative text."""

    heading: str
    description: str
    png: bytes


def make_page(evaluation: Evaluation, plots: Sequence[Plot]) -> str:
    """The page as text. It has no script and no links, so it reads the same from a file, a mail or paper."""
    title = f"{evaluation.model} on {evaluation.split}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">{evaluation.n:,} faces of FER-2013, {VIEWS[evaluation.tta]}, '
        f"temperature {evaluation.temperature:.3f}</p>",
        "<h2>In numbers</h2>",
        number_table(("", "value", ""), _main_rows(evaluation)),
        "<h2>Each label</h2>",
        number_table(("label", "precision", "recall", "F1", "faces"), _label_rows(evaluation.per_class)),
        f"<h2>The label {escape(evaluation.singled_out.label)} against all others</h2>",
        _singled_out(evaluation.singled_out),
    ]
    if evaluation.ferplus is not None:
        parts += ["<h2>Agreement with FER+</h2>", _cross_labels(evaluation.ferplus)]
    if evaluation.ferplus_head is not None:
        parts += ["<h2>The head trained on FER+</h2>", _ferplus_head(evaluation.ferplus_head)]
    if evaluation.latency is not None:
        parts += ["<h2>Time per face</h2>", _latency(evaluation.latency)]
    parts += [html_figure(plot.heading, plot.description, plot.png, has_caption=True) for plot in plots]
    says = (
        "A label says how a face looks to people who sorted photographs, not what a person feels. The labels of "
        "FER-2013 are noisy themselves. The same numbers, unrounded, are in metrics.json."
    )
    return html_page(title, parts, says=says)


def _main_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    copies = evaluation.without_copies
    rows: list[tuple[str, ...]] = [
        ("accuracy", f"{evaluation.accuracy:.2%}", interval_text(evaluation.accuracy_interval)),
        (
            "accuracy without copies",
            _percent(copies),
            f"{copies.n:,} faces whose image does not occur in Training; {interval_text(copies.accuracy_interval)}"
            if copies.n
            else "every image also occurs in Training",
        ),
        ("balanced accuracy", f"{evaluation.balanced_accuracy:.2%}", "mean recall of the labels"),
        ("top-2 accuracy", f"{evaluation.top2_accuracy:.2%}", "the label is among the two largest"),
        ("macro F1", f"{evaluation.macro_f1:.4f}", "mean F1 of the labels"),
        ("Brier score", f"{evaluation.brier:.4f}", "squared distance of the probabilities to the label, 0 to 2"),
        (
            "calibration error",
            f"{evaluation.ece:.4f}",
            f"over 15 bins, after temperature; {evaluation.ece_before_temperature:.4f} before",
        ),
        (
            "negative log-likelihood",
            f"{evaluation.nll:.4f}",
            f"nats, after temperature; {evaluation.nll_before_temperature:.4f} before",
        ),
    ]
    if evaluation.parameters is not None:
        rows.append(("parameters", f"{evaluation.parameters:,}", "weights of the network"))
    if evaluation.mmacs is not None:
        rows.append(("MMACs", f"{evaluation.mmacs:.1f}", "millions of multiply-accumulates per view"))
    return rows


def _label_rows(per_class: Mapping[str, Mapping[str, float]]) -> list[tuple[str, ...]]:
    return [
        (label, f"{row['precision']:.1%}", f"{row['recall']:.1%}", f"{row['f1']:.3f}", f"{row['support']:,}")
        for label, row in per_class.items()
    ]


def _singled_out(singled: SingledOut) -> str:
    points = {
        "precision of 0.8 or more": singled.at_precision_80,
        "recall of 0.8 or more": singled.at_recall_80,
        "best F1": singled.best_f1,
    }
    rows: list[tuple[str, ...]] = [
        (name, "not reached", "", "", "")
        if point is None
        else (name, f"{point.threshold:.3f}", f"{point.precision:.1%}", f"{point.recall:.1%}", f"{point.f1:.3f}")
        for name, point in points.items()
    ]
    areas = f"Average precision {_number(singled.average_precision)}, area under the ROC curve {_number(singled.auc)}"
    return (
        f"<p>{areas}, {singled.n:,} faces with this label. Thresholds are of the probability after temperature, of "
        "single faces, not of smoothed tracks.</p>"
        + number_table(("threshold for", "threshold", "precision", "recall", "F1"), rows)
    )


def _cross_labels(found: CrossLabels) -> str:
    rows = [
        ("this model", _percent(found.model), interval_text(found.model.accuracy_interval)),
        ("FER-2013's own labels", _percent(found.labels), interval_text(found.labels.accuracy_interval)),
    ]
    return (
        f"<p>FER+ is another labelling of the same images. On {found.model.n:,} faces most of its voters named one "
        "of the seven emotions that both have (ties, contempt, unknown and not-a-face left out). The table shows how "
        "often that emotion is predicted: an agreement between labellings, not an accuracy on FER-2013.</p>"
        + number_table(("", "agrees", ""), rows)
    )


def _ferplus_head(scores: HeadScores) -> str:
    rows: list[tuple[str, ...]] = [
        ("accuracy", f"{scores.accuracy:.2%}", interval_text(scores.accuracy_interval)),
        ("macro F1", f"{scores.macro_f1:.4f}", "mean F1 of the labels"),
        (
            "calibration error",
            f"{scores.ece:.4f}",
            f"over 15 bins, after temperature {scores.temperature:.3f}; {scores.ece_before_temperature:.4f} before",
        ),
    ]
    if scores.votes is not None:
        rows.append(
            (
                "cross-entropy against the votes",
                f"{scores.votes.cross_entropy:.4f}",
                f"nats, all {scores.votes.n:,} faces whose most frequent vote is an emotion, after temperature; the "
                f"votes' own entropy is {scores.votes.entropy:.4f}",
            )
        )
    return (
        f"<p>Accuracy over {len(scores.per_class)} emotions on the {scores.n:,} faces on which most voters agree: "
        "single votes dropped, more than half of the rest.</p>"
        + number_table(("", "value", ""), rows)
        + number_table(("label", "precision", "recall", "F1", "faces"), _label_rows(scores.per_class))
    )


def _latency(latency: Latency) -> str:
    rows = [(f"batch of {batch}", f"{ms:.2f} ms") for batch, ms in latency.cpu_ms_per_face.items()]
    threads = "one thread" if latency.threads == 1 else f"{latency.threads} threads"
    return f"<p>CPU time through LiteRT on {threads} of {escape(latency.cpu)}, one view.</p>" + number_table(
        ("", "a face"), rows
    )


def number_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of numbers: the first column and those without a heading are text."""
    return html_table(heads, rows, numbers=[head for i, head in enumerate(heads) if i and head])


def _percent(share: Share) -> str:
    return "none" if share.accuracy is None else f"{share.accuracy:.2%}"


def interval_text(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"95 % interval {interval[0]:.2%} to {interval[1]:.2%}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
