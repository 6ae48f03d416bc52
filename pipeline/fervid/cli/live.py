"""`fervid live`: faces and expressions of a webcam, a stream or a file in real time."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fervid.cli.options import Assignments, ConfigFile, Preset

if TYPE_CHECKING:
    from fervid.live.session import LiveSession
    from fervid.live.view import Ending, Screen


def live(
    source: Annotated[
        str, typer.Argument(help="Webcam (0, 1, ...), rtsp:// or http:// address, or file.", show_default=False)
    ],
    view: Annotated[
        Literal["auto", "window", "browser", "both", "none"],
        typer.Option(help="Where to show it; auto: a window if there is a desktop, else the browser."),
    ] = "auto",
    record: Annotated[
        Path | None, typer.Option(help="Record tables like those of `fervid analyze` in this folder. No images.")
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print one line of JSON per frame: faces, alerts, rates.")
    ] = False,
    rules: Annotated[
        str | None,
        typer.Option(help="Alert rules: anger, distress, template, a TOML file, or none. [anger, if its labels exist]"),
    ] = None,
    stills: Annotated[Path | None, typer.Option(help="Folder for stills saved with the key s.")] = None,
    still_blur: Annotated[
        Literal["all", "none"], typer.Option(help="Faces to cover in stills; none is logged.")
    ] = "all",
    blur: Annotated[Literal["all", "none"], typer.Option(help="Faces to cover in the live view.")] = "none",
    bars: Annotated[bool, typer.Option(help="Show the probabilities beside each face.")] = True,
    fps: Annotated[
        float | None, typer.Option(min=0, help="Maximum analysed frames per second; 0: as many as possible. [0]")
    ] = None,
    pace: Annotated[
        Literal["real", "unpaced"], typer.Option(help="Files: at their own pace, or every frame, however long.")
    ] = "real",
    loop: Annotated[bool, typer.Option("--loop", help="Loop a file.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a source that is not available yet.")] = False,
    stop_after: Annotated[
        str | None, typer.Option("--stop-after", "--duration", help="Stop after this time, such as 90 or 00:10:00.")
    ] = None,
    preset: Preset = "default",
    config: ConfigFile = None,
    assignments: Assignments = None,
    model: Annotated[str | None, typer.Option(help="Shipped model or path of a model folder.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or gpu:N.")] = "auto",
    host: Annotated[str, typer.Option(help="Address of the browser view.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the browser view; 0: a free one.")] = 0,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Allow access from other machines with --host.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No summary at the end.")] = False,
) -> None:
    """Watch a webcam, a stream or a file: boxes, labels and alerts on the newest frame. Keys: q quits, s saves a still.

    Nothing is stored without --record or --stills. Example: fervid live 0
    """
    from fervid.alerts.language.rules import PRESET, load_rules
    from fervid.base.interrupt import print_when_stopped
    from fervid.config import load_settings, parse_time
    from fervid.emotion.plugin import find_model
    from fervid.live.alarms import do_rules_fit
    from fervid.live.picture import LivePainter
    from fervid.live.record import Recorder, finish_left_over
    from fervid.live.session import LiveSession
    from fervid.live.view import Ending, Stills, run_live

    settings = load_settings(
        preset=preset, file=config, assignments=assignments or (), options={"video.fps": fps, "emotion.model": model}
    )
    if fps is None and settings.video.every is None:
        settings = settings.model_copy(update={"video": settings.video.model_copy(update={"fps": 0.0})})
    rule_set = None if rules == "none" else load_rules(rules or PRESET)
    if rules is None and rule_set is not None and not do_rules_fit(rule_set, find_model(settings.emotion.model).labels):
        print(f"no alerts: the labels of {settings.emotion.model} are not those of the rules {PRESET}", file=sys.stderr)
        rule_set = None
    longest = parse_time(stop_after) if stop_after is not None else None
    print_when_stopped("")  # the summary has the reason
    code: str | int | None = 0
    session = LiveSession(
        source, settings=settings, device=device, pace=pace, loops=loop, waits_for_source=wait, rules=rule_set
    )
    with ExitStack() as stack:
        screens = _open_screens(
            stack, session, view, jsonl=jsonl, host=host, port=port, allow_remote=allow_remote, may_save=bool(stills)
        )
        recorder = None
        if record is not None:
            for run in finish_left_over(record, session.method):
                print(f"finished an interrupted recording: {run.folder}", file=sys.stderr)
            recorder = stack.enter_context(Recorder(record, session))
        stack.enter_context(session)
        ending = Ending(session.rates, "ended")
        try:
            run_live(
                session,
                LivePainter(session.model.labels, bars=bars, blur=blur),
                screens,
                recorder=recorder,
                rows=sys.stdout if jsonl else None,
                stills=Stills(stills, still_blur) if stills is not None else None,
                longest_seconds=longest,
                ending=ending,
            )
        except SystemExit as stopped:  # a signal: the recording is finished before exit
            ending.reason, ending.rates, code = "stopped", session.rates, stopped.code
    folders = recorder.folders if recorder is not None else []
    if not quiet:
        print(describe(ending, folders, [str(path) for path in ending.stills]), file=sys.stderr)
    if not jsonl:
        for folder in folders:
            print(folder)
    if ending.reason == "stopped":
        raise SystemExit(code)


def describe(ending: Ending, folders: list[Path], stills: list[str]) -> str:
    """The summary of a finished live view."""
    from fervid.base.clock import clock

    rates = ending.rates
    lines = [
        f"{clock(ending.seconds)} of the source: {rates.analysed} of {rates.captured} frames analysed, "
        f"{rates.dropped} dropped, median latency {rates.latency_seconds * 1000:.0f} ms"
    ]
    lines.append(f"  alerts        {ending.alerts or 'none'}" + (", each needs review" if ending.alerts else ""))
    if rates.reconnects:
        lines.append(f"  connection    lost {rates.reconnects} times")
    lines += [f"  still         {path}" for path in stills]
    lines += [f"  recorded      {folder}" for folder in folders]
    if ending.reason == "stopped":
        kept = "the recording is complete" if folders else "nothing was recorded"
        lines.append(f"  stopped       by a signal; {kept}")
    return "\n".join(lines)


def _open_screens(
    stack: ExitStack,
    session: LiveSession,
    view: str,
    *,
    jsonl: bool,
    host: str,
    port: int,
    allow_remote: bool,
    may_save: bool,
) -> list[Screen]:
    from fervid.errors import DependencyMissing
    from fervid.live.address import name_of
    from fervid.live.screens import BrowserScreen, WindowScreen
    from fervid.live.window import Window, why_no_window

    if view == "none" or (view == "auto" and jsonl):
        return []
    screens: list[Screen] = []
    reason = why_no_window() if view != "browser" else None
    if view in ("window", "both") and reason is not None:
        raise DependencyMissing(f"no window can be opened: {reason}. Use --view browser, or --view none.")
    if view != "browser" and reason is None:
        screens.append(WindowScreen(stack.enter_context(Window(f"fervid live: {session.address.shown}"))))
    if view in ("browser", "both") or (view == "auto" and reason is not None):
        from fervid.live.server import LiveServer

        server = LiveServer(
            session.model.labels,
            title=name_of(session.address),
            host=host,
            port=port,
            is_remote_allowed=allow_remote,
            may_save=may_save,
        )
        stack.enter_context(server)
        screens.append(BrowserScreen(server))
        print(f"open {server.url}", file=sys.stderr, flush=True)
    return screens
