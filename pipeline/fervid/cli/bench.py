"""`fervid bench`: measure the speed of this machine, and recommend settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fervid.upkeep.bench import Bench


def bench(
    video: Annotated[
        Path | None, typer.Argument(help="Measure with this video; default: a synthetic clip.", show_default=False)
    ] = None,
    target: Annotated[
        float, typer.Option(min=0.0, help="Target speed, times real time: recommends the best preset that reaches it.")
    ] = 4.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the measurement as JSON.")] = False,
) -> None:
    """Measure decoding, face detection, classification and whole analyses on this machine, in about a minute.

    Example: fervid bench camera7.mp4 --target 8
    """
    import json
    from dataclasses import asdict

    from fervid.storage.files import check_regular_file
    from fervid.upkeep.bench import measure_machine

    if video is not None:
        check_regular_file(video)
    found = measure_machine(video, target_times=target)
    print(json.dumps(asdict(found)) if as_json else _describe(found))


def _describe(found: Bench) -> str:
    from fervid.base.printable import printable

    name = printable(Path(found.video))
    lines = [f"{name}: measured on {found.measured_seconds:.1f} of {found.video_seconds:.1f} s, under the current load"]
    for name, stage in found.stages.items():
        lines.append(
            f"  {name:12s}  {stage.cpu_seconds_a_second:.3f} CPU s per second of video, "
            f"{stage.cpu_ms_each:.1f} ms per {stage.unit}"
        )
    lines += [f"  {times:5.1f} times real time with {name}" for name, times in found.times_real_time.items()]
    lines.append(f"  recommended   --workers {found.workers} --preset {found.preset}")
    return "\n".join(lines)
