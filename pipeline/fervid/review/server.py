"""The review page over HTTP, for one reviewer on this machine: all runs of a folder, their videos, verdicts.

Every run and every file is looked up by an id; no part of an address ever becomes a path.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import pyarrow.parquet  # noqa: F401  Arrow loads it with the first table that is read; the first visitor should not wait
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from fervid.alerts.language.rules import load_rules
from fervid.alerts.review.preview_frames import Blur
from fervid.alerts.review.reviews import account_name
from fervid.errors import ConfigError, FervidError, InputError, OutputError
from fervid.review.content import run_content
from fervid.review.events import Events
from fervid.review.index import RunIndex, UnknownRun
from fervid.review.media import browser_plays
from fervid.review.page import SERVED, served_file, served_page
from fervid.review.pictures import READY, WAITING, WORKERS, Pictures, Still, step_back
from fervid.review.preview import CLIP_SECONDS, Previews
from fervid.review.preview_cache import CACHE_BYTES, PreviewCache
from fervid.review.run_routes import Handler, RunRoutes
from fervid.review.run_rules import RuleDesk
from fervid.review.takeaway import TakeAway
from fervid.review.verdicts import read_said, store_said
from fervid.review.videos import VideoGate
from fervid.review.workshop import Workshop
from fervid.run.bad_values import BAD_VALUES, bad_values
from fervid.run.find import find_run_folders
from fervid.run.handle import Run
from fervid.web.guard import Guard, allowed_names, is_loopback
from fervid.web.limits import BODY_SECONDS, http_config

LARGEST_BODY_BYTES, LARGEST_BULK_BYTES = 16_384, 1_048_576
CLIENT_CLOSED_REQUEST = 499
MOST_STRIPS, MOST_STILLS, MOST_MOMENTS = 1000, 200, 60
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}

log = logging.getLogger(__name__)


def make_app(
    folders: Sequence[str | Path],
    *,
    videos: Sequence[str | Path] = (),
    token: str,
    host: str = "127.0.0.1",
    port: int = 0,
    blur: Blur = "all",
    cache_bytes: int = CACHE_BYTES,
    rules: str | None = None,
    is_apart: bool = True,
) -> Starlette:
    """The application for the runs in some folders; `rules` are those that the page explains and tries out, by
    default those that `fervid alerts` takes. With `videos` only videos in these folders, or in `folders`, are shown.

    Three worker processes decode, one for clips and two for stills; with `is_apart` False this process does. Raises
    InputError for a folder without runs, ConfigError for rules that cannot be read.
    """
    find_run_folders(folders)
    roots = tuple(Path(folder) for folder in folders)
    index, rule_set = RunIndex(roots), None if rules is None else load_rules(rules)
    takeaway = TakeAway(rule_set, blur=blur)
    cache = PreviewCache(roots, cache_bytes)
    shops = [Workshop(roots) if is_apart else None for _ in range(1 + WORKERS)]
    clips, *stills = (Previews(roots, blur=blur, cache=cache, workshop=shop) for shop in shops)
    gate = VideoGate(roots, map(Path, videos), is_remote=not is_loopback(host))
    pages = _Pages(index, gate, takeaway, _Maker(clips), stills)
    routes = [
        Route("/", pages.front),
        Route("/static/{name}", pages.static),
        Route("/api/runs", pages.runs),
        Route("/api/strips", pages.strips),
        Route("/api/alerts", pages.alerts),
        Route("/api/find", pages.find),
        Route("/api/moments", pages.moments),
        Route("/api/pictures", pages.states),
        Route("/api/sketches", pages.sketches),
        Route("/api/events", pages.changes),
        Route("/api/runs/{run}", pages.run),
        Route("/api/runs/{run}/verdicts", pages.verdict, methods=["POST"]),
        Route("/api/verdicts", pages.verdicts, methods=["POST"]),
        Route("/media/{run}", pages.media),
        Route("/clips/{run}/{number:int}.mp4", pages.clip),
        Route("/stills/{name}.jpg", pages.still),
        *RunRoutes(index, RuleDesk(rule_set), takeaway, pages.with_video).routes(_answered),
    ]
    guard = Middleware(Guard, token=token, names=allowed_names(host), port=port, is_remote=not is_loopback(host))
    app = Starlette(routes=routes, middleware=[guard])
    app.state.stop, app.state.begin = pages.stop, pages.begin
    return app


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ConfigError for a taken port or a foreign address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=128)
    except (OSError, OverflowError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise ConfigError(f"cannot listen on {host}, port {port} ({reason}). Give another --port, or 0.") from None


def http_server(app: Starlette) -> uvicorn.Server:
    """The server of an application, to be run on a listening socket; `should_exit` ends it."""
    return _Server(http_config(app, lifespan="off"))


class _Server(uvicorn.Server):
    """On stop, it cancels previews in progress and ends the streams of events, which would never end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called with the signal."""
        self._stop()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called when no new connection is taken any more."""
        self._stop()
        await super().shutdown(sockets)

    def _stop(self) -> None:
        if isinstance(self.config.app, Starlette):
            self.config.app.state.stop()


