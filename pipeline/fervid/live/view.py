"""Runs a live view: passes every analysed frame to the displays, rows and recorder, until the source ends or a user
quits.

Shows, streams rows, records; decides nothing of what is in the frame.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

from fervid.errors import OutputError
from fervid.live.picture import Blur, LivePainter, write_still
from fervid.live.record import Recorder
from fervid.live.rows import moment_row
from fervid.live.session import LiveSession, Moment, Rates

log = logging.getLogger(__name__)

QUIT, STILL = "quit", "still"
CHOICES = {f"{name}-{state}": (name, state == "on") for name in ("boxes", "bars", "covers") for state in ("on", "off")}
"""What a viewer can show or leave out."""


class Screen(Protocol):
    """A display."""

    def show(self, rgb: np.ndarray, row: dict[str, Any], arrived: float) -> None:
        """Show a drawn frame; it is not drawn into afterwards."""
        ...

    def tell(self, status: str) -> None:
        """Show the status of the source while there is no image."""
        ...

    def keep(self, rgb: np.ndarray) -> None:
        """Keep the still of the alerts that the next frame raises."""
        ...

    def end(self, reason: str) -> None:
        """Say why the view ended, as in `Ending`."""
        ...

    def command(self) -> str | None:
        """`quit`, `still`, one of CHOICES, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Stills:
    """Where stills go, and whether faces in them are covered."""

    folder: Path
    blur: Blur = "all"


@dataclass(slots=True)
class Ending:
    """How a live view ended."""

    rates: Rates
    reason: str
    """"ended", "quit", "time" or, as the caller says, "stopped"."""
    seconds: float = 0.0
    alerts: int = 0
    stills: list[Path] = field(default_factory=list)


def run_live(
    session: LiveSession,
    painter: LivePainter,
    screens: Sequence[Screen] = (),
    *,
    recorder: Recorder | None = None,
    rows: TextIO | None = None,
    stills: Stills | None = None,
    longest_seconds: float | None = None,
    ending: Ending | None = None,
) -> Ending:
    """Analyse until the source ends, a screen asks to quit, or `longest_seconds` of the source have passed.

    `ending` is kept up to date, for a caller that is interrupted; `rows` takes one line of JSON per frame. Raises what
    ends the source with an error, and OutputError when the disk refuses.
    """
    ending = ending or Ending(session.rates, "ended")
    labels = session.model.labels
    shown: Moment | None = None
    while not session.has_ended:
        moment = session.step()
        if moment is None:
            for screen in screens:
                screen.tell(session.capture.status.text)
        else:
            shown = moment
            ending.seconds, ending.alerts = moment.seconds, ending.alerts + len(moment.alerts)
            if recorder is not None:
                recorder.add(moment)
            row = moment_row(moment, labels) if screens or rows is not None else {}
            if screens:
                frame = painter.paint(moment)
                still = painter.alert_still(moment) if moment.alerts else None
                for screen in screens:
                    if still is not None:
                        screen.keep(still)
                    screen.show(frame, row, moment.arrived)
            if rows is not None:
                rows.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
                rows.flush()
            session.was_shown(moment)
            if longest_seconds is not None and moment.seconds >= longest_seconds:
                ending.reason = "time"
                break
        commands = {screen.command() for screen in screens}
        for name, is_on in (CHOICES[command] for command in commands if command in CHOICES):
            painter.choose(name, is_on=is_on)
        if STILL in commands and shown is not None:
            _save(shown, painter, stills, ending)
        if QUIT in commands:
            ending.reason = "quit"
            break
    ending.rates = session.rates
    for screen in screens:
        screen.end(ending.reason)
    return ending


def _save(moment: Moment, painter: LivePainter, stills: Stills | None, ending: Ending) -> None:
    """An unwritable still does not stop the view."""
    if stills is None:
        log.warning("stills are off; start with --stills FOLDER to save some")
        return
    try:
        path = write_still(stills.folder, painter, moment, blur=stills.blur)
    except OutputError as problem:
        log.warning("%s", problem)
        return
    ending.stills.append(path)
    log.warning("saved %s", path)
