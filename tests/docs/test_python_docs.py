"""The Python of the documents runs as it stands, and a package made from them is a plug-in."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fervid
from fervid.config import Settings, load_settings
from fervid.demo.photograph import make_demo_clip
from fervid.detect import make_detector
from fervid.emotion.plugin import PluginClassifier, find_model
from fervid.errors import ConfigError, DependencyMissing, ModelError
from fervid.exports.write import export_runs
from plugin_package import install
from runner import SOURCE, run_fervid

DOCS = Path(__file__).resolve().parents[2] / "docs"
PYTHON, PLUGINS = ((DOCS / name).read_text(encoding="utf-8") for name in ("python.md", "plugins.md"))


PATIENCE_SECONDS = 300
"""Keras alone takes five CPU seconds to import, a minute where other work has the processors."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo clip. For reading only."""
    return make_demo_clip(tmp_path_factory.mktemp("demo") / "demo.mp4")


def test_the_functions_are_documented_with_their_arguments() -> None:
    for name in ("analyze", "stream", "load_run", "find_alerts", "make_profile"):
        (given,) = re.findall(rf"^\| `{name}\((.*?)\)`", PYTHON, re.MULTILINE)
        assert [part.strip() for part in given.split(",") if part.strip() != "*"] == list(
            inspect.signature(getattr(fervid, name)).parameters
        )


def test_the_blocks_of_python_run(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "demo.mp4").symlink_to(demo)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PYTHON, re.DOTALL))
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ faces, 12 seconds, \d+% of the time with a face", done.stdout)
    assert re.search(r"s: #0 looks \w+, 0\.\d\d", done.stdout)


def write_onnx(path: Path) -> None:
    """Logits (N, 3) from the mean level of crops (N, 1, 48, 48)."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: the worked example with ONNX does not run")
    helper = onnx.helper
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["crops"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
        ],
        "faces",
        [helper.make_tensor_value_info("crops", onnx.TensorProto.FLOAT, ["n", 1, 48, 48])],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["n", 3])],
        [
            helper.make_tensor("weights", onnx.TensorProto.FLOAT, [1, 3], [-20.0, 20.0, 0.0]),
            helper.make_tensor("bias", onnx.TensorProto.FLOAT, [3], [9.0, -9.0, 0.0]),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package of the document with an ONNX file, installed into a folder of its own."""
    folder = tmp_path / "site"
    folder.mkdir()
    files = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PLUGINS, re.DOTALL))
    (folder / "my_faces.py").write_text(files["my_faces.py"])
    write_onnx(folder / "faces.onnx")
    declared = re.search(
        r'\[project\.entry-points\."fervid\.classifiers"\]\n(.*?)\n\n', files["pyproject.toml"], re.DOTALL
    )
    assert declared is not None
    install(folder, entry_points=f"[fervid.classifiers]\n{declared[1].replace(chr(34), '')}\n")
    return folder


