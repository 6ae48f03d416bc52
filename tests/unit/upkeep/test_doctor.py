"""The doctor says what is well and what is not, and never falls over what it finds."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from fervid.base import assets
from fervid.errors import install_line
from fervid.upkeep import doctor
from fervid.upkeep.doctor import Finding, examine


def finding(name: str, out: Path) -> Finding:
    return next(found for found in examine(out, is_quick=True) if found.check == name)


def test_a_quick_examination_finds_everything_well_here(tmp_path: Path) -> None:
    found = {one.check: one for one in examine(tmp_path, is_quick=True)}
    assert list(found) == ["versions", "opencv", "haar", "codecs", "models", "analysis", "memory", "sandbox", "disk"]
    assert {one.state for name, one in found.items() if name not in ("memory", "sandbox", "disk")} == {"ok"}
    assert assets.DEFAULT_MODEL in found["models"].detail
    assert not list(tmp_path.iterdir())


def test_the_speed_is_that_of_a_real_analysis(tmp_path: Path) -> None:
    speed = doctor._speed()
    assert tmp_path
    assert speed.state in ("ok", "warning")
    assert float(speed.detail.split()[0]) > 0
    assert "0 faces" not in speed.detail


def test_two_packages_of_opencv_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = [SimpleNamespace(metadata={"Name": name}) for name in ("OpenCV-Python", "opencv-python-headless")]
    monkeypatch.setattr(doctor, "distributions", lambda: packages)
    found = finding("opencv", tmp_path)
    assert found.state == "problem"
    assert found.advice.startswith("pip uninstall opencv-python opencv-python-headless")


def test_a_missing_cascade_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fervid.base.opencv.CASCADES_FOLDER", str(tmp_path))
    assert finding("haar", tmp_path).state == "problem"


def test_a_changed_model_is_a_problem_and_the_rest_is_still_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    shutil.copytree(assets.model_folder(assets.DEFAULT_MODEL), models / assets.DEFAULT_MODEL)
    with (models / assets.DEFAULT_MODEL / "model.tflite").open("ab") as file:
        file.write(b"x")
    monkeypatch.setattr(assets, "models_folder", lambda: models)
    found = list(examine(tmp_path, is_quick=True))
    states = {one.check: one.state for one in found}
    assert states["models"] == "problem"
    assert found[-1].check == "disk"


@pytest.mark.parametrize(("free_mb", "state"), [(500, "warning"), (50_000, "ok")])
def test_little_room_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, state: str) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, free_mb * 1_000_000))
    assert finding("disk", tmp_path / "not" / "there").state == state


def test_a_place_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert finding("disk", tmp_path / "file").state == "problem"


def test_a_codec_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import av

    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"hevc"})
    found = finding("codecs", tmp_path)
    assert found.state == "warning"
    assert found.advice.startswith("No hevc")


def test_a_bug_in_a_check_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "library_versions", lambda: 1 / 0)
    assert finding("versions", tmp_path).detail.startswith("ZeroDivisionError")


def test_what_breaks_an_analysis_breaks_the_examination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding("analysis", tmp_path).state == "ok"

    def open_container(*_: object, **__: object) -> object:
        raise TypeError("open() got an unexpected keyword argument 'metadata_errors'")

    monkeypatch.setattr("fervid.video.probe.open_container", open_container)
    found = finding("analysis", tmp_path)
    assert found.state == "problem"
    assert "metadata_errors" in found.detail


@pytest.mark.parametrize("drivers", [[], ["/dev/nvidiactl"]])
def test_without_tensorflow_the_cpu_is_what_there_is(monkeypatch: pytest.MonkeyPatch, drivers: list[str]) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    monkeypatch.setattr(Path, "exists", lambda path: str(path) in drivers)
    found = doctor._devices()
    assert found.state == ("warning" if drivers else "ok")
    assert install_line("gpu") in found.detail + found.advice


@pytest.mark.parametrize(
    ("done", "state", "says"),
    [
        (
            subprocess.CompletedProcess([], 0, "2.21.0 /physical_device:CPU:0\n", ""),
            "ok",
            "TensorFlow 2.21.0 sees CPU:0",
        ),
        (subprocess.CompletedProcess([], 1, "", "a\nImportError: no module\n"), "warning", "(ImportError: no module)"),
        (subprocess.CompletedProcess([], -11, "", ""), "warning", "(exit code -11)"),
        (subprocess.TimeoutExpired("tf", 120), "warning", "did not start"),
    ],
)
def test_tensorflow_is_looked_at_from_outside(
    monkeypatch: pytest.MonkeyPatch, done: object, state: str, says: str
) -> None:
    def run(*_: object, **__: object) -> object:
        if isinstance(done, Exception):
            raise done
        return done

    monkeypatch.setattr(subprocess, "run", run)
    found = doctor._devices()
    assert (found.state, says in found.detail) == (state, True)
    assert os.environ.get("TF_CPP_MIN_LOG_LEVEL") != "3"
