"""`fervid verify`: whether finished runs are what was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.base.printable import counted, one_line
from fervid.cli.options import Runs

if TYPE_CHECKING:
    from fervid.upkeep.verify import Fault

NEXT_STEP = {
    "manifest": "run `fervid analyze --overwrite` on its video",
    "table": "run `fervid analyze --verify` on its video",
    "observations": "run `fervid analyze --verify` on its video, or delete it",
    "derived": "made of the run: changed by hand, or run the command that wrote it again",
    "verdicts": "`fervid verify --repair` puts it aside",
    "record": "take it from a backup",
}


def verify(
    runs: Runs,
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild damaged files from intact ones where possible.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per run.")] = False,
) -> None:
    """Read every file of finished runs and compare it with its recorded hash; exits with 3 on a difference.

    Example: fervid verify outputs
    """
    from fervid.errors import InputError, OutputInUse
    from fervid.run.find import find_run_folders
    from fervid.upkeep.verify import verify_run

    folders = find_run_folders(runs)
    n_damaged = 0
    for folder in folders:
        faults = verify_run(folder)
        repaired: dict[str, str] = {}
        if repair and faults:
            from fervid.upkeep.repair import repair_run

            try:
                repaired = repair_run(folder, faults)
            except OutputInUse as problem:
                typer.echo(f"fervid: {one_line(str(problem))}", err=True)
        n_damaged += any(fault.name not in repaired for fault in faults)
        _print(folder, faults, repaired, as_json=as_json)
    if not as_json:
        typer.echo(f"{counted(len(folders), 'run')}: {len(folders) - n_damaged} intact, {n_damaged} damaged")
    if n_damaged:
        raise InputError(f"{n_damaged} of {len(folders)} runs are damaged. The lines above name files and what to do.")


def _print(folder: Path, faults: list[Fault], repaired: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        found = [
            {"file": fault.name, "kind": fault.kind, "fault": fault.what, "repaired": repaired.get(fault.name)}
            for fault in faults
        ]
        is_whole = all(fault.name in repaired for fault in faults)
        print(json.dumps({"run": str(folder), "is_whole": is_whole, "faults": found}, ensure_ascii=False), flush=True)
        return
    for fault in faults:
        after = repaired.get(fault.name) or NEXT_STEP[fault.kind]
        print(one_line(f"{folder}: {fault.name}: {fault.what}; {after}"), flush=True)
