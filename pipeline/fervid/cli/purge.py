"""`fervid purge`: retention of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.base.printable import one_line
from fervid.cli.options import Out
from fervid.errors import ConfigError

if TYPE_CHECKING:
    from fervid.upkeep.retention import Item

SECONDS_PER_DAY = 86_400
MB = 1_000_000
MOST_NAMED = 3


def purge(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of results; default outputs/.", show_default=False)
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="Remove results older than this, such as 30d, 12h or 8w.")
    ] = None,
    out: Out = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False,
    hold: Annotated[Path | None, typer.Option(help="Put this run on hold, so that it is never removed.")] = None,
    reason: Annotated[str, typer.Option(help="Reason for --hold.")] = "",
    release: Annotated[Path | None, typer.Option(help="Release this run from hold.")] = None,
    with_verdicts: Annotated[
        bool, typer.Option("--with-verdicts", help="Also remove verdicts and logs of open faces.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per result.")] = False,
) -> None:
    """Remove old results from the output folder, except runs on hold; each removal is noted in purge.jsonl.

    Videos and files outside the folder are never touched; verdicts and foreign files in a run stay.
    Example: fervid purge outputs --older-than 30d --dry-run
    """
    from fervid.base import assets
    from fervid.upkeep import retention

    if [older_than, hold, release].count(None) != 2:
        raise ConfigError("--older-than, --hold and --release exclude each other. Give one of them.")
    if hold is not None:
        retention.hold(hold, reason=reason)
        print(f"on hold: {one_line(hold)}")
        return
    if release is not None:
        retention.release(release)
        print(f"released: {one_line(release)}")
        return
    if folder is not None and out is not None and folder != out:
        raise ConfigError(f"{folder} and --out {out} are different folders. Give one of them.")
    items = retention.purge(
        Path(folder or out or assets.default_output_folder()),
        older_than_seconds=retention.parse_age(older_than or ""),
        is_dry_run=dry_run,
        with_verdicts=with_verdicts,
    )
    for item in items:
        _print_item(item, is_dry_run=dry_run, as_json=as_json)
    if not as_json:
        gone = [item for item in items if not item.kept_because]
        verb = "would be removed" if dry_run else "removed"
        n_mb = sum(item.n_bytes for item in gone) / MB
        print(f"{len(gone)} {verb} ({n_mb:.1f} MB), {len(items) - len(gone)} old ones kept")


def _print_item(item: Item, *, is_dry_run: bool, as_json: bool) -> None:
    action = "keep" if item.kept_because else "would remove" if is_dry_run else "removed"
    if as_json:
        record: dict[str, object] = {
            "action": action,
            "what": str(item.path),
            "kind": item.kind,
            "reason": item.kept_because,
        }
        record |= {"left": list(item.left)}
        print(json.dumps(record | {"age_days": round(item.age_seconds / SECONDS_PER_DAY, 1), "bytes": item.n_bytes}))
        return
    why = f" ({item.kept_because})" if item.kept_because else ""
    if item.left:
        more = f" and {len(item.left) - MOST_NAMED} more" if len(item.left) > MOST_NAMED else ""
        why = f" (left in its folder: {', '.join(item.left[:MOST_NAMED])}{more})"
    print(one_line(f"{action}: {item.path}, {item.kind} of {item.age_seconds / SECONDS_PER_DAY:.1f} days{why}"))
