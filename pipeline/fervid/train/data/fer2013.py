"""Reads FER-2013 in the layouts in which it is distributed. Knows nothing of networks.

Three layouts are supported, chosen by what PATH is:

* a CSV file (or a folder that holds one) with the columns `emotion`, `pixels` and `Usage` in any order, as in
  `fer2013.csv` and `icml_face_data.csv`;
* the challenge's `train.csv` (`emotion`, `pixels`): the Training rows alone. Its `test.csv` has no labels;
* the Kaggle folders `train/<emotion>/*.jpg` and `test/<emotion>/{PublicTest,PrivateTest}_*.jpg`, whose official split
  is encoded in the file names.

Source of the data and of the official counts: Goodfellow et al., "Challenges in Representation Learning" (2013).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fervid.errors import DatasetError

log = logging.getLogger(__name__)

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The official codes 0 to 6. A trained model has its own copy in `model.json`, which analysis reads."""

SPLITS = ("Training", "PublicTest", "PrivateTest")

OFFICIAL_COUNTS = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}

SIDE_PX = 48
CSV_FILES = ("fer2013.csv", "icml_face_data.csv", "train.csv")
TRAINING_CSV = "train.csv"
"""The one CSV file without a column Usage: all its rows are Training."""

IMAGE_ENDS = {".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9", ".png": b"IEND\xae\x42\x60\x82"}
"""The last bytes of a complete file. Decoders fill the rest of a truncated file with grey, without an error."""


