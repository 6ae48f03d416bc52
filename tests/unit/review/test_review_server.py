"""The review server without a browser: who gets an answer, what is looked up, what is written."""

from __future__ import annotations

import http.client
import json
import shutil
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the review server needs fervid[web]")

from fervid.alerts.language.rules import load_rules, parse_rules
from fervid.alerts.review.reviews import read_history, read_verdicts
from fervid.errors import ConfigError, InputError
from fervid.review.cards import run_id
from fervid.review.preview import CLIP_SECONDS
from fervid.review.server import make_app, open_socket
from fervid.web.guard import Guard, allowed_names, is_loopback, make_token
from manifests import change_manifest
from many_runs import HOSTILE
from served import TOKEN, Served, card, run_of


def test_nothing_is_answered_without_the_token(client: Served) -> None:
    for path in (
        "/",
        "/static/main.js",
        "/api/runs",
        "/api/runs/x",
        "/media/x",
        "/clips/x/0.mp4",
        "/stills/ab.jpg",
        "/api/alerts",
        "/api/events",
    ):
        answer = client.ask(path, headers={"cookie": ""})
        assert (answer.status, "set-cookie" in answer.headers) == (401, False), path
    for wrong in ("wrong", "%ff%00", TOKEN[:-1], ""):
        assert client.ask(f"/?token={wrong}", headers={"cookie": ""}).status == 401
    for cookie in (f"fervid-{client.port}={TOKEN[:-1]}", f"fervid-{client.port + 1}={TOKEN}", "\u00e9=;,="):
        assert client.ask("/api/runs", headers={"cookie": cookie}).status == 401


def test_the_token_in_the_address_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(client: Served) -> None:
    answer = client.ask(f"/?token={TOKEN}", headers={"cookie": ""})
    assert answer.status == 200
    assert answer.headers["set-cookie"] == f"fervid-{client.port}={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
    assert TOKEN not in answer.content.decode()
    assert "set-cookie" not in client.ask("/").headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("LocalHost:1", 200),
        ("[::1]:1", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("192.168.1.5", 400),
        ("", 400),
    ],
)
def test_foreign_host_names_are_refused(client: Served, host: str, status: int) -> None:
    assert client.ask("/api/runs", headers={"host": host}).status == status


def test_a_server_open_to_others_answers_to_plain_addresses_but_not_to_foreign_names(client: Served) -> None:
    app = make_app([client.folder], token=TOKEN, host="0.0.0.0")
    options = app.user_middleware[0].kwargs
    guard = Guard(app, **options)
    hosts = {"192.168.1.5:8350": True, "[fe80::1]:1": True, "evil.example": False, "localhost": True}
    assert {host: guard._is_own_name(host) for host in hosts} == hosts


def test_loopback_is_told_apart_and_tokens_are_never_the_same() -> None:
    hosts = {"127.0.0.1": True, "::1": True, "localhost": True, "0.0.0.0": False, "10.0.0.1": False, "name": False}
    assert {host: is_loopback(host) for host in hosts} == hosts
    assert len({make_token() for _ in range(10)}) == 10
    assert allowed_names("127.0.0.1") == {"localhost", "127.0.0.1"}


def test_every_answer_forbids_other_origins_sniffing_and_storing(client: Served) -> None:
    for path in ("/", "/static/app.css", "/api/runs", "/nothing"):
        headers = client.ask(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        expected = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store"}
        assert {name: headers[name] for name in expected} == expected
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../page.py",
        "/static/..%2fpage.py",
        "/static/%2e%2e/page.py",
        "/media/..%2f..%2fetc%2fpasswd",
        "/media/%2fetc%2fpasswd",
        "//etc/passwd",
        "/clips/..%2f..%2fx/0.mp4",
        "/stills/..%2fx.jpg",
        "/media/",
        "/api/runs/..%2f..",
        "/docs",
        "/openapi.json",
    ],
)
def test_no_address_leads_to_a_path(client: Served, path: str) -> None:
    answer = client.ask(path)
    assert answer.status == 404
    assert b"root:" not in answer.content


