"""`fervid live`: faces and expressions of a webcam, a stream or a file in real time."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fervid.alerts.language.rules import RuleSet, default_rules, load_rules
from fervid.base.clock import clock
from fervid.base.interrupt import print_when_stopped
from fervid.cli.option_groups import with_option_groups
from fervid.cli.options import Assignments, ConfigFile, Preset
from fervid.config import Settings, load_settings, parse_time
from fervid.emotion.plugin import find_model
from fervid.errors import DependencyMissing
from fervid.live.address import name_of
from fervid.live.alarms import do_rules_fit
from fervid.live.picture import LivePainter
from fervid.live.record import Recorder, finish_left_over
from fervid.live.screens import BrowserScreen, WindowScreen
from fervid.live.session import LiveSession
from fervid.live.view import Ending, Stills, run_live
from fervid.live.window import Window, why_no_window

if TYPE_CHECKING:
    from fervid.live.view import Screen


@dataclass(frozen=True)
class _Source:
    """How the source is read."""

    fps: Annotated[
        float | None, typer.Option(min=0, help="Maximum analysed frames per second; 0: as many as possible. [0]")
    ] = None
    pace: Annotated[
        Literal["real", "unpaced"], typer.Option(help="Files: at their own pace, or every frame, however long.")
    ] = "real"
    loop: Annotated[bool, typer.Option("--loop", help="Loop a file.")] = False
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a source that is not available yet.")] = False
    preset: Preset = "default"
    config: ConfigFile = None
    assignments: Assignments = None
    model: Annotated[str | None, typer.Option(help="Shipped model or path of a model folder.")] = None
    device: Annotated[str, typer.Option(help="auto, cpu or gpu:N.")] = "auto"

    def settings(self) -> Settings:
        """The settings; as many frames as possible where no rate is given."""
        found = load_settings(
            preset=self.preset,
            file=self.config,
            assignments=self.assignments or (),
            options={"video.fps": self.fps, "emotion.model": self.model},
        )
        if self.fps is None and found.video.every is None:
            return found.model_copy(update={"video": found.video.model_copy(update={"fps": 0.0})})
        return found

    def session(self, source: str, settings: Settings, rules: RuleSet | None) -> LiveSession:
        """The source, opened when the session is entered."""
        return LiveSession(
            source,
            settings=settings,
            device=self.device,
            pace=self.pace,
            loops=self.loop,
            waits_for_source=self.wait,
            rules=rules,
        )


@dataclass(frozen=True)
class _Shown:
    """What is shown, and where."""

    view: Annotated[
        Literal["auto", "window", "browser", "both", "none"],
        typer.Option(help="Where to show it; auto: a window if there is a desktop, else the browser."),
    ] = "auto"
    blur: Annotated[Literal["all", "none"], typer.Option(help="Faces to cover in the live view.")] = "none"
    bars: Annotated[bool, typer.Option(help="Show the probabilities beside each face.")] = True
    host: Annotated[str, typer.Option(help="Address of the browser view.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the browser view; 0: a free one.")] = 0
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Allow access from other machines with --host.")
    ] = False
    stills: Annotated[Path | None, typer.Option(help="Folder for stills saved with the key s.")] = None
    still_blur: Annotated[Literal["all", "none"], typer.Option(help="Faces to cover in stills; none is logged.")] = (
        "all"
    )

    def screens(self, stack: ExitStack, session: LiveSession, *, is_jsonl: bool) -> list[Screen]:
        """The window, the page or both, closed with `stack`. Raises DependencyMissing: no desktop for a window."""
        if self.view == "none" or (self.view == "auto" and is_jsonl):
            return []
        screens: list[Screen] = []
        reason = why_no_window() if self.view != "browser" else None
        if self.view in ("window", "both") and reason is not None:
            raise DependencyMissing(f"no window can be opened: {reason}. Use --view browser, or --view none.")
        if self.view != "browser" and reason is None:
            screens.append(WindowScreen(stack.enter_context(Window(f"fervid live: {session.address.shown}"))))
        if self.view in ("browser", "both") or (self.view == "auto" and reason is not None):
            from fervid.live.server import LiveServer

            server = LiveServer(
                session.model.labels,
                title=name_of(session.address),
                host=self.host,
                port=self.port,
                is_remote_allowed=self.allow_remote,
                may_save=self.stills is not None,
                bars=self.bars,
                is_covered=self.blur == "all",
            )
            stack.enter_context(server)
            screens.append(BrowserScreen(server))
            print(f"open {server.url}", file=sys.stderr, flush=True)
        return screens

    def painter(self, session: LiveSession, screens: list[Screen]) -> LivePainter:
        """Rates are written into the picture of a window only: the page has them beside it."""
        has_window = any(isinstance(screen, WindowScreen) for screen in screens)
        labels = session.model.labels
        return LivePainter(labels, bars=self.bars, blur=self.blur, alert_blur=self.still_blur, rates=has_window)


RULES_HELP = (
    "Alert rules: anger, cctv, distress, template, a TOML file, or none. [cctv with motion.measure, else anger, if "
    "their labels exist]"
)


@with_option_groups
def live(
    source: Annotated[
        str, typer.Argument(help="Webcam (0, 1, ...), rtsp:// or http:// address, or file.", show_default=False)
    ],
    reading: _Source,
    shown: _Shown,
    record: Annotated[
        Path | None, typer.Option(help="Record tables like those of `fervid analyze` in this folder. No images.")
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print one line of JSON per frame: faces, alerts, rates.")
    ] = False,
    rules: Annotated[
        str | None,
        typer.Option(help=RULES_HELP),
    ] = None,
    stop_after: Annotated[
        str | None, typer.Option("--stop-after", "--duration", help="Stop after this time, such as 90 or 00:10:00.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No summary at the end.")] = False,
) -> None:
    """Watch a webcam, a stream or a file: boxes, labels and alerts on the newest frame. Keys: q quits, s saves a still.

    Nothing is stored without --record or --stills. Example: fervid live 0
    """
    settings = reading.settings()
    session = _told(reading.session(source, settings, _rules(rules, settings)))
    longest = parse_time(stop_after) if stop_after is not None else None
    print_when_stopped("")  # the summary has the reason
    code: str | int | None = 0
    with ExitStack() as stack:
        screens = shown.screens(stack, session, is_jsonl=jsonl)
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
                shown.painter(session, screens),
                screens,
                recorder=recorder,
                rows=sys.stdout if jsonl else None,
                stills=Stills(shown.stills, shown.still_blur) if shown.stills is not None else None,
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


def _told(session: LiveSession) -> LiveSession:
    """The session, after a line for each rule that it will not evaluate."""
    for name in session.unmeasured_rules:
        print(f"rule {name} is not evaluated: it uses the motion of the image; add --preset cctv", file=sys.stderr)
    return session


def _rules(name: str | None, settings: Settings) -> RuleSet | None:
    """The rules of that name; those of the preset if the model has their labels, which is said if not."""
    if name == "none":
        return None
    rules = load_rules(name) if name is not None else default_rules(settings.model_dump())
    if name is None and not do_rules_fit(rules, find_model(settings.emotion.model).labels):
        model = settings.emotion.model
        print(f"no alerts: the labels of {model} are not those of the rules {rules.source}", file=sys.stderr)
        return None
    return rules


def describe(ending: Ending, folders: list[Path], stills: list[str]) -> str:
    """The summary of a finished live view."""
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
