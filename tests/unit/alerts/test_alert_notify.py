"""Telling somebody: what arrives where, how often, and that nothing is lost while a receiver is down."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from alert_runs import face, make_run
from fervid.alerts.find.records import AlertRecord
from fervid.alerts.find.scan import scan_run
from fervid.alerts.language.rules import parse_rules
from fervid.alerts.notify import NotSent
from fervid.alerts.notify.command import start
from fervid.alerts.notify.deliver import Delivery, check_delivered, deliver, load_notifier
from fervid.alerts.notify.spool import Spool
from fervid.alerts.notify.webhook import post
from fervid.errors import ConfigError, NotDelivered, OutputError
from receivers import receiver

RULE = {"name": "r", "wording": "anger-like expression", "score": "angry", "enter": 0.5, "for": 0, "merge_gap": 0.1}
NOTICE = RULE | {"name": "n", "tier": "notice"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def records(folder: Path, n: int) -> list[AlertRecord]:
    """Alerts of `n` angry moments, and as many notices."""
    times = [round(0.2 * i, 1) for i in range(20 * n)]
    faces = [face(t, 0, 0.9 if i % 20 == 10 else 0.1) for i, t in enumerate(times)]
    found = scan_run(make_run(folder, faces, times), parse_rules({"rule": [RULE, NOTICE]}, source="test"))
    assert len(found.of_tier("alert")) == n
    return list(found.records)


def settings(folder: Path, text: str) -> Path:
    path = folder / "notify.toml"
    path.write_text(text)
    return path


def alert(number: int) -> dict[str, Any]:
    return {"alert_id": f"a{number:03d}", "camera": f"cam{number % 5}", "video": "v.mp4", "text": "look: needs review"}


class Clock:
    """Time that passes only while something sleeps."""

    def __init__(self) -> None:
        self.seconds, self.slept = 1_000_000.0, [0.0][:0]

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class Inbox:
    """A receiver in memory that fails as it is told to."""

    def __init__(self, *problems: NotSent) -> None:
        self.problems, self.messages, self.ids = list(problems), [{}][:0], [""][:0]

    def __call__(self, body: bytes, message_id: str) -> None:
        self.ids.append(message_id)
        if self.problems:
            raise self.problems.pop(0)
        self.messages.append(json.loads(body))


def send(spool: Spool, inbox: Inbox, clock: Clock, *, limit: int = 10, patience: float = 30) -> Delivery:
    return deliver("x", spool, inbox, max_per_hour=limit, patience_seconds=patience, now=clock.now, sleep=clock.sleep)


def test_an_empty_spool_sends_nothing(tmp_path: Path) -> None:
    inbox = Inbox()
    assert send(Spool(tmp_path), inbox, Clock()) == Delivery("x", 0, 0, 0)
    assert inbox.messages == []


def test_an_alert_is_told_once_however_often_it_is_found(tmp_path: Path) -> None:
    inbox, clock = Inbox(), Clock()
    assert Spool(tmp_path).add([alert(1), alert(2)]) == 2
    assert Spool(tmp_path).add([alert(1)]) == 0
    send(Spool(tmp_path), inbox, clock)
    assert Spool(tmp_path).add([alert(1), alert(3)]) == 1
    send(Spool(tmp_path), inbox, clock)
    assert [one["alerts"][0]["alert_id"] for one in inbox.messages] == ["a001", "a002", "a003"]
    assert {one["kind"] for one in inbox.messages} == {"alert"}


def test_what_comes_too_fast_is_told_in_one_digest_and_more_waits_for_the_hour(tmp_path: Path) -> None:
    spool, inbox, clock = Spool(tmp_path), Inbox(), Clock()
    spool.add([alert(i) for i in range(10)])
    assert send(spool, inbox, clock, limit=3) == Delivery("x", 3, 10, 0)
    assert [(one["kind"], one["n_alerts"]) for one in inbox.messages] == [("alert", 1), ("alert", 1), ("digest", 8)]
    assert inbox.messages[-1]["text"].startswith(
        "8 alerts that need review, delayed by the rate limit, on cam0, cam1, cam2"
    )
    clock.seconds += 600
    spool.add([alert(10), alert(11)])
    held = send(spool, inbox, clock, limit=3)
    assert (held.n_messages, held.n_waiting, held.problem) == (0, 2, None)
    assert held.free_in_seconds == pytest.approx(3000)
    assert "2 wait for max_per_hour for another 50 min" in held.text()
    check_delivered([held])  # to be held back is no failure
    clock.seconds += 3001
    assert send(spool, inbox, clock, limit=3).n_told == 2


def test_a_long_digest_lists_some_and_counts_all(tmp_path: Path) -> None:
    spool, inbox = Spool(tmp_path), Inbox()
    spool.add([alert(i) for i in range(60)])
    send(spool, inbox, Clock(), limit=1)
    (message,) = inbox.messages
    assert (message["n_alerts"], len(message["alerts"])) == (60, 50)
    assert spool.waiting() == []


def test_a_receiver_that_is_down_is_asked_again_after_pauses_that_double(tmp_path: Path) -> None:
    down = [NotSent("down", is_passing=True) for _ in range(4)]
    spool, inbox, clock = Spool(tmp_path), Inbox(*down), Clock()
    spool.add([alert(1), alert(2)])
    assert send(spool, inbox, clock).n_told == 2
    assert clock.slept == [1, 2, 4, 8]
    assert len(set(inbox.ids[:5])) == 1  # the same message has the same id, so that a receiver can drop it


@pytest.mark.parametrize(
    ("problem", "patience", "slept"),
    [
        (NotSent("down", is_passing=True), 30, [1, 2, 4, 8]),  # 15 s have passed, and 16 s more would be too long
        (NotSent("down", is_passing=True), 0, []),
        (NotSent("down", is_passing=True, wait_seconds=12), 30, [12, 12]),  # as the receiver asked
        (NotSent("answered 404", is_passing=False), 30, []),
    ],
)
def test_what_does_not_arrive_waits_and_nothing_is_lost(
    tmp_path: Path, problem: NotSent, patience: float, slept: list[float]
) -> None:
    inbox, clock = Inbox(*[problem] * 50), Clock()
    Spool(tmp_path).add([alert(i) for i in range(3)])
    failed = send(Spool(tmp_path), inbox, clock, patience=patience)
    assert (failed.n_told, failed.n_waiting, failed.problem) == (0, 3, str(problem))
    assert clock.slept == slept
    with pytest.raises(NotDelivered, match="3 alerts wait. Nothing is lost"):
        check_delivered([failed])
    inbox.problems.clear()
    assert send(Spool(tmp_path), inbox, clock).n_told == 3  # attempts that failed do not count against the limit
    assert [one["alerts"][0]["alert_id"] for one in inbox.messages] == ["a000", "a001", "a002"]


def test_a_process_that_ends_between_telling_and_forgetting_tells_nothing_twice(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add([alert(1), alert(2)])
    kept = (tmp_path / "waiting" / "a001.json").read_bytes()
    send(spool, Inbox(), Clock())
    (tmp_path / "waiting" / "a001.json").write_bytes(kept)  # as if it had not come to removing it
    again = Inbox()
    assert send(Spool(tmp_path), again, Clock()).n_told == 0
    assert again.messages == []
    assert Spool(tmp_path).add([alert(2)]) == 0


def test_a_torn_line_of_the_log_costs_that_line_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add([alert(1)])
    send(spool, Inbox(), Clock())
    with (tmp_path / "sent.jsonl").open("a") as log:
        log.write('{"unix": 1, "ale')
    spool.add([alert(2)])
    assert send(spool, Inbox(), Clock()).n_told == 1
    assert spool.add([alert(1), alert(2)]) == 0


def test_a_file_that_somebody_else_put_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "waiting").mkdir()
    (tmp_path / "waiting" / "x.json").write_text("[]")
    with pytest.raises(OutputError, match="x.json is not a pending alert"):
        send(Spool(tmp_path), Inbox(), Clock())


def test_a_webhook_that_fails_first_gets_every_alert_once(tmp_path: Path) -> None:
    found = records(tmp_path / "run", 2)
    with receiver(503, 0) as web:
        text = f'max_per_hour = 5\n[webhook]\nurl = "{web.url}"\nheaders = {{ X-Key = "env:HOOK_KEY" }}\n'
        path = settings(tmp_path, text)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("HOOK_KEY", "secret")
            notifier = load_notifier(path)
        (done,) = notifier.tell(found)
    assert (done.n_told, done.n_waiting, done.problem) == (2, 0, None)
    assert [one["alerts"][0]["alert_id"] for one in web.messages] == [r.alert_id for r in found if r.tier == "alert"]
    assert web.messages[0]["text"].endswith("needs review")
    assert {request["x-key"] for request in web.requests} == {"secret"}
    assert {request["content-type"] for request in web.requests} == {"application/json"}
    assert web.requests[0]["idempotency-key"] == web.requests[2]["idempotency-key"] == web.messages[0]["id"]
    assert str(tmp_path) not in json.dumps(web.messages)


def test_a_webhook_that_is_down_loses_nothing(tmp_path: Path) -> None:
    found = records(tmp_path / "run", 3)
    with receiver() as web:
        path = settings(tmp_path, f'patience = "0.1s"\n[webhook]\nurl = "{web.url}"\n')
    (failed,) = load_notifier(path).tell(found)  # nobody listens any more
    assert (failed.n_told, failed.n_waiting) == (0, 3)
    assert "127.0.0.1 cannot be reached" in str(failed.problem)
    with receiver() as web:
        path.write_text(f'tiers = ["alert", "notice"]\n[webhook]\nurl = "{web.url}"\n')
        (done,) = load_notifier(path).tell(found)
    assert (done.n_told, len(web.messages)) == (6, 6)


@pytest.mark.parametrize(
    ("status", "headers", "is_passing", "wait"),
    [
        (503, {"Retry-After": "7"}, True, 7),
        (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, True, 0),
        (404, {}, False, 0),
        (302, {"Location": "/elsewhere"}, False, 0),
        (0, {}, True, 0),
    ],
)
def test_answers_say_whether_asking_again_helps_and_redirects_are_not_followed(
    status: int, headers: dict[str, str], is_passing: bool, wait: float
) -> None:
    with receiver(status, headers=headers) as web:
        with pytest.raises(NotSent) as caught:
            post(web.url, b"{}", message_id="m", headers={}, timeout_seconds=60)
        assert (caught.value.is_passing, caught.value.wait_seconds) == (is_passing, wait)
    assert len(web.requests) == 1


def test_a_receiver_that_never_answers_is_given_up() -> None:
    with receiver(seconds=20) as web, pytest.raises(NotSent) as caught:
        post(web.url, b"{}", message_id="m", headers={}, timeout_seconds=0.2)
    assert caught.value.is_passing


def test_a_program_reads_the_message_and_no_shell_reads_anything(tmp_path: Path) -> None:
    out, hostile = tmp_path / "out.json", "$(touch spoilt); `touch spoilt` && touch spoilt"
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read() + sys.argv[2])"
    start([sys.executable, "-c", code, str(out), hostile], b'{"text": "$(touch spoilt)"}', timeout_seconds=20)
    assert out.read_text() == '{"text": "$(touch spoilt)"}' + hostile
    assert not list(tmp_path.glob("**/spoilt"))


@pytest.mark.parametrize(
    ("argv", "message", "is_passing"),
    [
        (["/no/such/program"], "cannot be started", False),
        ([sys.executable, "-c", "raise SystemExit(3)"], "ended with status 3", True),
        ([sys.executable, "-c", "import os; os._exit(0)"], "", True),  # ended without reading: it has taken it
    ],
)
def test_a_program_that_fails_says_so(argv: list[str], message: str, is_passing: bool) -> None:
    if not message:
        start(argv, b"x" * 200_000, timeout_seconds=20)
        return
    with pytest.raises(NotSent, match=message) as caught:
        start(argv, b"{}", timeout_seconds=20)
    assert caught.value.is_passing == is_passing


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    child = f"import time; time.sleep(1.5); open({str(alive)!r}, 'w')"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(NotSent, match=r"took longer than 0.5 s"):
        start([sys.executable, "-c", code], b"{}", timeout_seconds=0.5)
    time.sleep(1.6)
    assert not alive.exists()


def test_both_receivers_get_everything_and_one_that_fails_does_not_hold_up_the_other(tmp_path: Path) -> None:
    found = records(tmp_path / "run", 2)
    out = tmp_path / "told"
    argv = json.dumps([sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())", str(out)])
    with receiver(*[500] * 9) as web:
        path = settings(tmp_path, f'patience = "0.1s"\n[webhook]\nurl = "{web.url}"\n[command]\nargv = {argv}\n')
        failed, done = load_notifier(path).tell(found)
    assert (failed.receiver, failed.n_waiting, done.receiver, done.n_told) == ("webhook", 2, "command", 2)
    assert out.read_text().count('"kind": "alert"') == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"expected a \[webhook\] or a \[command\]"),
        ("[webhook", "is not valid TOML"),
        ('[webhook]\nurl = "file:///etc/passwd"\n', "webhook.url: expected an address that begins with https"),
        ('[webhook]\nurl = "http://h"\nheaders = { A = "b\\r\\nC: d" }\n', "a header is one line"),
        ('[webhook]\nurl = "http://h"\nheaders = { A = "env:NOT_SET_HERE" }\n', "NOT_SET_HERE, which is not set"),
        ('[command]\nargv = "rm -rf"\n', "command.argv"),
        ("[command]\nargv = []\n", "command.argv"),
        ('max_per_minute = 3\n[command]\nargv = ["x"]\n', "key 'max_per_minute' does not exist"),
        ('max_per_hour = 0\n[command]\nargv = ["x"]\n', "max_per_hour"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_notifier(settings(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_notifier(tmp_path / "nothing.toml")


def test_a_receiver_that_trickles_is_broken_off_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closing = threading.Event()

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not closing.wait(0.05):
                    connection.sendall(b"X")

        thread = threading.Thread(target=trickle)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(NotSent, match="took longer than 0.5 s"):
            post(
                f"http://127.0.0.1:{listener.getsockname()[1]}/", b"{}", message_id="m", headers={}, timeout_seconds=0.5
            )
        assert time.monotonic() - begun < 3
        closing.set()
        thread.join()
