"""`fervid profile` and `fervid genres` as a user meets them, on runs made by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from profiles import mixture, steady, write_run
from runner import run_fervid


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: sad, happy, and one without faces."""
    folder = tmp_path_factory.mktemp("runs")
    write_run(folder / "sad", 8.0, steady(8, "sad"), cuts=[40])
    write_run(folder / "happy", 8.0, steady(8, "happy"))
    write_run(folder / "title", 8.0)
    return folder


def test_a_run_gets_its_profile_and_a_page_that_needs_nothing_else(runs: Path) -> None:
    done = run_fervid("profile", str(runs / "sad"))
    assert done.returncode == 0, done.stderr
    for words in ("a usable face", "sad 100%", "peak at", "drama", "dramas show sad faces", "F 0.63"):
        assert words in done.stdout
    content = json.loads((runs / "sad" / "profile.json").read_text(encoding="utf-8"))
    assert content["expressions"]["share"]["sad"] == 1
    assert content["genres"][0]["reasons"]
    page = (runs / "sad" / "profile.html").read_text(encoding="utf-8")
    assert not re.search(r"src=\"(?!data:)|href=\"(https?:|//)", page)
    assert "<script" not in page
    assert "the video is no longer at" in page  # the run was made by hand, there is no video
    assert (runs / "sad" / "profile.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_faces_says_that_the_evidence_is_insufficient(runs: Path) -> None:
    done = run_fervid("profile", str(runs / "title"), "--no-sheet")
    assert done.returncode == 0, done.stderr
    assert "tags: insufficient evidence: a usable face in 0.0 s (0%) of 8.0 s" in done.stdout
    assert "No usable face was found" in done.stdout
    assert not (runs / "title" / "profile.html").exists()


def test_a_folder_gives_a_table_and_a_comparison(runs: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    done = run_fervid("profile", str(runs), "-o", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["source"]["name"] for line in done.stdout.splitlines()] == [
        "happy.mp4",
        "sad.mp4",
        "title.mp4",
    ]
    table = pq.read_table(tmp_path / "profiles.parquet")
    assert table["share_sad"].to_pylist() == [0, 1, None]
    assert table["tag_drama"][2].as_py() is None
    page = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 3
    assert not re.search(r"src=\"(?!data:)|href=\"(https?:|//)", page)


def test_runs_of_several_cameras_are_compared_in_the_folder_that_they_share(tmp_path: Path) -> None:
    for camera in ("cam1", "cam2"):
        write_run(tmp_path / "out" / camera / "clip", 8.0, steady(8, "sad"))
    done = run_fervid("profile", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "profiles.parquet").is_file()
    assert not (tmp_path / "out" / "cam1" / "profiles.parquet").exists()


def test_runs_are_ranked_by_likeness_with_the_reason(runs: Path, tmp_path: Path) -> None:
    done = run_fervid("profile", str(runs), "--like", str(runs / "sad"), "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert "happy.mp4" in lines[0]
    assert "apart: " in lines[1]
    assert "sad.mp4" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["profile", "nowhere"], 3, "nowhere is not a folder. Give a run folder"),
        (["profile", "RUNS", "--genres", "none.toml"], 2, "none.toml does not exist"),
        (["profile", "RUNS", "--like", "nowhere"], 3, "nowhere has no manifest.json"),
        (["genres", "fit", "RUNS", "--labels", "none.csv"], 3, "labels none.csv cannot be read"),
        (["genres", "fit", "RUNS", "--labels", "LABELS"], 3, "no tag can be learned"),
    ],
)
def test_bad_input_is_one_line_and_the_right_code(
    runs: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "labels.csv").write_text("video,tags\nsad,gloom\nhappy,fun\n", encoding="utf-8")
    names = {"RUNS": str(runs), "LABELS": str(tmp_path / "labels.csv")}
    done = run_fervid(*[names.get(word, word) for word in arguments], cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_tags_are_learned_used_and_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    lines = ["video,tags"]
    for i in range(70):
        weights = {"sad": 3.0, "happy": 1.0} if i % 2 else {"sad": 1.0, "happy": 3.0}
        write_run(tmp_path / "runs" / f"v{i}", 10.0, mixture(rng, weights, 10.0))
        lines.append(f"v{i}.mp4,{'gloom' if i % 2 else ''}")
    (tmp_path / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    labels = ["runs", "--labels", "labels.csv"]
    done = run_fervid("genres", "fit", *labels, "-o", "genres.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"gloom: average precision 0\.\d\d .* better than the prior alone, 0\.50 \(35 of 70", done.stdout)
    assert "1 of 1 tags are ranked better" in done.stdout
    assert "F 0.63" in done.stdout
    done = run_fervid("genres", "evaluate", *labels, "--genres", "genres.json", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["tags"][0]["n"] == 70
    done = run_fervid("profile", "runs/v1", "--no-sheet", "--genres", "genres.json", cwd=tmp_path)
    assert "gloom" in done.stdout
