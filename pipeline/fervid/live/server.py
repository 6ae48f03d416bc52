"""A live view in the browser: MJPEG images, numbers as server-sent events, two buttons; requires the token.

Nothing is stored; the page can only quit, and save a still if allowed.
"""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from fervid.charts.palette import label_colours
from fervid.errors import ConfigError, missing
from fervid.live.hub import Hub
from fervid.live.view import CHOICES, QUIT, STILL
from fervid.web.written import THEME, style_file

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route

    from fervid.web.guard import Guard, allowed_names, is_loopback, make_token
    from fervid.web.limits import http_config
except ImportError as problem:
    raise missing("the browser view", str(problem.name), "web", problem) from problem

BOUNDARY = "fervid-frame"
HEARTBEAT_SECONDS = 5.0
STARTING_SECONDS, STOPPING_SECONDS = 10.0, 3.0
STATIC = {"live.js": "text/javascript", "curves.js": "text/javascript", "live.css": "text/css", THEME: "text/css"}


class LiveServer:
    """Serves one live view from a thread of its own. Use it as a context; viewers' commands are queued in `commands`.

    `may_save` says whether a still may be asked for. Raises ConfigError when the address cannot be taken, or reaches
    beyond this machine without `is_remote_allowed`.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        title: str,
        host: str = "127.0.0.1",
        port: int = 0,
        is_remote_allowed: bool = False,
        may_save: bool = False,
        bars: bool = True,
        is_covered: bool = False,
    ) -> None:
        """`bars` and `is_covered` say how the view begins; one that begins covered stays covered."""
        if not is_loopback(host) and not is_remote_allowed:
            raise ConfigError(
                f"--host {host} would show faces to other machines. Add --allow-remote if that is intended and lawful."
            )
        self.hub = Hub()
        self.commands: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._token = make_token()
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/?token={self._token}"
        """The address with the token: only for the viewer."""
        app = make_app(
            self.hub,
            self.commands,
            labels,
            title=title,
            token=self._token,
            host=host,
            port=self.port,
            may_save=may_save,
            bars=bars,
            is_covered=is_covered,
        )
        self._server = uvicorn.Server(http_config(app, lifespan="on", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._run, name="fervid live server", daemon=True)

    def __enter__(self) -> LiveServer:
        self._thread.start()
        if not self.hub.is_attached.wait(STARTING_SECONDS):
            raise ConfigError(f"the live view did not start on port {self.port}. Try again.")
        return self

    def __exit__(self, *_: object) -> None:
        self.hub.close()
        self._server.should_exit = True
        self._thread.join(STOPPING_SECONDS)
        self._listener.close()

    def command(self) -> str | None:
        """A viewer's command, `quit` or `still`; None without one."""
        try:
            return self.commands.get_nowait()
        except queue.Empty:
            return None

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])


def make_app(
    hub: Hub,
    commands: queue.SimpleQueue[str],
    labels: Sequence[str],
    *,
    title: str,
    token: str,
    host: str,
    port: int,
    may_save: bool,
    bars: bool = True,
    is_covered: bool = False,
) -> Starlette:
    """The application: page, images, events, commands, behind the guard."""
    wishes = _Wishes(commands, may_save=may_save, bars=bars, is_covered=is_covered)
    about = {"title": title, "colours": label_colours(labels), "may_save": may_save, "shown": wishes.shown}
    about["may_uncover"] = not is_covered

    async def front(_request: Request) -> Response:
        return Response(_static("live.html"), media_type="text/html")

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            return Response("File not found.\n", 404, media_type="text/plain")
        return Response(_static(name), media_type=STATIC[name])

    async def tell_about(_request: Request) -> Response:
        return JSONResponse(about)

    async def frames(_request: Request) -> Response:
        return StreamingResponse(_parts(hub), media_type=f"multipart/x-mixed-replace; boundary={BOUNDARY}")

    async def events(_request: Request) -> Response:
        return StreamingResponse(_events(hub), media_type="text/event-stream")

    async def still(request: Request) -> Response:
        jpeg = hub.stills.get(request.path_params["number"])
        if jpeg is None:
            return Response("No such still.\n", 404, media_type="text/plain")
        return Response(jpeg, media_type="image/jpeg")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        hub.attach()
        yield

    routes = [
        Route("/", front),
        Route("/static/{name}", static),
        Route("/about", tell_about),
        Route("/pictures", frames),
        Route("/events", events),
        Route("/stills/{number:int}", still),
        Route("/wishes/{name}", wishes.take, methods=["POST"]),
    ]
    guard = Middleware(Guard, token=token, names=allowed_names(host), port=port, is_remote=not is_loopback(host))
    return Starlette(routes=routes, middleware=[guard], lifespan=lifespan)


