"""`fervid motion`: fit a model of agitated motion to labelled runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fervid.cli.options import Runs

app = typer.Typer(help="Fit a model of agitated motion to your own labels or verdicts.", rich_markup_mode=None)


@app.callback()
def motion() -> None:
    """Fit a model of agitated motion to your own labels or verdicts."""


@app.command()
def fit(
    labels: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns file and label (agitated or none), and if wanted camera, start, end.",
            show_default=False,
        ),
    ],
    runs: Runs,
    out: Annotated[Path, typer.Option("-o", "--out", help="JSON file for the model.")] = Path("agitation.json"),
    verdicts: Annotated[
        str | None, typer.Option(metavar="RULE", help="Also learn from reviewers' verdicts about the alerts of a rule.")
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(min=1.0, max=3.0, help="Length of a window in seconds. [that of the shipped model]"),
    ] = None,
) -> None:
    """Fit a model to labelled runs that measured motion, and report how well it ranks recordings left out.

    Use it with `--set motion.model=FILE`. Analysing the same videos again with it decodes nothing.
    """
    from fervid.alerts.measure.agitation_fit import fit_agitation
    from fervid.alerts.measure.agitation_labels import labelled_windows, read_stretches, stretches_of_verdicts
    from fervid.alerts.review.reviews import read_verdicts
    from fervid.base.assets import DEFAULT_AGITATION
    from fervid.errors import OutputError
    from fervid.interpret.agitation_model import load_agitation_model
    from fervid.run.find import find_run_folders
    from fervid.run.handle import open_run
    from fervid.storage.publish import write_whole

    seconds = load_agitation_model(DEFAULT_AGITATION).window_seconds if window is None else window
    opened = [open_run(folder) for folder in find_run_folders(runs)]
    stretches = read_stretches(labels, opened)
    if verdicts is not None:
        stretches += stretches_of_verdicts(opened, read_verdicts(opened), verdicts)
    windows = labelled_windows(stretches, window_seconds=seconds)
    fitted = fit_agitation(windows, name=out.stem, window_seconds=seconds, about={"data": labels.name})
    try:
        write_whole(out, fitted.model.to_json().encode())
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Give another file with --out.") from None
    typer.echo(f"{len(windows.group)} windows, {int(windows.is_agitated.sum())} agitated; recordings left out in turn:")
    for name, merit in fitted.merits.items():
        value = "unknown" if merit.value is None else f"{merit.value:.3f} ({merit.low:.3f} to {merit.high:.3f})"
        typer.echo(f"  {name.replace('_', ' '):28} {value}")
    typer.echo(str(out), err=True)