def _answer(function: Callable[[Any, Request], Awaitable[Response]]) -> Callable[[Any, Request], Awaitable[Response]]:
    """Turns errors of a handler into answers that the page can show."""

    async def handled(self: Any, request: Request) -> Response:
        try:
            return await function(self, request)
        except UnknownRun:
            return JSONResponse({"error": "This run is not served here."}, 404)
        except InputError as problem:
            return JSONResponse({"error": str(problem)}, 404)
        except ConfigError as problem:
            return JSONResponse({"error": str(problem)}, 400)
        except FervidError as problem:
            log.warning("%s", problem)
            return JSONResponse({"error": str(problem)}, 500)
        except (OSError, *BAD_VALUES) as problem:
            error = bad_values(Path(request.path_params.get("run", "the answer")), problem)
            log.warning("%s", error)
            return JSONResponse({"error": str(error)}, 404)

    return handled


def _answered(function: Handler) -> Handler:
    """The same for a handler that stands alone."""

    async def handled(request: Request) -> Response:
        return await _answer(lambda _self, wanted: function(wanted))(None, request)

    return handled


class _Maker:
    """Makes previews one after the other, in a thread that steps back behind the answers of the page."""

    def __init__(self, previews: Previews) -> None:
        self.previews = previews
        self._turn = anyio.Lock()
        self._thread = ThreadPoolExecutor(1, initializer=step_back)

    def stop(self) -> None:
        """Give up what is being made, and end the worker."""
        if not self.previews.is_stopped:
            self.previews.stop()
            self._thread.submit(self.previews.close)

    def warm(self, run_of: Callable[[], Run | None]) -> None:
        """Start the worker with the thumbnail of a run, if any; what fails here is said when it is asked for."""

        def begin() -> None:
            with suppress(FervidError, OSError, EOFError, KeyError, *BAD_VALUES):
                if (run := run_of()) is not None:
                    self.previews.thumbnail(run)

        self._thread.submit(begin)

    async def make(self, request: Request, function: Callable[[], Path], media_type: str) -> Response:
        """The file that `function` makes; nothing is made for a page that was left meanwhile."""
        async with self._turn:
            if self.previews.is_stopped or await request.is_disconnected():
                return Response(status_code=CLIENT_CLOSED_REQUEST)
            try:
                path = await asyncio.get_running_loop().run_in_executor(self._thread, function)
            except (OutputError, EOFError):  # EOFError: workers are being ended
                if self.previews.is_stopped:
                    return Response(status_code=CLIENT_CLOSED_REQUEST)
                raise
        return FileResponse(path, media_type=media_type)