def with_package(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{SOURCE}:{folder}"}


def settings(model: str, **detect: Any) -> Settings:
    chosen = {"video.fps": 5.0, "video.end_seconds": 1.0, "emotion.model": model}
    return load_settings(options=chosen | {f"detect.{name}": value for name, value in detect.items()}, environment={})


def test_a_classifier_of_another_package_scores_faces(
    package: Path, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(package)

    def analysed() -> fervid.Run:
        return fervid.analyze(demo, out=tmp_path / "out", settings=settings("my-onnx"), device="cpu", plot=False)

    run = analysed()
    assert run.manifest.model["labels"] == ["angry", "happy", "neutral"]
    assert run.manifest.runner == "plugin"
    table = run.faces.to_pandas()
    # What the little network says is known from the light that fervid measured on the same crop.
    light = table["light"].to_numpy(float)
    logits = np.stack([9 - 20 * light, 20 * light - 9, 0 * light], axis=1)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert len(table) > 2
    assert table[["p_angry", "p_happy", "p_neutral"]].to_numpy() == pytest.approx(expected, abs=1e-4)
    assert analysed().was_there
    monkeypatch.setattr(sys.modules["my_faces"].OnnxFaces, "version", "1.1")
    assert not analysed().was_there


@pytest.mark.slow
def test_the_command_takes_it_too_in_worker_processes_and_live(package: Path, demo: Path, tmp_path: Path) -> None:
    arguments = ["analyze", str(demo), "-o", str(tmp_path), "--end", "1", "--json", "--no-plot", "-q", "--workers", "1"]
    done = run_fervid(*arguments, "--model", "my-onnx", environment=with_package(package))
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["shares"]) <= {"angry", "happy", "neutral"}
    watched = ["live", str(demo), "--view", "none", "--jsonl", "--pace", "unpaced", "--stop-after", "0.2", "-q"]
    live = run_fervid(*watched, "--model", "my-onnx", environment=with_package(package))
    assert live.returncode == 0, live.stderr
    assert '"p_happy"' in live.stdout.splitlines()[-1]
    assert live.stderr == "no alerts: the labels of my-onnx are not those of the rules anger\n"


@pytest.mark.slow
def test_the_package_of_the_document_installs_and_its_keras_model_works(package: Path, tmp_path: Path) -> None:
    """Built and installed by pip as a user would, with weights made by Keras."""
    sources, target = tmp_path / "my-faces", tmp_path / "installed"
    sources.mkdir()
    for name, content in re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PLUGINS, re.DOTALL):
        (sources / name).write_text(content)
    (sources / "faces.onnx").write_bytes((package / "faces.onnx").read_bytes())
    make = (
        "import keras, numpy as np\n"
        "model = keras.Sequential([keras.Input((48, 48, 1)), keras.layers.GlobalAveragePooling2D(),"
        " keras.layers.Dense(3, activation='softmax')])\n"
        "model.layers[-1].set_weights([np.array([[-20., 20., 0.]]), np.array([9., -9., 0.])])\n"
        f"model.save({str(sources / 'faces.keras')!r})"
    )
    run_python("-c", make)
    pip = ["-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    run_python(*pip, str(sources))
    compare = (
        "import numpy as np\n"
        "from fervid.emotion.calibration import softmax\n"
        "from fervid.emotion.plugin import PluginClassifier, find_model\n"
        "crops = np.repeat(np.linspace(0, 255, 70).astype(np.uint8), 48 * 48).reshape(70, 48, 48)\n"
        "a, b = (softmax(PluginClassifier(find_model(name)).predict(crops), 1.0) for name in ('my-onnx', 'my-keras'))\n"
        "print(float(np.abs(a - b).max()), float(np.ptp(a, axis=0).min()))"
    )
    difference, spread = map(float, run_python("-c", compare, path=f"{SOURCE}:{target}").split())
    assert difference < 1e-4
    assert spread > 0.2


def run_python(*arguments: str, path: str = "") -> str:
    """What Python printed."""
    environment = os.environ | ({"PYTHONPATH": path} if path else {})
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PLUGIN_MODULE = """
import numpy as np

class Detector:
    smallest_face_px = 20
    searches_windows = False
    def __init__(self, *, side=50):
        self.side = side
    def detect(self, gray, *, max_face_px=None, effort="normal"):
        return np.array([[5, 5, 5 + self.side, 5 + self.side]], np.float32), np.ones(1, np.float32)

def count(run):
    return f"{len(run.faces)} faces".encode()
count.ending = ".count.txt"

class Poor:
    labels, input_side_px, version = ("a", "b"), 48, "1"
    def predict(self, crops):
        return np.zeros((len(crops), 5), np.float32)

class Nameless:
    labels, input_side_px, version, predict = ("A b", "c"), 48, "1", None
"""
ENTRY_POINTS = """[fervid.detectors]
corner = brought:Detector
[fervid.exporters]
count = brought:count
[fervid.classifiers]
poor = brought:Poor
nameless = brought:Nameless
gone = brought:Gone
"""


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with plug-ins of every kind, sound ones and others."""
    folder = tmp_path / "brought"
    folder.mkdir()
    (folder / "brought.py").write_text(PLUGIN_MODULE)
    install(folder, entry_points=ENTRY_POINTS)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.usefixtures("brought")
def test_detectors_and_exporters_of_another_package_work(demo: Path, tmp_path: Path) -> None:
    chosen = settings("fer2013-res-s", detector="corner", options={"side": 40}, min_face_px=20)
    run = fervid.analyze(demo, out=tmp_path / "out", settings=chosen, device="cpu", plot=False)
    assert run.faces.to_pandas()[["x", "y", "w", "h"]].drop_duplicates().to_numpy().tolist() == [[5, 5, 40, 40]]
    (file,) = export_runs([run.folder], ["count"])
    assert file.name == "demo.count.txt"
    assert file.read_text() == f"{run.faces.num_rows} faces"


@pytest.mark.usefixtures("brought")
@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: find_model("nameless"), ModelError, "two or more different names in small letters"),
        (lambda: find_model("gone"), DependencyMissing, "classifier 'gone' of my-faces 1.0 cannot be loaded"),
        (lambda: find_model("nobody"), ModelError, "Plug-ins: gone, nameless, poor"),
        (lambda: PluginClassifier(find_model("poor")).predict(np.zeros((3, 48, 48), np.uint8)), ModelError, "returned"),
        (lambda: make_detector("nobody", {}), ConfigError, "Use one of haar, yunet, centerface, finder, corner"),
        (lambda: make_detector("corner", {"edge": 1}), ConfigError, "corner.*edge"),
    ],
)
def test_what_is_wrong_with_a_plug_in_is_said(make: Callable[[], object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        make()


@pytest.mark.usefixtures("brought")
def test_two_packages_that_bring_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    about = other / "other-2.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 2.0\n")
    (about / "entry_points.txt").write_text("[fervid.detectors]\ncorner = elsewhere:Detector\n")
    monkeypatch.syspath_prepend(other)
    with pytest.raises(
        ConfigError, match=r"other 2\.0 and my-faces 1\.0 both provide|my-faces 1\.0 and other 2\.0 both"
    ):
        make_detector("corner", {})
