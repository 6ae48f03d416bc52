"""The routes of one run's view: finer scores, rules, what another threshold would change, and what is taken away."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, get_args

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from fervid.alerts.find.samples import read_frame_times
from fervid.errors import ConfigError, FervidError, InputError
from fervid.review.content import face_columns, face_scores
from fervid.review.index import RunIndex
from fervid.review.run_rules import RuleDesk
from fervid.review.takeaway import MEDIA_TYPES, Kind, TakeAway, Wish, taken_file, taken_from
from fervid.run.bad_values import BAD_VALUES
from fervid.run.handle import Run

MOST_RUNS_AT_ONCE = 40
"""On which one request tries a threshold: the page asks again for the next."""
RULES_FILE = "rules.toml"
LONGEST_NAME = 60
"""Of whoever takes something away."""

Handler = Callable[[Request], Awaitable[Response]]


class RunRoutes:
    """The handlers. Reading tables runs in threads."""

    def __init__(self, index: RunIndex, desk: RuleDesk, takeaway: TakeAway, with_video: Callable[[str], Run]) -> None:
        """`with_video` opens a run whose video is there."""
        self._index, self._desk, self._takeaway, self._with_video = index, desk, takeaway, with_video

    def routes(self, answered: Callable[[Handler], Handler]) -> Sequence[Route]:
        """All of them; `answered` turns the errors of a handler into answers that the page can show."""
        one = "/api/runs/{run}"
        handlers: dict[str, Handler] = {
            f"{one}/scores": self.scores,
            f"{one}/faces": self.faces,
            f"{one}/rules": self.rules,
            f"{one}/why": self.why,
            f"{one}/whatif": self.what_if,
            "/api/whatif": self.what_if_all,
            f"/{RULES_FILE}": self.rules_file,
        }
        handlers |= {f"{one}/taken": self.taken, "/api/jobs/{job}": self.job, "/taken/{run}/{name}": self.taken_file}
        begin = Route(f"{one}/take", answered(self.take), methods=["POST"])
        return [begin, *(Route(path, answered(handler)) for path, handler in handlers.items())]

    async def scores(self, request: Request) -> Response:
        """Scores of another kind for the faces that the page holds."""
        kind = request.query_params.get("kind", "smoothed")
        return await _told(lambda: face_scores(self._run(request), kind))

    async def faces(self, request: Request) -> Response:
        """The faces of a stretch, as fine as they are stored, with scores of one kind."""
        between = _number(request, "from"), _number(request, "to")
        kind = request.query_params.get("kind", "smoothed")

        def found() -> dict[str, Any]:
            run = self._run(request)
            columns, every = face_columns(run, read_frame_times(run), between)
            return {"faces": columns | face_scores(run, kind, between), "faces_of_every": every}

        return await _told(found)

    async def rules(self, request: Request) -> Response:
        """The rules with their scores along the run."""
        return await _told(lambda: self._desk.scores(self._run(request)))

    async def why(self, request: Request) -> Response:
        """What each rule did at a moment."""
        at, (rule, enter) = _number(request, "at"), _threshold(request)
        return await _told(lambda: self._desk.why(self._run(request), at, rule, enter))

    async def what_if(self, request: Request) -> Response:
        """What another threshold would change in a run."""
        rule, enter = _wanted(request)
        return await _told(lambda: self._desk.what_if(self._run(request), rule, enter))

    async def what_if_all(self, request: Request) -> Response:
        """The same in several runs, by their names; runs that cannot be read are left out."""
        rule, enter = _wanted(request)
        names = [name for name in request.query_params.get("ids", "").split(",") if name][:MOST_RUNS_AT_ONCE]

        def tried() -> dict[str, Any]:
            found = {}
            for name in names:
                try:
                    found[name] = self._desk.what_if(self._index.run(name), rule, enter)
                except (FervidError, OSError, *BAD_VALUES):
                    continue
            return found

        return await _told(tried)

    async def rules_file(self, request: Request) -> Response:
        """The rules with another threshold, as a file."""
        rule, enter = _wanted(request)
        headers = {"Content-Disposition": f'attachment; filename="{RULES_FILE}"'}
        run = self._index.run(request.query_params.get("run", ""))
        return Response(self._desk.text(run, rule, enter), media_type="application/toml", headers=headers)

    async def take(self, request: Request) -> Response:
        """Begin to make a file that is taken away; the name of the job."""
        asked = request.query_params
        kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
        kind = kinds.get(asked.get("what", ""))
        if kind is None:
            raise ConfigError(f"what={asked.get('what')!r} cannot be exported. Use one of {', '.join(kinds)}.")
        track = int(_number(request, "track")) if "track" in asked else None
        start, end = _number(request, "from"), _number(request, "to")
        name = request.path_params["run"]
        wish = Wish(kind, start, end, asked.get("alert"), track, asked.get("by", "")[:LONGEST_NAME])

        def begun() -> dict[str, Any]:
            run = self._index.run(name) if kind == "table" else self._with_video(name)
            return {"job": self._takeaway.begin(run, name, wish)}

        return await _told(begun)

    async def job(self, request: Request) -> Response:
        """How far a job is."""
        return await _told(lambda: self._takeaway.state(request.path_params["job"]))

    async def taken(self, request: Request) -> Response:
        """What was taken from a run, newest first."""
        return await _told(lambda: {"taken": taken_from(self._run(request))})

    async def taken_file(self, request: Request) -> Response:
        """A file that was taken."""
        path = await to_thread.run_sync(lambda: taken_file(self._run(request), request.path_params["name"]))
        return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], filename=path.name)

    def _run(self, request: Request) -> Run:
        return self._index.run(request.path_params["run"])


async def _told(function: Callable[[], dict[str, Any]]) -> Response:
    content = await to_thread.run_sync(function)
    return Response(json.dumps(content, ensure_ascii=False, allow_nan=False), media_type="application/json")


def _number(request: Request, name: str) -> float:
    text = request.query_params.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{name}={text!r} is not a number. Give one such as 12.5.")
    return value


def _threshold(request: Request) -> tuple[str | None, float | None]:
    """The rule and threshold that are tried, if any."""
    rule = request.query_params.get("rule")
    return (None, None) if rule is None else (rule, _number(request, "enter"))


def _wanted(request: Request) -> tuple[str, float]:
    rule, enter = _threshold(request)
    if rule is None or enter is None:
        raise ConfigError("Expected rule and enter.")
    return rule, enter
