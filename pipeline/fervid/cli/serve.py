"""`fervid serve`: the review page over HTTP, with all videos of a folder."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

MEGABYTE = 1_000_000


def serve(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Folders of runs, or run folders. [outputs]", show_default=False)
    ] = None,
    videos: Annotated[
        list[Path] | None,
        typer.Option(help="Show videos in these folders and in RUNS only; repeat it for several.", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 means a free one.")] = 8350,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Allow a --host that other machines can reach.")
    ] = False,
    blur: Annotated[
        Literal["all", "none"],
        typer.Option(help="Faces to cover in previews and thumbnails; none is logged."),
    ] = "all",
    rules: Annotated[
        str | None, typer.Option(help="Rules to explain and try out: a preset, or a TOML file. [as fervid alerts]")
    ] = None,
    cache_mb: Annotated[int, typer.Option(min=1, help="Cache limit of previews in megabytes.")] = 2000,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve the review page on this machine: watch, jump from alert to alert, give verdicts. Stop with Ctrl-C.

    The printed address includes a token, which is required for access. Example: fervid serve outputs
    """
    from fervid.base.assets import default_output_folder
    from fervid.base.interrupt import print_when_stopped
    from fervid.errors import ConfigError, missing

    try:
        from fervid.review.server import http_server, make_app, open_socket
        from fervid.web.guard import is_loopback, make_token
    except ModuleNotFoundError as problem:
        raise missing("the review page over HTTP", str(problem.name), "web") from None

    if not is_loopback(host) and not allow_remote:
        raise ConfigError(
            f"--host {host} allows access from other machines. Add --allow-remote to permit that, or omit --host."
        )
    token = make_token()
    listener = open_socket(host, port)
    taken = listener.getsockname()[1]
    folders = runs or [default_output_folder()]
    shown = partial(make_app, folders, videos=videos or (), blur=blur, cache_bytes=cache_mb * MEGABYTE, rules=rules)
    app = shown(token=token, host=host, port=taken)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{taken}/?token={token}"
    print(address, flush=True)
    if not is_loopback(host):
        print("open to other machines, and not encrypted: anyone with this address can see the videos", file=sys.stderr)
    if open_browser:
        import webbrowser

        webbrowser.open(address)
    app.state.begin()
    print_when_stopped("stopped serving; all verdicts are saved")
    http_server(app).run(sockets=[listener])
