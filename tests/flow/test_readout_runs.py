"""The read-out over time in whole runs: columns, manifest and everything that shows scores; fitting one to runs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

import fervid
from fervid.base import assets
from fervid.batch.labelled import read_recordings
from fervid.emotion.model import load_model_info
from fervid.errors import ConfigError, InputError
from fervid.exports.write import export_runs
from fervid.run.handle import Run
from fervid.run.schema import answers_of
from synthetic import constant_rate, empty_picture, moving_face, write_video

MODEL = load_model_info(assets.model_folder(assets.DEFAULT_MODEL))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("readout") / "clip.mp4"
    write_video(path, constant_rate(3.0), moving_face)
    return path


def analysed(video: Path, out: Path, use: str, **more: object) -> Run:
    options = {"readout.use": use, "video.segment_seconds": 1.0} | more
    return fervid.analyze(video, out=out, settings=fervid.load_settings(options=options), device="cpu", plot=False)


@pytest.fixture(scope="module")
def run(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return analysed(video, tmp_path_factory.mktemp("on"), "on")


def test_the_readout_changes_what_decides_labels_and_nothing_else(video: Path, run: Run, tmp_path: Path) -> None:
    plain = analysed(video, tmp_path, "off")
    assert plain.manifest.settings_hash != run.manifest.settings_hash
    assert plain.manifest.observe_key == run.manifest.observe_key  # nothing is decoded again
    assert "readout_sha256" not in plain.manifest.model
    assert MODEL.readout is not None
    assert run.manifest.model["readout_sha256"] == MODEL.readout.sha256
    assert answers_of(plain.manifest.model)[0] == "s_angry"
    assert answers_of(run.manifest.model)[0] == "r_angry"
    for name in plain.faces.column_names:
        if name[:2] in ("p_", "s_"):
            assert plain.faces[name].equals(run.faces[name]), name
    read = np.stack([run.faces[name].to_numpy() for name in answers_of(run.manifest.model)], axis=1)
    assert not np.allclose(read, np.stack([run.faces[f"s_{label}"].to_numpy() for label in MODEL.labels], axis=1))
    assert run.faces["label"].to_pylist() == [MODEL.labels[i] for i in read.argmax(axis=1)]
    assert run.summary()["peak_anger"]["value"] == pytest.approx(read[:, MODEL.labels.index("angry")].max())


def test_auto_is_on_for_a_model_with_a_readout_of_its_heads(video: Path, run: Run, tmp_path: Path) -> None:
    assert analysed(video, tmp_path / "a", "auto").manifest.settings_hash == run.manifest.settings_hash
    other = analysed(video, tmp_path / "b", "auto", **{"emotion.labels": "fer2013"})
    assert "readout_sha256" not in other.manifest.model


def test_exports_hold_the_scores_that_decide_labels(run: Run, tmp_path: Path) -> None:
    (file,) = export_runs([run.folder], ["fer"], out=tmp_path)
    text = file.read_text()
    (first, *_) = [row for row in csv.DictReader(io.StringIO(text)) if row["angry0"]]
    assert float(first["angry0"]) == pytest.approx(run.faces["r_angry"][0].as_py(), abs=1e-4)


def write_labels(path: Path, *rows: str, head: str = "video,emotion,person") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_recordings_are_read_from_runs_with_and_without_their_persons_baseline(run: Run, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "l.csv", "clip.mp4,happy,ann", f"{run.folder.name},sad,bob", "clip.mp4,angry,cid")
    found = read_recordings(labels, [run], MODEL)
    assert [(one.person, one.label) for one in found] == [("ann", "happy"), ("bob", "sad"), ("cid", "angry")]
    for one in found:
        assert one.scores.shape == (MODEL.n_logits,)
        np.testing.assert_array_equal(one.scores, one.relative)  # one recording of each is no baseline
        assert abs(one.scores[:7].mean()) < 1e-6


def test_recordings_without_a_face_are_no_people(run: Run, tmp_path: Path) -> None:
    write_video(tmp_path / "empty.mp4", constant_rate(1.0), lambda _: empty_picture())
    empty = analysed(tmp_path / "empty.mp4", tmp_path / "out", "off")
    labels = write_labels(tmp_path / "l.csv", "clip.mp4,happy,ann", "empty.mp4,sad,bob", "empty.mp4,angry,cid")
    with pytest.raises(InputError, match="only 1 of its people"):
        read_recordings(labels, [run, empty], MODEL)


@pytest.mark.parametrize(
    ("rows", "head", "kind", "said"),
    [
        (["clip.mp4,glad,a"], "video,emotion,person", ConfigError, r"line 2: clip\.mp4, glad\. Expected"),
        (["clip.mp4,happy"], "name,emotion", ConfigError, "it needs video and emotion"),
        (["clip.mp4,happy,a", "clip.mp4,sad,a"], "video,emotion,person", ConfigError, "fewer than 3 people"),
        (
            ["clip.mp4,happy,a", "x.mp4,sad,b", "clip.mp4,sad,c"],
            "video,emotion,person",
            InputError,
            "'x.mp4' matches 0",
        ),
    ],
)
def test_labels_that_cannot_be_used_are_refused(
    run: Run, tmp_path: Path, rows: list[str], head: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        read_recordings(write_labels(tmp_path / "l.csv", *rows, head=head), [run], MODEL)