@dataclass(frozen=True, slots=True)
class FaceDataset:
    """Labelled faces: images uint8 (N, 48, 48), labels int64 (N,) in the order of EMOTIONS, split names (N,).

    `rows` int64 (N,) are their positions in the official order, used to join votes; None when unknown.
    """

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    source: str
    rows: np.ndarray | None = None

    def take(self, which: np.ndarray) -> FaceDataset:
        """Some of the rows: a mask bool (N,) or indices int (n,)."""
        rows = None if self.rows is None else self.rows[which]
        return FaceDataset(self.images[which], self.labels[which], self.usage[which], self.source, rows)

    def split(self, name: str) -> FaceDataset:
        """The rows of one split; an unknown or empty split is a DatasetError."""
        if name not in SPLITS:
            raise DatasetError(f"split {name!r} does not exist. Use one of {', '.join(SPLITS)}.")
        rows = self.usage == name
        if not rows.any():
            raise DatasetError(f"{self.source} has no {name} rows. Give the complete data set.")
        return self.take(rows)

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Rows per split and class."""
        return {
            name: tuple(int(n) for n in np.bincount(self.labels[self.usage == name], minlength=len(EMOTIONS)))
            for name in SPLITS
        }

    def sha256(self) -> str:
        """Hash of pixels, labels and split, independent of the file format."""
        digest = hashlib.sha256()
        digest.update(np.ascontiguousarray(self.images).tobytes())
        digest.update(self.labels.astype("<i8").tobytes())
        digest.update("\n".join(self.usage.tolist()).encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"FaceDataset(images={self.images.shape}, source={self.source!r})"


def load_fer2013(path: Path, *, require_official: bool = True) -> FaceDataset:
    """Load FER-2013 from a CSV file or the Kaggle folders.

    `require_official` raises for a set whose counts per split and class differ from the challenge's; without it the
    difference is logged. A set is parsed once and cached beside itself, keyed by size and time of change.

    Raises DatasetError naming the file, row or folder at fault.
    """
    path = Path(path)
    if path.is_dir() and not (path / "train").is_dir():
        found = [path / name for name in CSV_FILES if (path / name).is_file()]
        if not found:
            raise DatasetError(
                f"{path} contains neither {', '.join(CSV_FILES)} nor a folder train/. "
                "Give the CSV file or the folder that contains train/ and test/."
            )
        path = found[0]
    if path.is_dir():
        dataset = _load_folders(path)
    elif path.is_file():
        dataset = _load_csv(path)
    else:
        raise DatasetError(f"{path} does not exist. Give fer2013.csv or the folder that contains train/ and test/.")
    _check_counts(dataset, ("Training",) if path.name == TRAINING_CSV else SPLITS, require_official)
    return dataset


def _check_counts(dataset: FaceDataset, splits: tuple[str, ...], require_official: bool) -> None:
    counted = dataset.counts()
    for split in splits:
        counts = counted[split]
        if counts != OFFICIAL_COUNTS[split]:
            message = (
                f"{dataset.source} is not the official FER-2013 split: {split} has {sum(counts):,} rows by class "
                f"{counts}, expected {sum(OFFICIAL_COUNTS[split]):,} by class {OFFICIAL_COUNTS[split]}."
            )
            if require_official:
                raise DatasetError(message + " Use the complete file, or --allow-unofficial for another set.")
            log.warning(message)


def _load_csv(path: Path) -> FaceDataset:
    stat = path.stat()
    cache = path.with_name(f".{path.name}.{stat.st_size}-{stat.st_mtime_ns}.npz")
    stored = _read_cache(cache)
    if stored is None:
        stored = _parse_csv(path)
        _write_cache(cache, stored)
    rows = np.arange(len(stored["labels"]))
    return FaceDataset(stored["images"], stored["labels"], stored["usage"], str(path), rows)


def _read_cache(cache: Path) -> dict[str, np.ndarray] | None:
    if not cache.is_file():
        return None
    try:
        with cache.open("rb") as file, np.load(file) as stored:  # np.load leaves a broken file open
            return {name: stored[name] for name in ("images", "labels", "usage")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        log.warning("the cache %s cannot be read and is rebuilt", cache)
        return None


def _write_cache(cache: Path, arrays: dict[str, np.ndarray]) -> None:
    partial = cache.with_suffix(f".{os.getpid()}.part.npz")
    try:
        np.savez(partial, **arrays)  # type: ignore[arg-type]  # numpy's stub takes names for allow_pickle
        os.replace(partial, cache)
    except OSError as problem:
        log.warning("no cache next to the data, so it is parsed again each time: %s", problem)
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _parse_csv(path: Path) -> dict[str, np.ndarray]:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False).fillna("")
    except (ValueError, UnicodeDecodeError) as problem:  # pandas raises subclasses of ValueError for bad CSV
        raise DatasetError(
            f"{path} cannot be read as CSV ({problem}). Expected columns emotion, pixels, Usage."
        ) from None
    table.columns = [str(name).strip() for name in table.columns]
    if path.name == TRAINING_CSV and "Usage" not in table.columns:
        table["Usage"] = "Training"
    if list(table.columns) == ["pixels"]:
        raise DatasetError(
            f"{path} has faces without labels, like the challenge's test.csv: nothing can be measured on them. "
            "Use fer2013.csv or icml_face_data.csv, which have the same faces with labels."
        )
    missing = [name for name in ("emotion", "pixels", "Usage") if name not in table.columns]
    if missing:
        raise DatasetError(
            f"{path} lacks the column {missing[0]!r} (it has {', '.join(table.columns)}). "
            "Expected emotion, pixels, Usage, as in fer2013.csv."
        )
    images = np.empty((len(table), SIDE_PX, SIDE_PX), np.uint8)
    labels = np.empty(len(table), np.int64)
    usage = table["Usage"].str.strip().to_numpy(dtype=object)
    # Line 1 is the header, so the line number in a text editor is index + 2.
    for i, (label, pixels, split) in enumerate(zip(table["emotion"], table["pixels"], usage, strict=True)):
        try:
            labels[i] = int(label)
            values = np.array(pixels.split(), dtype=np.int64)
        except (ValueError, OverflowError):
            raise DatasetError(
                f"{path}, line {i + 2}: emotion {label!r} or its pixels are not whole numbers."
            ) from None
        if not 0 <= labels[i] < len(EMOTIONS):
            raise DatasetError(f"{path}, line {i + 2}: emotion {labels[i]} is not one of 0 to {len(EMOTIONS) - 1}.")
        if values.size != SIDE_PX * SIDE_PX:
            raise DatasetError(f"{path}, line {i + 2}: {values.size} pixels, expected {SIDE_PX * SIDE_PX}.")
        if values.min() < 0 or values.max() > 255:
            raise DatasetError(f"{path}, line {i + 2}: a pixel is outside 0 to 255.")
        if split not in SPLITS:
            raise DatasetError(f"{path}, line {i + 2}: Usage {split!r} is not one of {', '.join(SPLITS)}.")
        images[i] = values.reshape(SIDE_PX, SIDE_PX)
    return {"images": images, "labels": labels, "usage": usage.astype("U11")}


@dataclass(frozen=True, slots=True)
class _ImageFile:
    path: Path
    label: int
    split: str

    @property
    def number(self) -> int | None:
        """The number at the end of its name."""
        digits = self.path.stem.rpartition("_")[2]
        return int(digits) if digits.isascii() and digits.isdigit() else None


def _load_folders(root: Path) -> FaceDataset:
    files = _list_files(root)
    if not files:
        raise DatasetError(f"{root} has no images in train/ and test/.")
    rows = _official_rows(files)
    if rows is not None:
        order = np.argsort(rows)
        files, rows = [files[i] for i in order], rows[order]
    cache = root / f".fer2013.{_listing_digest(files, root)}.npz"
    stored = _read_cache(cache)
    if stored is None:
        stored = {
            "images": np.stack([_read_image(file.path) for file in files]),
            "labels": np.array([file.label for file in files], np.int64),
            "usage": np.array([file.split for file in files], dtype="U11"),
        }
        _write_cache(cache, stored)
    return FaceDataset(stored["images"], stored["labels"], stored["usage"], str(root), rows)


def _list_files(root: Path) -> list[_ImageFile]:
    files: list[_ImageFile] = []
    for part in ("train", "test"):
        if not (root / part).is_dir():
            raise DatasetError(f"{root} has no folder {part}/. Expected train/<emotion>/ and test/<emotion>/.")
        for folder in sorted((root / part).iterdir()):
            if not folder.is_dir():
                if folder.suffix.lower() in IMAGE_ENDS:
                    raise DatasetError(
                        f"{folder} is not inside an emotion folder, so it has no label. "
                        f"Move it into {root / part}/<emotion>/, or remove it."
                    )
                continue
            if folder.name not in EMOTIONS:
                raise DatasetError(f"{folder} is not one of the seven emotions ({', '.join(EMOTIONS)}).")
            label = EMOTIONS.index(folder.name)
            files += [
                _ImageFile(file, label, _split_of(file, part))
                for file in sorted(folder.iterdir())
                if file.suffix.lower() in IMAGE_ENDS
            ]
    return files


def _split_of(file: Path, part: str) -> str:
    named = file.name.split("_")[0]
    if part == "train":
        if named in SPLITS[1:]:
            raise DatasetError(f"{file}: its name starts with {named}, but it is in train/. Move it to test/.")
        return "Training"
    if named not in SPLITS[1:]:
        raise DatasetError(
            f"{file}: its name does not start with PublicTest_ or PrivateTest_, so its split is unknown. "
            "Use the folders with their original file names."
        )
    return named


def _official_rows(files: list[_ImageFile]) -> np.ndarray | None:
    """The numbers in the file names, if they can be positions in the official order: complete, distinct, in range.

    The most common copy of the folders has random numbers of up to eight digits instead.
    """
    numbers = [file.number for file in files]
    total = sum(map(sum, OFFICIAL_COUNTS.values()))
    known = [number for number in numbers if number is not None and number < total]
    return np.array(known) if len(set(known)) == len(files) else None


def _listing_digest(files: list[_ImageFile], root: Path) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for file in files:
        stat = file.path.stat()
        digest.update(f"{file.path.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _read_image(path: Path) -> np.ndarray:
    from fervid.base.opencv import cv2
    from fervid.emotion.crops import make_crop

    content = path.read_bytes()
    is_complete = content.rstrip(b"\0").endswith(IMAGE_ENDS[path.suffix.lower()])
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) if is_complete else None
    if image is None:
        raise DatasetError(f"{path} cannot be read as an image. Replace or remove it.")
    return make_crop(image, SIDE_PX, is_full_range=True)