def test_reading_changes_nothing_and_writing_needs_the_own_page(client: Served, runs: Path) -> None:
    found = card(client, HOSTILE)
    address = f"/api/runs/{found['id']}/verdicts"
    said = {"alert_id": found["alerts"]["ids"][0], "verdict": "false", "reason": "smiling"}
    assert client.ask(address).status == 405
    for origin in ("", "null", "http://evil.example", f"http://127.0.0.1:{client.port + 1}"):
        assert client.post(address, said, origin=origin).status == 403
    assert client.post(address, said, **{"content-type": "text/plain"}).status == 415
    assert client.post(address, said, cookie="").status == 401
    assert read_verdicts(runs) == []
    assert client.post(address, said).json()["review"]["verdict"] == "false"
    assert [(one.verdict, one.reason) for one in read_verdicts(runs)] == [("false", "smiling")]
    assert card(client, HOSTILE)["alerts"]["reviewed"] == 1
    alert = client.ask(f"/api/runs/{found['id']}").json()["alerts"][0]
    assert alert["review"]["reason"] == "smiling"
    assert client.post(address, said | {"verdict": None}).json()["review"] is None
    assert read_verdicts(runs) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b"\xff\xfe", 400),
        (b'{"alert_id": "nope", "verdict": "true"}', 400),
        (b'{"alert_id": "nope", "verdict": ["true"]}', 400),
        (b"x" * 20_000, 413),
    ],
)
def test_verdicts_that_make_no_sense_are_refused_in_words(client: Served, runs: Path, body: bytes, status: int) -> None:
    answer = client.post(f"/api/runs/{card(client, '.ts')['id']}/verdicts", body)
    assert (answer.status, read_verdicts(runs)) == (status, [])
    assert answer.json()["error"]


