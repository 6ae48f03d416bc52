"""`fervid doctor`: what this machine can do, and what to do about what it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fervid.cli.analyze import Out
from fervid.log import one_line

PROBLEMS_FOUND = 78


def doctor(
    out: Out = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out TensorFlow and the test of speed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a check.")] = False,
) -> None:
    """Check versions, OpenCV, codecs, models, memory, disk, devices and speed; exits with 78 on a problem."""
    from dataclasses import asdict

    from fervid import assets
    from fervid.doctor import examine

    is_well = True
    for finding in examine(Path(out or assets.default_output_folder()), is_quick=quick):
        is_well &= finding.state != "problem"
        if as_json:
            print(json.dumps(asdict(finding)), flush=True)
        else:
            print(one_line(f"{finding.state:8s} {finding.check:9s} {finding.detail}"), flush=True)
            if finding.advice:
                print(one_line(f"{'':8s} {'':9s} to do: {finding.advice}"), flush=True)
    if not is_well:
        raise typer.Exit(PROBLEMS_FOUND)
