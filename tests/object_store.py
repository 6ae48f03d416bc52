"""A real S3 server in a process of its own (moto), and what stands in its buckets."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

BUCKET = "fervid-test"
START_SECONDS = 60


@contextmanager
def s3_server(log: Path | None = None) -> Iterator[str]:
    """The address of a server that runs meanwhile; this process and those that it starts use it, with one bucket.

    It writes a line for each request into `log`.
    """
    s3fs = pytest.importorskip("s3fs", reason="object storage needs the extra s3")
    pytest.importorskip("moto.server", reason="the S3 server of the tests is moto[server]")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if log is None else log.open("w"),
    )
    address = f"http://127.0.0.1:{port}"
    known = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        _wait_for(port, server)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in known.items():
                patch.setenv(name, value)
            s3fs.S3FileSystem.clear_instance_cache()
            s3fs.S3FileSystem().mkdir(BUCKET)
            yield address
            s3fs.S3FileSystem.clear_instance_cache()
    finally:
        server.kill()
        server.wait()


def objects_below(url: str) -> dict[str, bytes]:
    """The objects below a folder of the store, by their names in it."""
    from upath import UPath

    place = UPath(url, use_listings_cache=False)
    place.fs.invalidate_cache()
    found = {}
    for name in place.fs.find(place.path):
        with suppress(FileNotFoundError):  # removed meanwhile
            found[name.removeprefix(f"{place.path}/")] = bytes(place.fs.cat_file(name))
    return found


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        assert server.poll() is None, f"the server ended with {server.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the server did not answer within {START_SECONDS} s")


def without_run_specifics(objects: dict[str, bytes]) -> dict[str, bytes]:
    """The tables among objects: what must not depend on where, when and by whom they were made."""
    return {name: content for name, content in objects.items() if name.endswith(".parquet") and "/" in name}
