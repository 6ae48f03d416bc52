"""`fervid evidence`: check bundles of evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Check bundles of evidence.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def evidence() -> None:
    """Check bundles of evidence that `fervid alerts --evidence` wrote."""


@app.command()
def verify(
    bundles: Annotated[list[Path], typer.Argument(help="Files evidence.zip.", show_default=False)],
    digest: Annotated[str | None, typer.Option(help="The digest that was noted when the bundle was made.")] = None,
) -> None:
    """Check that no byte of a bundle was changed since it was made."""
    from fervid.alerts.review.bundle import verify_bundle

    for bundle in bundles:
        found, n_files = verify_bundle(bundle, expected=digest)
        typer.echo(f"{bundle}: whole, {n_files} files, digest {found}")
