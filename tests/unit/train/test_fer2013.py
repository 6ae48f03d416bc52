import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drawn_faces import draw_dataset, write_csv, write_folders
from fervid.errors import DatasetError
from fervid.train.data.fer2013 import EMOTIONS, OFFICIAL_COUNTS, SPLITS, FaceDataset, load_fer2013

DATASET = draw_dataset(14, 7, 7)
PIXELS = " ".join(["7"] * 48 * 48)
HEADER = "emotion,pixels,Usage\n"


def load(path: Path) -> FaceDataset:
    return load_fer2013(path, require_official=False)


def same(left: FaceDataset, right: FaceDataset) -> bool:
    return (
        np.array_equal(left.images, right.images)
        and np.array_equal(left.labels, right.labels)
        and np.array_equal(left.usage, right.usage)
    )


def write_folders_in(folder: Path) -> Path:
    return write_folders(DATASET, folder)


def test_a_csv_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert same(load(write_csv(DATASET, tmp_path / "any name.csv")), DATASET)


def test_a_folder_with_the_csv_is_read(tmp_path: Path) -> None:
    write_csv(DATASET, tmp_path / "fer2013.csv")
    assert same(load(tmp_path), DATASET)


def test_columns_may_stand_in_any_order_with_spaces_in_the_header(tmp_path: Path) -> None:
    path = tmp_path / "icml_face_data.csv"
    path.write_text(f"emotion, Usage, pixels\n3,PrivateTest,{PIXELS}\n")
    dataset = load(tmp_path)
    assert dataset.labels.tolist() == [3]
    assert dataset.usage.tolist() == ["PrivateTest"]
    assert (dataset.images == 7).all()


