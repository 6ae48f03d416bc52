"""`fervid evidence`: verify evidence bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fervid.base.printable import counted

app = typer.Typer(help="Verify evidence bundles.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def evidence() -> None:
    """Verify evidence bundles written by `fervid alerts --evidence`."""


@app.command()
def verify(
    bundles: Annotated[list[Path], typer.Argument(help="Files evidence.zip.", show_default=False)],
    digest: Annotated[str | None, typer.Option(help="The digest recorded when the bundle was made.")] = None,
) -> None:
    """Verify that a bundle is unchanged since it was made."""
    from fervid.alerts.review.bundle import verify_bundle

    for bundle in bundles:
        found, n_files = verify_bundle(bundle, expected=digest)
        typer.echo(f"{bundle}: intact, {counted(n_files, 'file')}, digest {found}")
