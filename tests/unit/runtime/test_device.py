"""The device that scores faces: what is taken by itself, and what is refused rather than changed in silence."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from fervid.errors import ConfigError
from fervid.runtime import device as device_module
from fervid.runtime.device import choose_runner


def machine(monkeypatch: pytest.MonkeyPatch, *files: str, keras_sees_it: bool = True) -> None:
    """A machine with these driver files, on which Keras sees a GPU or does not."""
    monkeypatch.setattr(Path, "exists", lambda path: str(path) in files)
    monkeypatch.setattr(device_module, "_why_keras_has_no_gpu", lambda: None if keras_sees_it else "Keras sees no GPU")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_without_a_driver_faces_are_scored_on_the_cpu(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    machine(monkeypatch)
    assert choose_runner(device) == "litert"


@pytest.mark.parametrize("device", ["gpu", "gpu:0", "gpu:3"])
def test_a_gpu_that_is_not_there_is_an_error_and_never_the_cpu(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    machine(monkeypatch)
    with pytest.raises(ConfigError, match=f"--device {device}: no GPU driver was found"):
        choose_runner(device)


@pytest.mark.parametrize("file", device_module.DRIVER_FILES)
@pytest.mark.parametrize(
    ("device", "runner"), [("auto", "keras"), ("gpu", "keras"), ("gpu:1", "keras"), ("cpu", "litert")]
)
def test_with_a_gpu_it_is_taken_unless_the_cpu_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, file: str, device: str, runner: str
) -> None:
    machine(monkeypatch, file)
    assert choose_runner(device) == runner


def test_the_number_of_the_gpu_is_the_one_that_keras_will_see(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "/dev/nvidiactl")
    choose_runner("gpu:2")
    assert device_module.os.environ["CUDA_VISIBLE_DEVICES"] == "2"


def test_a_driver_without_a_gpu_for_keras_is_said_and_never_hidden(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine(monkeypatch, "/dev/nvidiactl", keras_sees_it=False)
    with pytest.raises(ConfigError, match=r"Keras sees no GPU, though a driver is here\."):
        choose_runner("gpu:0")
    with caplog.at_level(logging.WARNING):
        assert choose_runner("auto") == "litert"
    assert "Keras sees no GPU: faces are classified on the CPU" in caplog.text


@pytest.mark.parametrize("device", ["", "cuda", "GPU", "gpu:", "gpu:x", "gpu:-1", "cpu:0"])
def test_an_unknown_device_is_refused(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    machine(monkeypatch, "/dev/nvidiactl")
    with pytest.raises(ConfigError, match=r"does not exist\. Use auto, cpu or gpu:N"):
        choose_runner(device)


def test_without_tensorflow_a_gpu_is_left_alone_or_the_extra_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: str(path) == "/dev/nvidiactl")
    monkeypatch.setitem(sys.modules, "keras", None)  # as Python itself has it for what cannot be imported
    with caplog.at_level(logging.WARNING):
        assert choose_runner("auto") == "litert"
    assert "TensorFlow is not installed: faces are classified on the CPU" in caplog.text
    with pytest.raises(ConfigError, match=r"TensorFlow is not installed.* Run `pip install 'fervid\[gpu\]'`"):
        choose_runner("gpu")
