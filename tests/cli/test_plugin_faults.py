"""A plug-in that fails is named as such, in every command that runs one; those installed are listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_package import install
from runner import SOURCE, run_fervid
from synthetic import constant_rate, empty_picture, write_video

MODULE = """
import numpy as np

class Fails:
    smallest_face_px, searches_windows = 20, False
    def detect(self, gray, *, max_face_px=None, effort="normal"):
        raise ValueError("no weights\\nhere")

class Unmade(Fails):
    def __init__(self):
        raise RuntimeError("the licence has ended")

class Misshapen(Fails):
    def detect(self, gray, *, max_face_px=None, effort="normal"):
        return np.zeros((2, 3), np.float32), np.ones(2, np.float32)

class Boxes(Fails):
    def detect(self, gray, *, max_face_px=None, effort="normal"):
        return np.array([[5, 5, 90, 90]], np.float32), np.ones(1, np.float32)

class Scores:
    labels, input_side_px, version = ("angry", "happy"), 48, "1"
    def predict(self, crops):
        if len(crops):
            raise OSError(2, "No such file or directory", "/weights.onnx")
        return np.zeros((0, 2), np.float32)

class Sound(Scores):
    def predict(self, crops):
        return np.tile(np.array([[0.0, 9.0]], np.float32), (len(crops), 1))

def broken(run):
    return run.nothing

def text(run):
    return "text"

def captions(run):
    return b"mine"
captions.ending = ".vtt"
"""
ENTRY_POINTS = """[fervid.detectors]
fails = faulty:Fails
unmade = faulty:Unmade
misshapen = faulty:Misshapen
boxes = faulty:Boxes
[fervid.classifiers]
scores = faulty:Scores
sound = faulty:Sound
gone = faulty:Gone
[fervid.exporters]
broken = faulty:broken
text = faulty:text
captions = faulty:captions
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip, a run of it, and in `site` a package with faulty plug-ins."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "site").mkdir()
    (folder / "site" / "faulty.py").write_text(MODULE)
    install(folder / "site", entry_points=ENTRY_POINTS)
    write_video(folder / "clip.mp4", constant_rate(1), empty_picture)
    done = run_fervid("analyze", "clip.mp4", "-o", "good", "-q", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def run_with_plugins(place: Path, *arguments: str) -> tuple[int, str, str]:
    done = run_fervid(*arguments, cwd=place, environment={"PYTHONPATH": f"{SOURCE}:{place / 'site'}"})
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--detector", "fails"], ["detector 'fails' of my-faces 1.0 failed at ", "faulty.py, line 7", "no weights"]),
        (["--detector", "unmade"], ["detector 'unmade' of my-faces 1.0 failed at ", "the licence has ended"]),
        (["--detector", "misshapen"], ["detector 'misshapen' of my-faces 1.0 returned boxes (2, 3)", "(n, 4)"]),
        (
            ["--detector", "boxes", "--model", "scores", "--min-face-px", "20"],
            ["classifier 'scores' of my-faces 1.0 failed at ", "FileNotFoundError", "/weights.onnx"],
        ),
    ],
)
def test_a_plug_in_that_fails_in_an_analysis_is_named(place: Path, options: list[str], words: list[str]) -> None:
    code, _, error = run_with_plugins(place, "analyze", "clip.mp4", "-o", "out", "-q", *options)
    assert code == 78
    for word in words:
        assert word in error
    assert "internal error" not in error
    assert len(error.splitlines()) == 1
    assert not list(place.glob("out/*/manifest.json"))


def test_a_plug_in_that_fails_in_a_batch_fails_that_video_alone(place: Path) -> None:
    (place / "videos").mkdir()
    write_video(place / "videos" / "other.mp4", constant_rate(2), empty_picture)
    code, _, error = run_with_plugins(place, "analyze", "videos", "clip.mp4", "-o", "many", "-q", "--detector", "fails")
    assert code == 3
    assert error.count("detector 'fails' of my-faces 1.0 failed") == 2
    assert "internal error" not in error


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("broken", "format 'broken' of my-faces 1.0 failed at "),
        ("text", "format 'text' of my-faces 1.0 returned str, expected bytes"),
    ],
)
def test_an_exporter_that_fails_is_named(place: Path, form: str, words: str) -> None:
    code, printed, error = run_with_plugins(place, "export", "good", "--format", form)
    assert (code, printed) == (78, "")
    assert words in error
    assert "internal error" not in error


def test_an_exporter_that_takes_an_ending_of_ours_does_not_overwrite_our_files(place: Path) -> None:
    code, printed, error = run_with_plugins(
        place, "export", "good", "--format", "vtt", "--format", "captions", "-o", "both"
    )
    assert code == 0, error
    names = sorted(Path(line).name.partition(".")[2] for line in printed.splitlines())
    assert names == ["captions.vtt", "vtt"]


def test_plug_ins_are_listed_with_their_package(place: Path) -> None:
    code, printed, _ = run_with_plugins(place, "models")
    assert code == 0
    assert "sound: plug-in of my-faces 1.0 for --model, labels angry, happy, accuracy unknown\n" in printed
    assert "gone: plug-in of my-faces 1.0 for --model, cannot be used: " in printed
    assert "boxes: plug-in of my-faces 1.0 for --detector\n" in printed
    assert "captions: plug-in of my-faces 1.0 for --format\n" in printed


def test_alerts_on_labels_that_the_rules_do_not_know_are_explained(place: Path) -> None:
    chosen = ("--detector", "boxes", "--model", "sound", "--min-face-px", "20", "-o", "labels", "-q")
    code, _, error = run_with_plugins(place, "analyze", "clip.mp4", *chosen)
    assert code == 0, error
    code, printed, error = run_with_plugins(place, "alerts", "labels")
    assert code == 2
    assert printed == ""
    assert len(error.splitlines()) == 1
    for word in ("rule 'anger' uses the label 'disgust'", "the model has only angry, happy", "--rules"):
        assert word in error, error
