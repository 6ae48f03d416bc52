"""`fervid data`: describe a data set before training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fervid.train.data.describe import DataDescription


def data(
    path: Annotated[
        Path, typer.Argument(help="FER-2013: the CSV file, or the folder with it or with train/ and test/.")
    ],
    ferplus: Annotated[
        Path | None, typer.Option(help="FER+ votes (fer2013new.csv).", show_default="next to the data")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    allow_unofficial: Annotated[
        bool, typer.Option("--allow-unofficial", help="Accept a set with other counts than FER-2013.")
    ] = False,
) -> None:
    """Describe a data set: faces per split and label, copies within and across splits, contradictions, FER+."""
    from fervid.train.data.agreement import find_votes
    from fervid.train.data.describe import describe_dataset
    from fervid.train.data.fer2013 import load_fer2013

    dataset = load_fer2013(path, require_official=not allow_unofficial)
    description = describe_dataset(dataset, find_votes(ferplus, path, dataset))
    typer.echo(json.dumps(description.to_json()) if as_json else _table(description))


def _table(description: DataDescription) -> str:
    splits = description.splits
    rows: list[tuple[str, list[str]]] = [("faces", [f"{split.rows:,}" for split in splits.values()])]
    labels = list(next(iter(splits.values())).per_class) if splits else []
    rows += [(f"  {label}", [f"{split.per_class[label]:,}" for split in splits.values()]) for label in labels]
    rows += [
        ("copies of a face in the same split", [f"{split.extra_copies:,}" for split in splits.values()]),
        ("constant images", [f"{split.constant:,}" for split in splits.values()]),
        ("FER+: not a face", [_count(split.no_face) for split in splits.values()]),
        ("FER+: unknown", [_count(split.unknown) for split in splits.values()]),
        ("FER+: a majority for one emotion", [_count(split.ferplus_majority) for split in splits.values()]),
        (
            "  of them with the same label",
            ["-" if split.ferplus_agreement is None else f"{split.ferplus_agreement:.1%}" for split in splits.values()],
        ),
    ]
    kind = "the official FER-2013 split" if description.is_official else "not the official FER-2013 split"
    lines = [
        f"{description.source}: {kind}",
        f"content {description.sha256[:16]}",
        "",
        f"{'':<36}" + "".join(f"{name:>13}" for name in splits),
        *(f"{name:<36}" + "".join(f"{value:>13}" for value in values) for name, values in rows),
        "",
        f"equal images: {description.copy_groups:,} groups with {description.extra_copies:,} extra copies; "
        f"{description.contradictory_groups:,} groups ({description.contradictory_rows:,} rows) with different labels",
        *(
            f"{count:,} rows of {where.replace(' in ', ' have a copy in ')}"
            for where, count in description.copies_across.items()
        ),
    ]
    return "\n".join(lines)


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
