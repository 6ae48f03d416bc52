"""Writes a read-out over time beside its model: `readout.json`, and the card READOUT.md made from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fervid.base.version import __version__
from fervid.emotion.model import ModelInfo
from fervid.emotion.readout import READOUT_JSON, readout_content
from fervid.errors import OutputError
from fervid.stats.metrics import mcnemar_p, wilson_interval
from fervid.storage.publish import write_whole
from fervid.train.fit.readout import FittedReadout, LeftOut

READOUT_CARD = "READOUT.md"
SIDES = ("without a baseline", "with the baseline of the person's recordings")

_CARD = """\
# Read-out over time of {model}

A linear correction of the network's answer to a face's smoothed scores (half-life {half_life:g} s), used with
`--readout`. It was fitted to {n} labelled recordings of {people} people,
{photographs}.
Part of it grows with the time that a face was seen, to half its strength after {half_life:g} s.

Each recording was answered by a read-out that was chosen and fitted without its person. A recording counts as right if
its mean scores lead to its label.

| right | network | read-out | only the read-out, only the network | exact McNemar p |
| --- | --- | --- | --- | --- |
{rows}

| label | found | others called so |
| --- | --- | --- |
{recalls}

Each pair is without and with the baseline.

On photographs of other people (three quarters of PublicTest, which it was not fitted to, as still faces of long
videos) {changed:.1%} of the answers differ from the network's; 5 % was the largest change allowed. PublicTest counts
{weight:g} times as much as the recordings.

Labels that the recordings lack ({rare}) are held by the photographs alone.
These people are few: measure your own footage before you rely on it.

Made by fervid {version}.
"""


def write_readout(fitted: FittedReadout, left_out: Sequence[LeftOut], model: ModelInfo, folder: Path) -> Path:
    """Write both files; returns the path of the JSON. Raises OutputError."""
    inputs = [f"{head.name}.{label}" for head in model.heads for label in head.labels]
    content = readout_content(fitted.readout(model), inputs) | {"fit": _results(fitted, left_out)}
    path = folder / READOUT_JSON
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps(content, indent=1) + "\n").encode())
        write_whole(folder / READOUT_CARD, _card(content, model).encode())
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Give another folder with --out.") from None
    return path


def in_words(left_out: Sequence[LeftOut], side: int) -> str:
    """Right answers of read-out and network to people left out; `side` 0 without, 1 with the baseline."""
    both = _compared(left_out, side)
    return (
        f"{both['readout_right']} of {both['n']} right, the network alone {both['network_right']} "
        f"(exact McNemar p = {both['p']:.2g})"
    )


def _compared(left_out: Sequence[LeftOut], side: int) -> dict[str, Any]:
    readout = [one.answers[side] == one.recording.label for one in left_out]
    network = [one.network[side] == one.recording.label for one in left_out]
    gained = sum(a and not b for a, b in zip(readout, network, strict=True))
    lost = sum(b and not a for a, b in zip(readout, network, strict=True))
    return {
        "n": len(left_out),
        "network_right": sum(network),
        "readout_right": sum(readout),
        "gained": gained,
        "lost": lost,
        "p": mcnemar_p(gained, lost),
    }


def _results(fitted: FittedReadout, left_out: Sequence[LeftOut]) -> dict[str, Any]:
    labels = sorted({one.recording.label for one in left_out})
    recalls = {
        label: [
            sum(one.answers[side] == label for one in left_out if one.recording.label == label) for side in range(2)
        ]
        for label in labels
    }
    others = {
        label: [
            sum(one.answers[side] == label for one in left_out if one.recording.label != label) for side in range(2)
        ]
        for label in labels
    }
    return {
        "recordings": len(left_out),
        "people": len({one.recording.person for one in left_out}),
        "of_label": {label: sum(one.recording.label == label for one in left_out) for label in labels},
        "found": recalls,
        "others_called_so": others,
        "left_out": [_compared(left_out, side) for side in range(2)],
        "labelled_photographs": fitted.n_labelled,
        "photograph_weight": fitted.photograph_weight,
        "changed_share": round(fitted.changed_share, 4),
        "fervid_version": __version__,
    }


def _card(content: dict[str, Any], model: ModelInfo) -> str:
    fit = content["fit"]
    rows = []
    for name, one in zip(SIDES, fit["left_out"], strict=True):
        low, high = wilson_interval(one["readout_right"] / one["n"], one["n"])
        rows.append(
            f"| {name} | {one['network_right']} of {one['n']} | {one['readout_right']} ({low:.0%} to {high:.0%}) | "
            f"{one['gained']}, {one['lost']} | {one['p']:.2g} |"
        )
    recalls = "\n".join(
        f"| {label} | {fit['found'][label][0]} and {fit['found'][label][1]} of {n} | "
        f"{fit['others_called_so'][label][0]} and {fit['others_called_so'][label][1]} |"
        for label, n in fit["of_label"].items()
    )
    return _CARD.format(
        model=model.name,
        half_life=content["half_life_seconds"],
        n=fit["recordings"],
        people=fit["people"],
        photographs=f"{fit['labelled_photographs']} labelled photographs of other people, and the network's own "
        "answers to photographs without labels"
        if fit["labelled_photographs"]
        else "and to the network's own answers to photographs of other people",
        rows="\n".join(rows),
        recalls=recalls,
        changed=fit["changed_share"],
        weight=fit["photograph_weight"],
        rare=", ".join(label for label in model.labels if label not in fit["of_label"]) or "none",
        version=__version__,
    )
