"""`fervid alerts` and `fervid evidence` as a user meets them: what they print where, files, exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import pytest
import typer.main

import fervid
from alert_runs import face, make_run
from fervid.alerts.find.scan import find_runs
from fervid.cli import app
from fervid.errors import OutputInUse
from fervid.storage.lock import Lock
from manifests import change_manifest
from receivers import receiver
from runner import run_fervid
from synthetic import constant_rate, write_video

RULES = """
[[rule]]
name = "any-face"
wording = "a face"
score = "confidence"
enter = 0.0
for = "1s"
pre_roll = "1s"
post_roll = "1s"
"""


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a moving portrait of 3 s, its video beside it."""
    out = tmp_path_factory.mktemp("analysed")
    video = write_video(out / "cam1" / "clip.mp4", constant_rate(3)) if (out / "cam1").mkdir() is None else out
    fervid.analyze(video, out=out / "runs", device="cpu", plot=False)
    (out / "any.toml").write_text(RULES)
    return out


@pytest.fixture
def angry_run(tmp_path: Path) -> Path:
    times = [round(i / 5, 1) for i in range(50)]
    faces = [face(t, 0, 0.8 if 2 <= t <= 5 else 0.32 if 8 <= t <= 9 else 0.1) for t in times]
    return make_run(tmp_path / "run", faces, times).folder


def test_alerts_are_printed_and_written_and_may_fail_the_command(angry_run: Path) -> None:
    done = run_fervid("alerts", str(angry_run))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("clip.mp4: 1 alert, 1 notice; faces usable in 100% of the time")
    assert "anger-like expression, track 0: needs review" in done.stdout
    assert done.stderr.startswith("report: ")
    for name in ("alerts.parquet", "alerts.json", "alerts.csv", "alerts.html"):
        assert (angry_run / name).is_file()
    assert run_fervid("alerts", str(angry_run), "--fail-on-alert").returncode == 4
    assert run_fervid("alerts", str(angry_run), "--fail-on-alert", "--rules", "distress").returncode == 0
    as_json = json.loads(run_fervid("alerts", str(angry_run), "--json", "--no-report").stdout)
    assert [alert["rule"] for alert in as_json["alerts"]] == ["anger", "anger-hint"]


