"""`fervid genres`: learn genre weights from labelled videos, and measure weights on labelled videos."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.cli.options import Runs

if TYPE_CHECKING:
    from fervid.profile.learn import TagMerit
    from fervid.profile.profile import Profile

app = typer.Typer(help="Learn genre tags from your own labelled videos; measure them.", rich_markup_mode=None)

Labels = Annotated[Path, typer.Option(help="CSV with the columns video and tags (separated by |).", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def fit(
    runs: Runs,
    labels: Labels,
    out: Annotated[Path, typer.Option("-o", "--out", help="JSON file for the weights.")] = Path("genres.json"),
    as_json: AsJson = False,
) -> None:
    """Learn weights for each tag with 30 examples or more, and report how well they rank in cross-validation."""
    from fervid.errors import OutputError
    from fervid.profile.genre import load_genres
    from fervid.profile.learn import fit_genres
    from fervid.run.manifest import write_json

    profiles, tags = _labelled(runs, labels)
    learned = fit_genres(profiles, tags, load_genres().evidence)
    try:
        write_json(out, learned.genres.model_dump(mode="json"))
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Give another file with --out.") from None
    _print(learned.merits, learned.left_out, "five-fold cross-validation", as_json)
    print(out, file=sys.stderr)


@app.command()
def evaluate(
    runs: Runs,
    labels: Labels,
    genres: Annotated[Path | None, typer.Option(help="Weights: TOML, or JSON of `genres fit`. [shipped]")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well weights, shipped or learned, rank labelled videos other than their training videos."""
    from fervid.profile.genre import load_genres
    from fervid.profile.learn import evaluate_genres

    profiles, tags = _labelled(runs, labels)
    merits, left_out = evaluate_genres(load_genres(genres), profiles, tags)
    _print(merits, left_out, "these videos, which must not be training videos", as_json)


def _labelled(runs: list[str], labels: Path) -> tuple[list[Profile], list[frozenset[str]]]:
    from fervid.profile.learn import match_labels, read_labels
    from fervid.profile.measure import profile_run
    from fervid.run.find import find_run_folders

    read = read_labels(labels)
    profiles, tags, missing = match_labels(read, [(folder, profile_run(folder)) for folder in find_run_folders(runs)])
    if missing:
        named = ", ".join(missing[:5])
        print(f"fervid: {len(missing)} labels without a run: {named}", file=sys.stderr)
    return profiles, tags


def _print(merits: tuple[TagMerit, ...], left_out: tuple[str, ...], measured_on: str, as_json: bool) -> None:
    from fervid.profile.genre import REFERENCE

    if as_json:
        content = {"tags": [asdict(merit) for merit in merits], "left_out": left_out, "reference": REFERENCE}
        typer.echo(json.dumps(content))
        return
    typer.echo(f"on {measured_on}:")
    for merit in merits:
        typer.echo(f"  {merit.in_words()}")
    beaten = sum(merit.beats_prior for merit in merits)
    typer.echo(
        f"{beaten} of {len(merits)} tags are ranked better than by the prior alone"
        + ("." if beaten else ": these weights are not reliable.")
    )
    for remark in left_out:
        typer.echo(f"  excluded: {remark}")
    typer.echo(REFERENCE)