# Decision REV-3.
class _Pages:
    """The request handlers. Reading tables or videos runs in threads; thumbnails and clips do not block each other."""

    def __init__(
        self, index: RunIndex, gate: VideoGate, takeaway: TakeAway, clips: _Maker, stills: Sequence[Previews]
    ) -> None:
        self._index, self._gate, self._takeaway, self._clips = index, gate, takeaway, clips
        self._pictures = Pictures(stills, self.with_video, index.folder)
        self._events = Events(index.stamps)
        self._one_verdict = anyio.Lock()
        self._ahead: asyncio.Future[Any] | None = None

    def stop(self) -> None:
        """Give up what is being made."""
        self._clips.stop()
        self._pictures.stop()
        self._takeaway.stop()
        self._events.is_stopped = True

    @_answer
    async def front(self, _request: Request) -> Response:
        """The page without content. The list is read meanwhile: the browser asks for it once it has the script."""
        if self._ahead is None:
            self._ahead = asyncio.get_running_loop().run_in_executor(None, self._read_ahead)
        return Response(served_page("fervid"), media_type="text/html")

    @_answer
    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in SERVED:
            return PlainTextResponse("File not found.\n", 404)
        return Response(served_file(name), media_type=MEDIA_TYPES[Path(name).suffix])

    @_answer
    async def runs(self, _request: Request) -> Response:
        await self._events.begin()
        listing = await to_thread.run_sync(self._index.listing)
        return _json(listing | {"account": account_name()})

    def _read_ahead(self) -> None:
        with suppress(FervidError, OSError, *BAD_VALUES):  # said when the list is asked for
            self._index.listing()

    def begin(self) -> None:
        """Read the list before the first visitor, and start the worker for clips where some video needs it."""
        self._clips.warm(self._needs_clips)

    def _needs_clips(self) -> Run | None:
        """The first run whose video browsers cannot play."""
        cards = self._index.listing()["runs"]
        needs = next((card["id"] for card in cards if card["has_video"] and not card["plays"]), None)
        return None if needs is None else self.with_video(needs)

    @_answer
    async def alerts(self, _request: Request) -> Response:
        return _json(await to_thread.run_sync(self._index.alerts) | {"account": account_name()})

    @_answer
    async def find(self, request: Request) -> Response:
        """The runs in which somebody shows `label` at least `score` for `seconds`."""
        asked = request.query_params
        numbers = float(asked.get("score") or 0), float(asked.get("seconds") or 0)
        return _json(await to_thread.run_sync(self._index.find, asked.get("label", ""), *numbers))

    @_answer
    async def moments(self, request: Request) -> Response:
        """The strongest moments of `label` over all runs."""
        found = await to_thread.run_sync(self._index.moments, request.query_params.get("label", ""), MOST_MOMENTS)
        return _json({"moments": found})

    @_answer
    async def states(self, request: Request) -> Response:
        """Which stills are ready; the others are made meanwhile."""
        return _json(await to_thread.run_sync(self._pictures.ask, _names(request, MOST_STILLS)))

    @_answer
    async def sketches(self, request: Request) -> Response:
        """What observations have of moments, until there are stills."""
        return _json(await to_thread.run_sync(self._pictures.sketches, _names(request, MOST_STILLS)))

    @_answer
    async def changes(self, _request: Request) -> Response:
        return StreamingResponse(self._events.stream(), media_type="text/event-stream")

    @_answer
    async def strips(self, request: Request) -> Response:
        return _json(await to_thread.run_sync(self._index.strips, _names(request, MOST_STRIPS)))

    @_answer
    async def run(self, request: Request) -> Response:
        return _json(await to_thread.run_sync(self._content, request.path_params["run"]))

    @_answer
    async def verdict(self, request: Request) -> Response:
        name = request.path_params["run"]
        await to_thread.run_sync(self._index.run, name)  # raises for a run that is not served
        answers = await self._store(request, LARGEST_BODY_BYTES, name)
        if isinstance(answers, Response):
            return answers
        return JSONResponse(answers[0], 400 if "error" in answers[0] else 409 if "conflict" in answers[0] else 200)

    @_answer
    async def verdicts(self, request: Request) -> Response:
        answers = await self._store(request, LARGEST_BULK_BYTES, None)
        return answers if isinstance(answers, Response) else _json({"verdicts": answers})

    async def _store(self, request: Request, most_bytes: int, run: str | None) -> Response | list[dict[str, Any]]:
        """Store the verdicts of a request, all about `run` or each about its own; what became of them, or a refusal."""
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            return JSONResponse({"error": "A verdict is sent as application/json."}, 415)
        body = b""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most_bytes:
                        return JSONResponse({"error": "That is too long for a verdict."}, 413)
        except TimeoutError:
            return JSONResponse({"error": "The verdict did not arrive in time."}, 408)
        try:
            said = read_said(body, run)
        except ValueError:
            return JSONResponse({"error": "Expected alert_id, verdict and reason."}, 400)
        async with self._one_verdict:
            answers = await to_thread.run_sync(store_said, said, self._index.run)
        self._events.look_soon()
        return answers

    @_answer
    async def media(self, request: Request) -> Response:
        """The video itself, in ranges as the browser asks for them."""
        run = await to_thread.run_sync(self.with_video, request.path_params["run"])
        containers = str(run.manifest.video.get("container", "")).split(",")
        kind = "video/webm" if "webm" in containers or "matroska" in containers else "video/mp4"
        return FileResponse(run.manifest.video_path, media_type=kind)

    @_answer
    async def clip(self, request: Request) -> Response:
        run = await to_thread.run_sync(self.with_video, request.path_params["run"])
        number = request.path_params["number"]
        return await self._clips.make(request, lambda: self._clips.previews.clip(run, number), "video/mp4")

    @_answer
    async def still(self, request: Request) -> Response:
        """A still if it is there, else at once the word that it is being made."""
        name = request.path_params["name"]
        state = (await to_thread.run_sync(self._pictures.ask, [name]))[name]
        still = Still.named(name)
        path = None if still is None or state != READY else self._pictures.file(still)
        if path is None:
            return JSONResponse({"state": state}, 202 if state == WAITING else 404)
        return FileResponse(path, media_type="image/jpeg")

    def with_video(self, name: str) -> Run:
        """A run whose video may be sent. Raises UnknownRun or InputError."""
        run = self._index.run(name)
        self._gate.check(run)
        return run

    def _content(self, name: str) -> dict[str, Any]:
        run = self._index.run(name)
        media: dict[str, Any] = {"file": None, "plays": browser_plays(run.manifest.video), "clips": None}
        try:
            self._gate.check(run, at_once=True)
            media |= {"file": f"/media/{name}", "clips": {"url": f"/clips/{name}/", "seconds": CLIP_SECONDS}}
        except InputError as problem:
            media["why"] = str(problem)
        return run_content(run) | {"media": media, "account": account_name()}


def _names(request: Request, most: int) -> list[str]:
    """The names after `ids` in an address."""
    return [name for name in request.query_params.get("ids", "").split(",") if name][:most]


def _json(content: Any) -> Response:
    return Response(json.dumps(content, ensure_ascii=False, allow_nan=False), media_type="application/json")