def test_videos_come_in_ranges_and_only_while_they_are_what_was_analysed(client: Served, runs: Path) -> None:
    name = card(client, HOSTILE)["id"]
    media = client.ask(f"/api/runs/{name}").json()["media"]
    clips = {"url": f"/clips/{name}/", "seconds": CLIP_SECONDS}
    assert media == {"file": f"/media/{name}", "plays": True, "clips": clips}
    whole = client.ask(media["file"])
    assert (whole.status, whole.headers["accept-ranges"]) == (200, "bytes")
    assert whole.content == Path(run_of(runs, "img*").manifest.video_path).read_bytes()
    part = client.ask(media["file"], headers={"range": "bytes=100-199"})
    assert (part.status, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert client.ask(media["file"], headers={"range": "bytes=99999999-"}).status == 416
    assert client.ask(media["file"], "HEAD").headers["content-length"] == str(len(whole.content))
    change_manifest(next(runs.glob("img*")), video_bytes=len(whole.content) + 1)
    assert client.ask(media["file"]).status == 404
    assert client.ask(f"/api/runs/{name}").json()["media"]["file"] is None


def test_a_taken_port_and_a_folder_without_runs_are_said_clearly(tmp_path: Path) -> None:
    with open_socket("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match="Give another --port"):
        open_socket("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(ConfigError, match=r"cannot listen on 203\.0\.113\.9"):
        open_socket("203.0.113.9", 0)
    with pytest.raises(InputError, match="contains no complete run"):
        make_app([tmp_path], token=TOKEN)


def test_a_damaged_run_is_listed_as_such_and_costs_no_other(client: Served, runs: Path) -> None:
    (next(runs.glob("old*")) / "manifest.json").write_text("{")
    content = client.ask("/api/runs").json()
    assert [one["name"] for one in content["runs"]] == [HOSTILE]
    assert [(one["name"][:3], one["status"]) for one in content["failures"]] == [("old", "unreadable")]


def test_rules_are_explained_and_tried_by_the_functions_of_the_commands(client: Served) -> None:
    name = client.ask("/api/runs").json()["runs"][0]["id"]
    shown = client.ask(f"/api/runs/{name}/rules").json()
    assert [rule["name"] for rule in shown["rules"]] == [rule.name for rule in load_rules("anger").rules]
    assert shown["is_stored"] is False
    why = client.ask(f"/api/runs/{name}/why?at=0.5").json()
    assert [rule["verdict"] for rule in why["rules"]]
    assert client.ask(f"/api/runs/{name}/why?at=900").json()["problem"].startswith("the video ends at")
    found = client.ask(f"/api/runs/{name}/whatif?rule=anger&enter=0.0").json()
    again = client.ask(f"/api/whatif?rule=anger&enter=0.0&ids={name},unknown").json()
    assert again == {name: found}
    text = client.ask(f"/rules.toml?run={name}&rule=anger&enter=0.4").content.decode()
    assert parse_rules(tomllib.loads(text), source="saved").rules[0].enter == 0.4


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("whatif?rule=nobody&enter=0.4", 400),
        ("whatif?rule=anger&enter=nan", 404),
        ("whatif?enter=0.4", 400),
        ("why?at=soon", 404),
        ("scores?kind=relative", 404),
        ("faces?from=0", 404),
    ],
)
def test_questions_that_make_no_sense_are_refused_in_words(client: Served, path: str, status: int) -> None:
    name = client.ask("/api/runs").json()["runs"][0]["id"]
    answer = client.ask(f"/api/runs/{name}/{path}")
    assert (answer.status, bool(answer.json()["error"])) == (status, True)


def test_scores_of_another_kind_have_the_order_of_the_page(client: Served) -> None:
    name = client.ask("/api/runs").json()["runs"][0]["id"]
    content = client.ask(f"/api/runs/{name}").json()
    assert content["kinds"] == ["readout", "smoothed", "raw"]
    answer = client.ask(f"/api/runs/{name}/scores?kind=readout").json()["scores"]
    assert answer == content["faces"]["scores"]
    raw = client.ask(f"/api/runs/{name}/scores?kind=raw").json()["scores"]
    assert [column["n"] for column in raw] == [column["n"] for column in answer]
    smoothed = client.ask(f"/api/runs/{name}/scores?kind=smoothed").json()["scores"]
    assert answer != smoothed != raw
    part = client.ask(f"/api/runs/{name}/faces?from=0&to=0.5").json()
    assert 0 < part["faces"]["frame"]["n"] < content["faces"]["frame"]["n"]


def test_what_is_taken_is_kept_and_noted_and_no_name_leads_elsewhere(client: Served) -> None:
    name = client.ask("/api/runs").json()["runs"][0]["id"]
    assert client.ask(f"/api/runs/{name}/take?what=table&from=0&to=1").status == 405
    assert client.ask(f"/api/runs/{name}/take?what=all&from=0&to=1", "POST", {"origin": client.origin}).status == 400
    late = client.ask(f"/api/runs/{name}/take?what=clip&from=90&to=91", "POST", {"origin": client.origin})
    assert (late.status, "no stretch" in late.json()["error"]) == (404, True)
    begun = client.ask(f"/api/runs/{name}/take?what=table&from=0&to=1&by=AB", "POST", {"origin": client.origin})
    deadline = time.monotonic() + 30
    while (state := client.ask(f"/api/jobs/{begun.json()['job']}").json())["state"] not in ("done", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    taken = client.ask(f"/taken/{name}/{state['file']}")
    assert taken.headers["content-type"].startswith("text/csv")
    assert len(taken.content.splitlines()) > 2
    listed = client.ask(f"/api/runs/{name}/taken").json()["taken"]
    assert [(one["by"], one["what"], one["is_there"]) for one in listed] == [("AB", "table", True)]
    for foreign in ("..%2Fmanifest.json", "manifest.json", "x.mp4"):
        assert client.ask(f"/taken/{name}/{foreign}").status == 404


def test_the_queue_has_the_alerts_of_all_runs_with_their_verdicts(client: Served) -> None:
    found = client.ask("/api/alerts").json()
    assert [(one["video"], one["rule"], one["camera"], one["review"]) for one in found["alerts"]] == [
        (HOSTILE, "any", "cam", None),
        ("old.ts", "any", "cam", None),
    ]
    assert found["agreement"] == []
    left, top, width, height = found["alerts"][0]["box"]
    assert 0 < left < left + width < 1
    assert 0 < top < top + height < 1
    sent = [{"run": one["run"], "alert_id": one["alert_id"], "verdict": "true"} for one in found["alerts"]]
    unknown = {"run": "0" * 16, "alert_id": "x", "verdict": "true"}
    answers = client.post("/api/verdicts", {"by": " Ann\n B. ", "verdicts": [*sent, unknown]}).json()["verdicts"]
    assert [one.get("error") or one["review"]["by"] for one in answers] == ["Ann B.", "Ann B.", answers[2]["error"]]
    assert answers[2]["error"] == "This run is not served here."
    judged = client.ask("/api/alerts").json()["alerts"]
    assert [one["review"]["verdict"] for one in judged] == ["true", "true"]


def test_a_newer_verdict_of_somebody_else_is_shown_before_it_is_contradicted(client: Served, runs: Path) -> None:
    found = card(client, ".ts")
    address, alert = f"/api/runs/{found['id']}/verdicts", found["alerts"]["ids"][0]
    said = {"alert_id": alert, "seen": []}
    assert client.post(address, said | {"verdict": "true", "by": "Ann"}).json()["review"]["by"] == "Ann"
    assert client.post(address, said | {"verdict": "true", "by": "Cid"}).status == 200  # alike: nothing to show
    refused = client.post(address, said | {"verdict": "false", "by": "Ben"})
    assert (refused.status, refused.json()["conflict"]["by"]) == (409, "Cid")
    assert [one.reviewer for one in read_history(runs / found["folder"])] == ["Ann", "Cid"]
    seen = [[one["by"], one["at"]] for one in refused.json()["reviews"]]
    kept = client.post(address, said | {"verdict": "false", "by": "Ben", "seen": seen}).json()
    assert [(one["by"], one["verdict"]) for one in kept["reviews"]] == [
        *(("Ann", "true"), ("Cid", "true"), ("Ben", "false"))
    ]
    agreed = {(one["first"], one["second"]): one for one in client.ask("/api/alerts").json()["agreement"]}
    assert (agreed["Ann", "Ben"]["n_both"], agreed["Ann", "Ben"]["n_same"]) == (1, 0)
    back = client.post(address, said | {"verdict": None, "by": "Ben"}).json()
    assert back["review"]["by"] == "Cid"  # taking back one's own verdict leaves those of others


def test_pages_hear_of_new_runs_and_verdicts(client: Served, runs: Path) -> None:
    client.ask("/api/runs")
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    connection.request("GET", "/api/events", headers=client.cookie)
    stream = connection.getresponse()
    assert stream.headers["content-type"].startswith("text/event-stream")
    found = card(client, ".ts")
    said = {"alert_id": found["alerts"]["ids"][0], "verdict": "true"}
    client.post(f"/api/runs/{found['id']}/verdicts", said)
    assert next_event(stream) == {"runs": [found["id"]], "left": []}
    shutil.copytree(next(runs.glob("old*")), runs / "later")
    assert next_event(stream)["runs"] == [run_id(runs / "later")]
    shutil.rmtree(runs / "later")
    assert next_event(stream) == {"runs": [], "left": [run_id(runs / "later")]}
    connection.close()


def next_event(stream: http.client.HTTPResponse) -> dict[str, Any]:
    """The content of the next event `changed`."""
    while (line := stream.readline().decode()) != "event: changed\n":
        assert line
    content: dict[str, Any] = json.loads(stream.readline().decode().removeprefix("data: "))
    return content
