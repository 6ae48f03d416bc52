"""`fervid doctor`: check this machine or an object store, with advice on problems."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fervid.base.printable import one_line
from fervid.cli.options import Out
from fervid.errors import ConfigError

if TYPE_CHECKING:
    from fervid.upkeep.doctor import Finding

PROBLEMS_FOUND = 78


def doctor(
    out: Out = None,
    storage: Annotated[
        str | None, typer.Option(help="Instead: check results in s3:// or gs://, and find leftovers of stopped runs.")
    ] = None,
    clean: Annotated[
        Literal["remains", "all"] | None,
        typer.Option(
            help="With --storage: remove files that no run will use again; all: also observations of stopped runs."
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Skip TensorFlow and the speed test.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per check.")] = False,
) -> None:
    """Check versions, OpenCV, codecs, models, memory, disk, devices and speed; exits with 78 on a problem."""
    from fervid.base import assets
    from fervid.storage.place import as_place
    from fervid.upkeep.doctor import examine
    from fervid.upkeep.examine import examine_storage

    if clean and storage is None:
        raise ConfigError("--clean needs an object store. Add --storage.")
    if storage is not None:
        findings: Iterable[Finding] = examine_storage(as_place(storage), clean=clean)
    else:
        findings = examine(Path(out or assets.default_output_folder()), is_quick=quick)
    _print(findings, as_json=as_json)


def _print(findings: Iterable[Finding], *, as_json: bool) -> None:
    from dataclasses import asdict

    is_well = True
    for finding in findings:
        is_well &= finding.state != "problem"
        if as_json:
            print(json.dumps(asdict(finding)), flush=True)
        else:
            print(one_line(f"{finding.state:8s} {finding.check:9s} {finding.detail}"), flush=True)
            if finding.advice:
                print(one_line(f"{'':8s} {'':9s} to do: {finding.advice}"), flush=True)
    if not is_well:
        raise typer.Exit(PROBLEMS_FOUND)
