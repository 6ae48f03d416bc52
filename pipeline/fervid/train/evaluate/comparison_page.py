"""Writes the results of a model comparison: one page, and the same numbers as JSON. Measures nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from fervid.errors import OutputError
from fervid.train.evaluate.compare import Comparison, Pair
from fervid.train.evaluate.evaluation_files import PAGE
from fervid.train.evaluate.evaluation_page import VIEWS, interval_text, number_table
from fervid.train.evaluate.model import Evaluation
from fervid.web.written import html_page

COMPARISON_PAGE, COMPARISON_JSON = "comparison.html", "comparison.json"
SMALLEST_SHOWN_P = 1e-4
SIGNIFICANT = 0.05


def write_comparison(comparison: Comparison, out: Path) -> None:
    """Write comparison.html and comparison.json into `out`. Raises OutputError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        content = json.dumps(comparison.to_json(), indent=2) + "\n"
        (out / COMPARISON_JSON).write_text(content, encoding="utf-8")
        (out / COMPARISON_PAGE).write_text(make_comparison_page(comparison), encoding="utf-8")
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Give another folder with --out.") from None


def make_comparison_page(comparison: Comparison) -> str:
    """The page as text. It has no script and links only to the models' own pages beside it."""
    title = f"{', '.join(comparison.models)} on {comparison.split}"
    return html_page(
        title,
        [
            f"<h1>{escape(title)}</h1>",
            f'<p class="quiet">The same {comparison.n:,} faces of FER-2013 for each, {VIEWS[comparison.tta]}</p>',
            "<h2>In numbers</h2>",
            number_table(("", *comparison.models), _number_rows(list(comparison.models.values()))),
            "<h2>Which one is better</h2>",
            *(f"<p>{escape(pair_text(pair))}</p>" for pair in comparison.pairs),
            number_table(PAIR_HEADS, [_pair_row(pair) for pair in comparison.pairs]),
            f"<p>{escape(METHOD)}</p>",
            "<h2>Recall of each label</h2>",
            number_table(("label", *comparison.models, "faces"), _recall_rows(list(comparison.models.values()))),
        ],
        says="A label says how a face looks to people who sorted photographs, not what a person feels. The same "
        f"numbers, unrounded, are in {COMPARISON_JSON}.",
        links={name: f"{quote(name)}/{PAGE}" for name in comparison.models},
    )


PAIR_HEADS = ("pair", "both right", "only the first", "only the second", "both wrong", "difference", "p", "p, Holm")
METHOD = (
    "The difference is the second model's accuracy minus the first's, with a 95 % interval for paired shares (Agresti "
    "and Min). p is McNemar's exact test, two-sided: how often a difference at least as large would come up if both "
    "models were equally good. It counts only the faces that exactly one of the two classifies correctly. Holm's p "
    "allows for all pairs of this page. FER-2013 has several images of some people, so faces are not independent."
)


def pair_text(pair: Pair) -> str:
    """One pair in a sentence: which is better by how much, and whether the difference is significant."""
    low, high = pair.difference_interval
    span = f"95 % interval {100 * low:+.2f} to {100 * high:+.2f}"
    if not pair.difference:
        return f"{pair.second} and {pair.first} are correct equally often ({span} points)."
    better, worse = (pair.second, pair.first) if pair.difference > 0 else (pair.first, pair.second)
    verdict = "more than chance explains" if pair.p_holm < SIGNIFICANT else "not more than chance explains"
    return (
        f"{better} has {100 * abs(pair.difference):.2f} points more right than {worse}, {verdict} "
        f"(McNemar's exact test, {p_text(pair.p_holm)}; {pair.second} less {pair.first}: {span})."
    )


def p_text(p: float) -> str:
    """A p-value as text, with its significant digits only."""
    return f"p < {SMALLEST_SHOWN_P:.4f}" if p < SMALLEST_SHOWN_P else f"p = {p:.4f}" if p < 0.01 else f"p = {p:.3f}"


def _pair_row(pair: Pair) -> tuple[str, ...]:
    low, high = pair.difference_interval
    counts = (pair.both_right, pair.first_alone_right, pair.second_alone_right, pair.both_wrong)
    difference = f"{100 * pair.difference:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"
    ps = [p_text(p).removeprefix("p ").removeprefix("= ") for p in (pair.p, pair.p_holm)]
    return (f"{pair.first}, {pair.second}", *(f"{count:,}" for count in counts), difference, *ps)


def _number_rows(evaluations: Sequence[Evaluation]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("accuracy", *(f"{one.accuracy:.2%}" for one in evaluations)),
        ("95 % interval", *(interval_text(one.accuracy_interval).partition("interval ")[2] for one in evaluations)),
        ("balanced accuracy", *(f"{one.balanced_accuracy:.2%}" for one in evaluations)),
        ("top-2 accuracy", *(f"{one.top2_accuracy:.2%}" for one in evaluations)),
        ("macro F1", *(f"{one.macro_f1:.4f}" for one in evaluations)),
        ("calibration error", *(f"{one.ece:.4f}" for one in evaluations)),
        ("negative log-likelihood", *(f"{one.nll:.4f}" for one in evaluations)),
        ("Brier score", *(f"{one.brier:.4f}" for one in evaluations)),
    ]
    for name, values in (
        ("parameters", [f"{one.parameters:,}" if one.parameters is not None else "" for one in evaluations]),
        ("MMACs", [f"{one.mmacs:.1f}" if one.mmacs is not None else "" for one in evaluations]),
    ):
        if any(values):
            rows.append((name, *values))
    return rows


def _recall_rows(evaluations: Sequence[Evaluation]) -> list[tuple[str, ...]]:
    """Matched by label: models may order them differently."""
    return [
        (label, *(f"{one.per_class[label]['recall']:.1%}" for one in evaluations), f"{row['support']:,}")
        for label, row in evaluations[0].per_class.items()
    ]