def test_the_page_of_a_run_is_written_under_its_lock(angry_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fervid.cli import alerts

    written, write_report = [], alerts.write_report

    def while_locked(*arguments: object, **options: object) -> Path:
        with pytest.raises(OutputInUse):
            Lock(angry_run)
        written.append(write_report(*arguments, **options))  # type: ignore[arg-type]
        return written[-1]

    monkeypatch.setattr(alerts, "write_report", while_locked)
    typer.main.get_command(app).main(["alerts", "find", str(angry_run)], standalone_mode=False)
    assert written == [angry_run / "alerts.html"]


def test_explaining_and_comparing_write_nothing(angry_run: Path) -> None:
    before = sorted(path.name for path in angry_run.iterdir())
    explained = run_fervid("alerts", str(angry_run), "--explain", "00:00:07")
    assert "anger (alert): did not fire" in explained.stdout
    assert "angry + 0.5 * disgust = 0.10, below exit (0.4)" in explained.stdout
    compared = run_fervid("alerts", str(angry_run), "--diff", "distress")
    assert compared.stdout.startswith("clip.mp4: distress -> anger: 2 added, 0 removed, 0 changed, 0 the same")
    assert sorted(path.name for path in angry_run.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--rules", "nothing"], 2, "rules 'nothing' do not exist. Use anger, anger-person, cctv, distress, template"),
        (["--start-time", "noon"], 2, "start time 'noon' is not valid"),
        (["--explain", "soon"], 2, "time 'soon' is not valid"),
        (["--explain", "1:00:00"], 2, "--explain 01:00:00.0: the video ends at 00:00:"),
        (["--evidence"], 3, "/footage/cam1/clip.mp4 no longer exists"),
    ],
)
def test_a_wrong_option_is_said_in_one_line(angry_run: Path, arguments: list[str], code: int, message: str) -> None:
    done = run_fervid("alerts", str(angry_run), *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    done = run_fervid("alerts", str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert "contains no complete run" in done.stderr


def test_verdicts_are_kept_and_counted(angry_run: Path) -> None:
    found = json.loads(run_fervid("alerts", str(angry_run), "--json", "--no-report").stdout)
    ids = [alert["alert_id"] for alert in found["alerts"]]
    said = run_fervid("alerts", "review", str(angry_run), "--alert", ids[0], "--verdict", "true", "--reason", "shouts")
    assert said.returncode == 0, said.stderr
    assert "anger" in said.stdout
    assert "100% (21% to 100%)" in said.stdout
    (angry_run / "saved.json").write_text(json.dumps([{"alert_id": ids[1], "verdict": "false", "reviewer": "ab"}]))
    both = run_fervid("alerts", "review", str(angry_run), "--import", str(angry_run / "saved.json"), "--json")
    content = json.loads(both.stdout)
    assert [one["verdict"] for one in content["verdicts"]] == ["true", "false"]
    assert [row["precision"] for row in content["precision"]] == [1, 0, 1, 0]
    wrong = run_fervid("alerts", "review", str(angry_run), "--alert", ids[0])
    assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (2, "", 1)


def test_rules_are_measured_and_tuned_against_what_people_saw(angry_run: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text("video,start,end,emotion\nrun,00:00:02,00:00:05,angry\n")
    out = tmp_path / "figures"
    given = (str(angry_run), "--truth", str(truth), "-o", str(out))
    done = run_fervid("alerts", "evaluate", *given)
    assert done.returncode == 0, done.stderr
    assert "all alerts         1 of 1 event, 0 false alarms: 0.00 per hour" in done.stdout
    assert (out / "curve.png").is_file()
    assert "rule anger at 0.5 false alarms per hour or fewer: 1 of 1 event" in done.stdout

    alone = run_fervid("alerts", "tune", *given)
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "tuning needs two videos or more" in alone.stderr
    shutil.copytree(angry_run, tmp_path / "other")
    runs = (str(angry_run), str(tmp_path / "other"))
    tuned = run_fervid("alerts", "tune", *runs, "--truth", str(truth), "-o", str(out), "--target-fa-per-hour", "2")
    assert tuned.returncode == 0, tuned.stderr
    assert "chosen on 1 video, checked on 1 other" in tuned.stdout
    assert "cannot demonstrate 2 false alarms per hour" in tuned.stdout
    assert (out / "tuned.toml").is_file()


def test_somebody_is_told_and_what_does_not_arrive_waits(angry_run: Path, tmp_path: Path) -> None:
    settings, environment = tmp_path / "notify.toml", {"no_proxy": "127.0.0.1"}
    with receiver() as gone:
        settings.write_text(f'patience = "0.1s"\n[webhook]\nurl = "{gone.url}"\n')
    told = ("alerts", str(angry_run), "--no-report", "--notify", str(settings))
    failed = run_fervid(*told, environment=environment)
    assert failed.returncode == 75
    assert "1 alerts wait. Nothing is lost: `fervid alerts notify` retries." in failed.stderr
    assert (angry_run / "alerts.parquet").is_file()
    with receiver(503) as web:
        settings.write_text(f'[webhook]\nurl = "{web.url}"\n')
        done = run_fervid("alerts", "notify", str(settings), environment=environment)
        assert (done.returncode, done.stdout) == (0, "webhook: 1 alert sent in 1 message\n"), done.stderr
        again = run_fervid(*told, environment=environment)
        assert "webhook: 0 alerts sent in 0 messages" in again.stderr
        assert run_fervid("alerts", "notify", str(settings), "--test", environment=environment).returncode == 0
    assert [message["kind"] for message in web.messages] == ["alert", "test"]


def test_evidence_of_a_video_that_has_gone_does_not_stop_the_others(
    analysed: Path, angry_run: Path, tmp_path: Path
) -> None:
    whole = find_runs([analysed / "runs"])[0].folder
    shutil.copytree(whole, tmp_path / "run2")
    rules = ("--rules", str(analysed / "any.toml"), "--evidence")
    done = run_fervid("alerts", str(angry_run), str(tmp_path / "run2"), *rules)
    assert done.returncode == 3
    assert "/footage/cam1/clip.mp4 no longer exists" in done.stderr
    assert "1 of 2 runs could not be used" in done.stderr.splitlines()[-1]
    assert (tmp_path / "run2" / "evidence.zip").is_file()
    assert (tmp_path / "alerts.html").is_file()


def test_evidence_shows_no_video_that_replaced_the_analysed_one(analysed: Path, tmp_path: Path) -> None:
    shutil.copytree(analysed / "runs", tmp_path / "runs")
    (run,) = find_runs([tmp_path / "runs"])
    video = Path(shutil.copyfile(analysed / "cam1" / "clip.mp4", tmp_path / "clip.mp4"))
    change_manifest(run.folder, video_path=str(video))
    with video.open("ab") as file:
        file.write(b"\0")  # plays as before: only its content shows that it is another file
    done = run_fervid("alerts", str(run.folder), "--rules", str(analysed / "any.toml"), "--evidence")
    assert done.returncode == 3
    assert "clip.mp4 is not the video that was analysed" in done.stderr
    assert not (run.folder / "evidence.zip").exists()


def test_evidence_is_written_and_verified_and_open_faces_are_logged(analysed: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(analysed / "runs", runs)
    (run,) = find_runs([runs])
    done = run_fervid("alerts", str(runs), "--rules", str(analysed / "any.toml"), "--evidence")
    assert done.returncode == 0, done.stderr
    (folder,) = (run.folder / "evidence").iterdir()
    names = {"alert.json", "clip.mp4", "faces.csv", "still-end.jpg", "still-peak.jpg", "still-start.jpg", "strip.png"}
    assert {path.name for path in folder.iterdir()} == names
    with av.open(str(folder / "clip.mp4")) as clip:
        assert clip.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in clip.decode(video=0)) == 75
    assert not (run.folder / "evidence-audit.jsonl").exists()

    page = (run.folder / "alerts.html").read_text()
    assert (page.count("data:image/jpeg"), page.count("data:image/png")) == (3, 1)

    bundle = run.folder / "evidence.zip"
    verified = run_fervid("evidence", "verify", str(bundle))
    assert verified.returncode == 0, verified.stderr
    assert "intact, 7 files, digest " in verified.stdout
    spoilt = bytearray(bundle.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    bundle.write_bytes(spoilt)
    refused = run_fervid("evidence", "verify", str(bundle))
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "was changed" in refused.stderr

    opened = run_fervid("alerts", str(runs), "--rules", str(analysed / "any.toml"), "--evidence", "--blur", "others")
    assert opened.returncode == 0, opened.stderr
    assert "data:image/jpeg" not in (run.folder / "alerts.html").read_text()  # open faces stay out of the page
    entries = [json.loads(line) for line in (run.folder / "evidence-audit.jsonl").read_text().splitlines()]
    assert [entry["blur"] for entry in entries] == ["others"]
    assert entries[0]["alerts"] == [json.loads((folder / "alert.json").read_text())["alert_id"]]


def test_analysing_and_alerts_in_one_go(analysed: Path) -> None:
    arguments = ("analyze", str(analysed / "cam1" / "clip.mp4"), "-o", str(analysed / "runs"), "-q", "--no-plot")
    done = run_fervid(*arguments, "--alerts", "--rules", str(analysed / "any.toml"))
    assert done.returncode == 0, done.stderr
    assert "clip.mp4: 1 alert, 0 notices; faces usable in" in done.stdout
    (run,) = find_runs([analysed / "runs"])
    assert (run.folder / "alerts.parquet").is_file()
    assert (run.folder / "alerts.html").is_file()
    failed = run_fervid(*arguments, "--alerts", "--rules", str(analysed / "any.toml"), "--json", "--fail-on-alert")
    assert failed.returncode == 4
    assert json.loads(failed.stdout)["alerts"]["alerts"][0]["rule"] == "any-face"
    alone = run_fervid(*arguments, "--fail-on-alert")
    assert (alone.returncode, alone.stdout) == (2, "")