def test_the_challenges_training_file_is_all_training(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(f"emotion,pixels\n3,{PIXELS}\n")
    (tmp_path / "test.csv").write_text(f"pixels\n{PIXELS}\n")
    dataset = load(tmp_path)  # the folder, in which train.csv is the one with labels
    assert dataset.source == str(path)
    assert dataset.usage.tolist() == ["Training"]
    with pytest.raises(DatasetError, match="has no PublicTest rows"):
        dataset.split("PublicTest")
    with pytest.raises(DatasetError, match="Training has 1 rows"):
        load_fer2013(path)


def test_the_challenges_test_file_is_refused_as_it_has_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text(f"pixels\n{PIXELS}\n")
    with pytest.raises(DatasetError, match=r"test\.csv has faces without labels.*Use fer2013\.csv or icml_face_data"):
        load(path)


def test_file_names_with_the_official_row_give_the_official_order(tmp_path: Path) -> None:
    loaded = load(write_folders(DATASET, tmp_path))
    assert same(loaded, DATASET)
    assert loaded.rows is not None
    assert loaded.rows.tolist() == list(range(len(DATASET.labels)))


@pytest.mark.parametrize("name", ["Training_99991508.png", "Training_1.png", "Training_face.png"])
def test_file_names_that_cannot_be_rows_leave_the_order_open(tmp_path: Path, name: str) -> None:
    write_folders(DATASET, tmp_path)
    (tmp_path / "train" / "angry" / "Training_00000000.png").rename(tmp_path / "train" / "angry" / name)
    loaded = load(tmp_path)
    assert loaded.rows is None
    assert loaded.take(np.arange(3)).rows is None
    assert loaded.counts() == DATASET.counts()


def test_folders_give_the_rows_of_the_csv_in_another_order(tmp_path: Path) -> None:
    loaded = load(write_folders(DATASET, tmp_path))
    assert loaded.counts() == DATASET.counts()
    for split in SPLITS:
        ours, theirs = loaded.split(split), DATASET.split(split)
        assert sorted((int(c), i.tobytes()) for c, i in zip(ours.labels, ours.images, strict=True)) == sorted(
            (int(c), i.tobytes()) for c, i in zip(theirs.labels, theirs.images, strict=True)
        )


def test_other_files_beside_the_images_are_passed_over(tmp_path: Path) -> None:
    write_folders(DATASET, tmp_path)
    (tmp_path / "train" / "happy" / "Thumbs.db").write_text("")
    assert len(load(tmp_path).labels) == len(DATASET.labels)


def test_images_of_another_size_are_brought_to_48_px(tmp_path: Path) -> None:
    import cv2

    write_folders(DATASET, tmp_path)
    cv2.imwrite(str(tmp_path / "train" / "sad" / "Training_9.png"), np.full((96, 64), 7, np.uint8))
    images = load(tmp_path).images
    assert images.shape == (len(DATASET.labels) + 1, 48, 48)
    assert (images == 7).all(axis=(1, 2)).sum() == 1


def test_a_csv_is_parsed_once_and_again_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_csv(DATASET, tmp_path / "fer2013.csv")
    first = load(path)
    monkeypatch.setattr("fervid.train.data.fer2013._parse_csv", lambda _: pytest.fail("parsed again"))
    assert same(load(path), first)
    monkeypatch.undo()
    path.write_text(f"{HEADER}0,{PIXELS},Training\n")
    assert len(load(path).labels) == 1


def test_folders_are_read_once_and_again_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(write_folders(DATASET, tmp_path))
    monkeypatch.setattr("fervid.train.data.fer2013._read_image", lambda _: pytest.fail("read again"))
    assert same(load(tmp_path), first)
    monkeypatch.undo()
    shutil.copy(tmp_path / "train" / "angry" / "Training_00000000.png", tmp_path / "train" / "sad" / "Training_99.png")
    assert len(load(tmp_path).labels) == len(DATASET.labels) + 1


@pytest.mark.parametrize("write", [lambda folder: write_csv(DATASET, folder / "fer2013.csv"), write_folders_in])
def test_a_folder_that_cannot_be_written_is_read_without_a_cache_and_says_so(
    tmp_path: Path, write: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path)

    def refuse(file: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(np, "savez", refuse)  # the tests may run as root, whom no permission stops
    assert load(path).counts() == DATASET.counts()
    assert "no cache next to the data, so it is parsed again each time: [Errno 13]" in caplog.text
    assert list(tmp_path.rglob(".*.npz")) == []


def test_a_broken_cache_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_csv(DATASET, tmp_path / "fer2013.csv")
    load(path)
    (cache,) = tmp_path.glob(".fer2013.csv.*.npz")
    for content in (b"", b"not an archive", cache.read_bytes()[:5000]):
        cache.write_bytes(content)
        assert same(load(path), DATASET)
        assert "is rebuilt" in caplog.text
        caplog.clear()


def test_the_hash_is_of_the_content_not_of_the_file() -> None:
    moved = FaceDataset(DATASET.images, DATASET.labels, DATASET.usage, "elsewhere")
    assert moved.sha256() == DATASET.sha256()
    other = FaceDataset(DATASET.images, np.roll(DATASET.labels, 1), DATASET.usage, DATASET.source)
    assert other.sha256() != DATASET.sha256()


def test_another_set_is_refused_unless_allowed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_csv(DATASET, tmp_path / "fer2013.csv")
    with pytest.raises(
        DatasetError, match=r"not the official FER-2013 split: Training has 14 rows.*--allow-unofficial"
    ):
        load_fer2013(path)
    with caplog.at_level(logging.WARNING):
        load(path)
    assert "not the official FER-2013 split" in caplog.text


def test_the_official_counts_are_those_of_the_challenge() -> None:
    assert [sum(OFFICIAL_COUNTS[split]) for split in SPLITS] == [28709, 3589, 3589]
    assert all(len(counts) == len(EMOTIONS) for counts in OFFICIAL_COUNTS.values())


def test_splits_that_are_not_there_are_named() -> None:
    with pytest.raises(DatasetError, match="split 'Test' does not exist"):
        DATASET.split("Test")
    rows = DATASET.usage == "Training"
    training = FaceDataset(DATASET.images[rows], DATASET.labels[rows], DATASET.usage[rows], "a.csv")
    with pytest.raises(DatasetError, match=r"a\.csv has no PublicTest rows"):
        training.split("PublicTest")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read as CSV"),
        (HEADER + '0,"1 2', "cannot be read as CSV"),
        ("label,pixels,Usage\n", "lacks the column 'emotion'"),
        ("emotion,Usage\n", "lacks the column 'pixels'"),
        ("emotion,pixels\n", r"lacks the column 'Usage' \(it has emotion, pixels\)"),
        (f"{HEADER}happy,{PIXELS},Training\n", "line 2: emotion 'happy' or its pixels are not whole numbers"),
        (f"{HEADER}0,{PIXELS},Training\n0,1 x 3,Training\n", "line 3: emotion '0' or its pixels are not whole numbers"),
        (f"{HEADER}{'9' * 30},{PIXELS},Training\n", "line 2: .* not whole numbers"),
        (f"{HEADER}7,{PIXELS},Training\n", "line 2: emotion 7 is not one of 0 to 6"),
        (f"{HEADER}-1,{PIXELS},Training\n", "line 2: emotion -1 is not one of 0 to 6"),
        (f"{HEADER}0\n", "line 2: 0 pixels, expected 2304"),
        (f"{HEADER}0,1 2 3,Training\n", "line 2: 3 pixels, expected 2304"),
        (f"{HEADER}0,{PIXELS[:-1]}256,Training\n", "line 2: a pixel is outside 0 to 255"),
        (f"{HEADER}0,-{PIXELS},Training\n", "line 2: a pixel is outside 0 to 255"),
        (f"{HEADER}0,{PIXELS},Training\n0,{PIXELS},Validation\n", "line 3: Usage 'Validation' is not one of Training"),
        (f"{HEADER}0,{PIXELS},Training of all\n", "line 2: Usage 'Training of all' is not one of"),
        (f"{HEADER},{PIXELS},Training\n", "line 2: emotion '' or its pixels"),
    ],
)
def test_a_faulty_csv_is_refused_with_its_place(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(content)
    with pytest.raises(DatasetError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def _no_name(root: Path) -> None:
    next((root / "test" / "sad").iterdir()).rename(root / "test" / "sad" / "im3.png")


def _training_in_test(root: Path) -> None:
    next((root / "test" / "sad").iterdir()).rename(root / "test" / "sad" / "Training_3.png")


def _not_an_image(root: Path) -> None:
    (root / "train" / "sad" / "Training_1.jpg").write_text("no image")


def _torn(root: Path) -> None:
    file = next((root / "train" / "sad").iterdir())
    file.write_bytes(file.read_bytes()[:-200])


def _torn_jpeg(root: Path) -> None:
    import cv2

    file = root / "train" / "sad" / "Training_1.jpg"
    assert cv2.imwrite(str(file), DATASET.images[0])
    file.write_bytes(file.read_bytes()[:-200])


def _test_in_train(root: Path) -> None:
    next((root / "train" / "sad").iterdir()).rename(root / "train" / "sad" / "PublicTest_3.png")


def _unlabelled(root: Path) -> None:
    next((root / "train" / "sad").iterdir()).rename(root / "train" / "Training_3.png")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (shutil.rmtree(root / "train"), shutil.rmtree(root / "test")), "contains neither fer2013.csv"),
        (lambda root: shutil.rmtree(root), "does not exist"),
        (lambda root: shutil.rmtree(root / "test"), "has no folder test/"),
        (lambda root: (root / "train" / "contempt").mkdir(), "contempt is not one of the seven emotions"),
        (_no_name, "im3.png: its name does not start with PublicTest_ or PrivateTest_"),
        (_training_in_test, "Training_3.png: its name does not start with PublicTest_"),
        (_not_an_image, "Training_1.jpg cannot be read as an image"),
        (_torn, r"Training_\d+.png cannot be read as an image"),
        (_torn_jpeg, "Training_1.jpg cannot be read as an image"),
        (_test_in_train, "PublicTest_3.png: its name starts with PublicTest, but it is in train/"),
        (_unlabelled, "Training_3.png is not inside an emotion folder, so it has no label"),
        (lambda root: [file.unlink() for file in root.rglob("*.png")], "has no images in train/ and test/"),
    ],
)
def test_faulty_folders_are_refused_with_their_place(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    root = write_folders(DATASET, tmp_path / "fer")
    damage(root)
    with pytest.raises(DatasetError, match=message) as caught:
        load(root)
    assert str(root) in str(caught.value)