class _Wishes:
    """Takes the commands of viewers, and knows what they chose to be shown: a page that is opened later shows it."""

    def __init__(self, commands: queue.SimpleQueue[str], *, may_save: bool, bars: bool, is_covered: bool) -> None:
        self._commands, self._may_save, self._stays_covered = commands, may_save, is_covered
        self.shown = {"boxes": True, "bars": bars, "covers": is_covered}

    async def take(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in (QUIT, STILL, *CHOICES):
            return JSONResponse({"error": "Unknown command."}, 404)
        if name == STILL and not self._may_save:
            return JSONResponse({"error": "Stills are off; start with --stills FOLDER."}, 403)
        if name == "covers-off" and self._stays_covered:
            return JSONResponse({"error": "This view was started with covered faces and stays so."}, 403)
        if name in CHOICES:
            which, is_on = CHOICES[name]
            self.shown[which] = is_on
        self._commands.put(name)
        return JSONResponse({"done": name})


async def _parts(hub: Hub) -> AsyncIterator[bytes]:
    """A stream of the newest images. Each ends with the next boundary: browsers show it only then."""
    yield f"--{BOUNDARY}\r\n".encode()
    shown = -1
    while not hub.is_closed:
        shot = hub.newest
        if shot is None or shot.number <= shown:
            await hub.change(HEARTBEAT_SECONDS)
            continue
        shown = shot.number
        jpeg = await asyncio.to_thread(shot.jpeg)
        head = (
            f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
            f"X-Frame: {shot.row['frame']}\r\nX-Age-Ms: {shot.age_seconds * 1000:.1f}\r\n\r\n"
        )
        yield head.encode() + jpeg + f"\r\n--{BOUNDARY}\r\n".encode()


async def _events(hub: Hub) -> AsyncIterator[bytes]:
    """The data of the newest image, every alert, and the source's status."""
    shown, last_status, n_alerts = -1, "", hub.alerts[-1][0] if hub.alerts else -1
    for _, alert in list(hub.alerts)[-5:]:
        yield _event("alert", alert)
    while not hub.is_closed:
        shot = hub.newest
        if shot is not None and shot.number > shown:
            shown, last_status = shot.number, hub.status
            yield _event("frame", {name: value for name, value in shot.row.items() if name != "alerts"})
        elif hub.status != last_status:
            last_status = hub.status
            yield _event("status", {"status": last_status})
        elif not await hub.change(HEARTBEAT_SECONDS):
            yield b": still here\n\n"
        for number, alert in list(hub.alerts):
            if number > n_alerts:
                n_alerts = number
                yield _event("alert", alert)
    yield _event("end", {"reason": hub.reason})


def _event(name: str, content: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(content, ensure_ascii=False, allow_nan=False)}\n\n".encode()


def _static(name: str) -> bytes:
    if name == THEME:
        return style_file(name).encode()
    return (files("fervid.live") / "static" / name).read_bytes()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=64)
    except (OSError, OverflowError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise ConfigError(f"cannot listen on {host}, port {port} ({reason}). Give another --port, or 0.") from None
