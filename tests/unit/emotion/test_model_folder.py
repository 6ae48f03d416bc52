import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fervid.emotion.model import (
    Head,
    Member,
    ModelInfo,
    load_model_info,
    read_model_json,
    stored_metrics,
    write_model_json,
)
from fervid.errors import ModelError, OutputError

HEAD: dict[str, Any] = {
    "name": "fer2013",
    "labels": ["angry", "neutral"],
    "temperature": 1.5,
    "flip_temperature": 1.25,
}
OTHER_HEAD = HEAD | {"name": "ferplus", "labels": ["neutral", "angry", "contempt"]}
MEMBER: dict[str, Any] = {"network": "res-nano", "heads": ["fer2013"], "mean": 0.5, "std": 0.25}
BOTH = MEMBER | {"heads": ["fer2013", "ferplus"]}
CONTENT: dict[str, Any] = {
    "schema_version": 2,
    "name": "small",
    "heads": [HEAD],
    "members": [MEMBER],
    "input_side_px": 48,
    "weights_sha256": hashlib.sha256(b"weights").hexdigest(),
    "tflite_sha256": hashlib.sha256(b"lite").hexdigest(),
    "training_data": "drawn faces",
    "licence": "MIT",
}
FIRST_VERSION = {key: value for key, value in CONTENT.items() if key not in ("heads", "members")} | {
    "schema_version": 1,
    "network": "res-nano",
    "labels": ["angry", "neutral"],
    "mean": 0.5,
    "std": 0.25,
    "temperature": 1.5,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.weights.h5").write_bytes(b"weights")
    (tmp_path / "model.tflite").write_bytes(b"lite")
    write_model_json(tmp_path, CONTENT)
    return tmp_path


def test_a_model_folder_is_read_as_it_was_written(folder: Path) -> None:
    head = Head("fer2013", ("angry", "neutral"), 1.5, 1.25)
    expected = CONTENT | {"heads": (head,), "members": (Member("res-nano", ("fer2013",), 0.5, 0.25),), "folder": folder}
    del expected["schema_version"]
    info = load_model_info(folder)
    assert info == ModelInfo(**expected)
    assert (info.labels, info.temperature, info.network, info.n_logits) == (head.labels, 1.5, "res-nano", 2)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_folder_of_the_first_schema_version_still_opens(folder: Path) -> None:
    now = load_model_info(folder)
    write_model_json(folder, FIRST_VERSION | {"metrics": {"PublicTest": {"accuracy": 0.5}}})
    info = load_model_info(folder)
    assert info.heads == (Head("fer2013", ("angry", "neutral"), 1.5, flip_temperature=1.5),)
    assert info.members == now.members
    assert stored_metrics(read_model_json(folder), "PublicTest") == {"accuracy": 0.5}
    assert stored_metrics(read_model_json(folder), "PrivateTest", "ferplus", "flip") == {}


def test_a_model_of_two_networks_has_the_heads_of_both(folder: Path) -> None:
    write_model_json(folder, CONTENT | {"heads": [HEAD, OTHER_HEAD], "members": [MEMBER, BOTH | {"network": "res-s"}]})
    info = load_model_info(folder)
    assert info.labels == ("angry", "neutral")
    assert (info.network, info.n_logits) == ("res-nano+res-s", 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": []}, "heads is []"),
        ({"heads": ["fer2013"]}, "heads is ['fer2013']"),
        ({"members": []}, "members is []"),
        ({"heads": [HEAD, HEAD]}, "expected different ones"),
        ({"heads": [OTHER_HEAD, HEAD], "members": [BOTH]}, "'fer2013' first"),
        ({"heads": [HEAD, OTHER_HEAD | {"labels": ["angry", "contempt"]}], "members": [BOTH]}, "no label 'neutral'"),
        ({"heads": [HEAD, OTHER_HEAD]}, "members have the heads ['fer2013']"),
        ({"members": [BOTH]}, "members have the heads ['fer2013', 'ferplus']"),
        ({"heads": [HEAD, OTHER_HEAD], "members": [BOTH, MEMBER | {"heads": ["ferplus"]}]}, "'fer2013' in each"),
    ],
)
def test_heads_and_members_that_do_not_fit_are_refused(folder: Path, change: dict[str, Any], message: str) -> None:
    write_model_json(folder, CONTENT | change)
    with pytest.raises(ModelError, match=re.escape(message)):
        load_model_info(folder)


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


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[]", b"{}", b'{"schema_version": 3}'])
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
    contents = [FIRST_VERSION | {entry: value}]
    for key, part in (("heads", HEAD), ("members", MEMBER)):
        if entry in part and entry != "name":
            contents.append(CONTENT | {key: [part | {entry: value}]})
    if entry in CONTENT:
        contents.append(CONTENT | {entry: value})
    assert len(contents) == 2
    for content in contents:
        write_model_json(folder, content)
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


@pytest.mark.parametrize("stated", [[0.5], [0.5, "1"], [0.5, True], [0.5, float("inf")], "0.5", {}])
def test_mean_logits_that_are_not_one_number_for_each_label_are_refused(folder: Path, stated: Any) -> None:
    content = json.dumps(CONTENT | {"heads": [HEAD | {"mean_logits": stated}]})
    (folder / "model.json").write_text(content)
    with pytest.raises(ModelError, match=r"mean_logits is .*, expected 2 numbers"):
        load_model_info(folder)


def test_mean_logits_are_read(folder: Path) -> None:
    write_model_json(folder, CONTENT | {"heads": [HEAD | {"mean_logits": [0.5, -1]}]})
    assert load_model_info(folder).heads[0].mean_logits == (0.5, -1.0)
