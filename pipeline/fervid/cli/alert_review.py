"""`fervid alerts review`: record verdicts on alerts, and show the precision of rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fervid.cli.options import Runs
from fervid.cli.several import Refusals

if TYPE_CHECKING:
    from fervid.alerts.review.reviews import Precision, Review


def review(
    runs: Runs,
    alert_id: Annotated[str | None, typer.Option("--alert", help="The alert_id to judge, from alerts.csv.")] = None,
    verdict: Annotated[
        Literal["true", "false", "unsure", "none"] | None, typer.Option(help="none revokes an earlier verdict.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    reviewer: Annotated[str | None, typer.Option(help="Name of the reviewer.", show_default="your account")] = None,
    take_over: Annotated[
        Path | None, typer.Option("--import", help="Import the verdicts that a review page saved as JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Store verdicts on alerts (true, false, unsure, with a reason) and print the precision of each rule and camera.

    Example: fervid alerts review outputs --alert 9f3c51d0a2b4 --verdict false --reason "laughing"
    """
    from fervid.alerts.review.opinions import agreements, describe_agreements
    from fervid.alerts.review.reviews import (
        import_verdicts,
        precision_by_rule_and_camera,
        read_history,
        read_verdicts,
        write_verdict,
    )
    from fervid.errors import ConfigError
    from fervid.run.find import find_run_folders

    if (alert_id is None) != (verdict is None):
        raise ConfigError("--alert and --verdict go together. Give an alert, and true, false, unsure or none.")
    folders = find_run_folders(runs)
    refusals = Refusals(len(folders))
    found = refusals.opened(folders)
    if alert_id is not None and verdict is not None:
        write_verdict(found, alert_id, None if verdict == "none" else verdict, reason, reviewer=reviewer)
    if take_over is not None:
        n_new, n_known = import_verdicts(found, take_over)
        typer.echo(f"{n_new} verdicts imported, {n_known} already known", err=True)
    reviews = read_verdicts(found)
    table = precision_by_rule_and_camera(reviews)
    agreed = agreements(one for run in found for one in read_history(run.folder))
    if as_json:
        content = {
            "precision": [row.to_json() for row in table],
            "agreement": [one.to_json() for one in agreed],
            "verdicts": [one.to_json() for one in reviews],
        }
        print(json.dumps(content, ensure_ascii=False))
    else:
        print("\n".join([describe_reviews(reviews, table), *describe_agreements(agreed)]))
    refusals.check()


def describe_reviews(reviews: list[Review], table: list[Precision]) -> str:
    """Verdicts and precision as text."""
    if not reviews:
        return "no verdicts yet"
    lines = [f"{'rule':<20} {'camera':<20} {'true':>5} {'false':>5} {'unsure':>6}  precision (95 % interval)"]
    for row in table:
        low, high = row.interval
        share = "undecided" if row.precision is None else f"{row.precision:.0%} ({low:.0%} to {high:.0%})"
        lines.append(
            f"{row.rule or 'all':<20} {row.camera or 'all cameras':<20} {row.n_true:>5} {row.n_false:>5} "
            f"{row.n_unsure:>6}  {share}"
        )
    return "\n".join(lines)
