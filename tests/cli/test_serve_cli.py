"""`fervid serve` as a user meets it: the printed address answers, other machines stay out, Ctrl-C stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="fervid serve needs fervid[web]")

from alert_runs import face, make_run
from fervid.errors import install_line
from runner import SOURCE, START, run_fervid


def test_the_printed_address_answers_until_the_command_is_stopped(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "one", [face(0.2, 0, 0.1)], [0.0, 0.2, 0.4])
    command = [sys.executable, "-c", START, "serve", str(tmp_path / "runs"), "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as started:
        assert started.stdout is not None
        address = started.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert b"fervid" in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(address.partition("?")[0], timeout=30)
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=120)
        assert started.returncode == 130
        assert errors == "fervid: stopped serving; all verdicts are saved\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--host", "0.0.0.0"), 2, "--host 0.0.0.0 allows access from other machines. Add --allow-remote"),
        (("--port", "0"), 3, "contains no complete run"),
    ],
)
def test_what_cannot_be_served_is_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run_fervid("serve", str(tmp_path), *arguments)
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (code, 1, "")
    assert words in done.stderr


def test_without_its_library_the_command_says_what_to_install(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "one", [face(0.2, 0, 0.1)], [0.0, 0.2, 0.4])
    spoil = "import sys; sys.modules['uvicorn'] = None"
    done = run_fervid("serve", str(tmp_path / "runs"), before=spoil)
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert install_line("web") in done.stderr
