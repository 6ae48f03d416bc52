import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fervid.emotion.model import ModelInfo, load_model_info, read_model_json, write_model_json
from fervid.errors import ModelError, OutputError

CONTENT: dict[str, Any] = {
    "schema_version": 1,
    "name": "small",
    "network": "res-nano",
    "labels": ["angry", "neutral"],
    "input_side_px": 48,
    "mean": 0.5,
    "std": 0.25,
    "temperature": 1.5,
    "weights_sha256": hashlib.sha256(b"weights").hexdigest(),
    "tflite_sha256": hashlib.sha256(b"lite").hexdigest(),
    "training_data": "drawn faces",
    "licence": "MIT",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.weights.h5").write_bytes(b"weights")
    (tmp_path / "model.tflite").write_bytes(b"lite")
    write_model_json(tmp_path, CONTENT)
    return tmp_path


def test_a_model_folder_is_read_as_it_was_written(folder: Path) -> None:
    expected = CONTENT | {"labels": ("angry", "neutral"), "folder": folder}
    del expected["schema_version"]
    assert load_model_info(folder) == ModelInfo(**expected)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_entries_that_are_not_known_are_passed_over(folder: Path) -> None:
    write_model_json(folder, CONTENT | {"metrics": {}, "later": 1})
    assert load_model_info(folder).name == "small"
    assert read_model_json(folder)["later"] == 1


@pytest.mark.parametrize("name", ["model.json", "model.weights.h5", "model.tflite"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        load_model_info(folder)


@pytest.mark.parametrize("name", ["model.weights.h5", "model.tflite"])
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"other")
    with pytest.raises(ModelError, match=f"{name} is not the file that model.json describes .sha256 d9298a10d1b0"):
        load_model_info(folder)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[]", b"{}", b'{"schema_version": 2}'])
def test_a_foreign_model_json_is_refused(folder: Path, text: bytes) -> None:
    (folder / "model.json").write_bytes(text)
    with pytest.raises(ModelError, match=r"model.json (is not JSON|has schema_version)"):
        load_model_info(folder)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("name", None),
        ("network", 3),
        ("labels", "angry"),
        ("labels", []),
        ("labels", ["angry"]),
        ("labels", ["angry", "angry"]),
        ("labels", ["angry", 3]),
        ("labels", ["angry", ["neutral"]]),
        ("input_side_px", 48.5),
        ("input_side_px", True),
        ("std", 0),
        ("temperature", -1.0),
        ("temperature", "1"),
        ("weights_sha256", None),
    ],
)
def test_a_wrong_entry_is_named(folder: Path, entry: str, value: object) -> None:
    write_model_json(folder, CONTENT | {entry: value})
    with pytest.raises(ModelError, match=f"model.json: {entry}"):
        load_model_info(folder)


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_model_json(tmp_path / "none", CONTENT)


def test_reading_a_model_imports_nothing_heavy() -> None:
    code = "import sys, fervid.emotion.model; print(*({'cv2', 'keras', 'tensorflow', 'pandas'} & set(sys.modules)))"
    path = str(Path(sys.modules["fervid"].__path__[0]).parent)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}
    )
    assert result.stdout.strip() == ""
