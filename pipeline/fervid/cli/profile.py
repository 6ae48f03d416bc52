"""`fervid profile`: finished runs to profiles, sheets, similarity and genre tags."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fervid.base.printable import one_line
from fervid.cli.options import Runs, Superseded
from fervid.cli.several import Refusals, runs_in

if TYPE_CHECKING:
    from fervid.batch.apart import Apart
    from fervid.profile.folder import Profiled
    from fervid.profile.similarity import Match


def profile(
    runs: Runs,
    like: Annotated[Path | None, typer.Option(help="Rank the runs by similarity to this run.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of similar videos to print with --like.")] = 10,
    genres: Annotated[
        Path | None, typer.Option(help="Genre weights: TOML, or JSON written by `fervid genres fit`. [shipped]")
    ] = None,
    sheet: Annotated[
        bool | None, typer.Option("--sheet/--no-sheet", help="Draw profile.html and profile.png. [for a single run]")
    ] = None,
    blur: Annotated[Literal["all", "none"], typer.Option(help="Faces to cover in stills.")] = "all",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for the comparison of several runs. [their folder]")
    ] = None,
    superseded: Superseded = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per run.")] = False,
) -> None:
    """Profile finished runs: how faces look over each video, similar videos, and the genre tags it supports.

    Only the stills of a sheet are decoded. Several runs also give profiles.parquet and comparison.html.
    Example: fervid profile outputs --like outputs/teaser-1a2b3c4d
    """
    from fervid.profile.folder import profile_runs, rank_runs, write_comparison, write_sheet
    from fervid.profile.genre import load_genres
    from fervid.profile.measure import profile_run
    from fervid.run.find import shared_folder

    weights = load_genres(genres)
    folders = runs_in(runs, with_superseded=superseded)
    refusals = Refusals(len(folders))
    profiled = profile_runs(folders, weights, guarded=refusals.noted)
    written: list[Path] = []
    for done in profiled:
        if sheet or (sheet is None and len(folders) == 1):
            with refusals.noted(done.folder), _decoding(done.folder) as apart:
                written += write_sheet(done, blur=blur, apart=apart)
        if like is None:
            typer.echo(json.dumps(_as_json(done)) if as_json else describe(done))
    if len(profiled) > 1:
        written += write_comparison(profiled, out or shared_folder(folders))
    if like is not None:
        matches = rank_runs(profile_run(like), profiled)[:top]
        if as_json:
            typer.echo(json.dumps([asdict(match) for match in matches]))
        else:
            typer.echo(describe_matches(matches))
    for path in written:
        print(path, file=sys.stderr)
    refusals.check()


def _decoding(folder: Path) -> Apart:
    """A worker process that may read the video of a run and write into its folder."""
    from fervid.batch.apart import Apart
    from fervid.run.manifest import manifest_content

    return Apart([Path(manifest_content(folder)["video_path"])], [folder])


def describe(done: Profiled) -> str:
    """A profile as text: main figures with their coverage, then each tag with its reasons."""
    from fervid.profile.genre import INSUFFICIENT, NOT_SUPPORTED, REFERENCE
    from fervid.profile.page import key_figures, reasons_in_words

    lines = [one_line(done.profile.source.name)]
    for name, value, within in key_figures(done.profile):
        lines.append(f"  {name:<29}{value}" + (f"  ({within})" if within else ""))
    lines += [f"  note: {note}" for note in done.profile.notes]
    for peak in done.profile.peaks:
        lines.append(f"  peak at {peak.time_s:.1f} s: {peak.label}-like {peak.value:.2f} (track {peak.track_id})")
    if all(tag.status == INSUFFICIENT for tag in done.tags):
        lines.append(f"  tags: {INSUFFICIENT}: {done.tags[0].why_not}")
        return "\n".join(lines)
    lines.append("  tags (suggestions, not the genre):")
    for tag in done.tags:
        if tag.score is None or tag.interval is None:
            lines.append(f"    {tag.tag:<10}{tag.status}: {tag.why_not}")
            continue
        low, high = tag.interval
        faces = f", {tag.from_faces:.0%} of it from faces" if tag.from_faces is not None else ""
        lines.append(
            f"    {tag.tag:<10}{tag.score:.2f} ({low:.2f} to {high:.2f})  {tag.status}, "
            f"coverage {tag.coverage:.0%}{faces}"
        )
        if tag.status != NOT_SUPPORTED:
            lines += [f"      {reason}" for reason in reasons_in_words(tag)]
    lines.append(f"  {REFERENCE}")
    return "\n".join(lines)


def describe_matches(matches: tuple[Match, ...]) -> str:
    """Ranked videos as text, with the parts that are close and those that are not."""
    if not matches:
        return "no other video to compare with"
    return "\n".join(
        f"{i:>3}. {match.cosine:.3f}  {one_line(match.name)}\n     {match.reason()}"
        for i, match in enumerate(matches, 1)
    )


def _as_json(done: Profiled) -> dict[str, object]:
    return done.profile.to_json() | {"genres": [asdict(tag) for tag in done.tags], "folder": str(done.folder)}
