"""`fervid explain`: which part of a face determined its label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from fervid.errors import ConfigError, InputError


def explain(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder, or a folder that holds one run.", show_default=False)
    ],
    at: Annotated[str, typer.Option(help="Moment in the video: 90, 12.5s or 00:01:02.5.", show_default=False)],
    track: Annotated[
        int | None, typer.Option(help="Track of the face.", show_default="the largest face of that moment")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Label to explain.", show_default="the face's label in the run")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The PNG file.", show_default="RUN/explain-TIME-trackN-LABEL.png"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show which part of a face determined the score of its label, as a heat map. The PNG shows an OPEN FACE.

    A gray patch is moved over the model's input; parts where it lowers the score matter. Only the owner can read the
    file, and it is noted in the run's log of open faces. The run's video must still exist.
    Example: fervid explain outputs/interview-1a2b3c4d --at 00:00:08
    """
    from fervid.config import parse_time
    from fervid.explain.face import explain_face
    from fervid.explain.image import NOTICE, headline, strongest, write_explanation
    from fervid.run.find import find_run_folders
    from fervid.run.handle import open_run

    if out is not None and out.suffix.lower() != ".png":
        raise ConfigError(f"--out {out}: an explanation is a PNG file. Give a file that ends in .png.")
    folders = find_run_folders([run])
    if len(folders) > 1:
        raise InputError(f"{run} contains {len(folders)} runs. Name one of them, such as {folders[0]}.")
    opened = open_run(folders[0])
    found = explain_face(opened, parse_time(at), track_id=track, label=label)
    path = write_explanation(opened, found, out)
    if as_json:
        occlusion = found.occlusion
        content: dict[str, Any] = {
            "file": str(path),
            "shows_open_face": True,
            **{name: getattr(found, name) for name in ("video", "time_s", "frame", "track_id", "label", "is_leading")},
            **{"score": occlusion.score, "over_time": found.over_time, "abstain": found.abstain, "model": found.model},
            **{"lowest": occlusion.lowest, "lowest_at": occlusion.lowest_at, "other_tracks": found.others},
            "changes": occlusion.changes.round(4).tolist(),
        }
        print(json.dumps(content))
        return
    others = f"; also visible then: track {', '.join(map(str, found.others))} (--track)" if found.others else ""
    print("\n".join([*headline(found), strongest(found)]) + others)
    print(f"{path}\n{NOTICE} It is noted in the run's log.")
