"""Read FER-2013 in the layouts that its users have. Knows nothing of networks.

Two layouts are read, told apart by what PATH is:

* a CSV file (or a folder that holds one) with the columns `emotion`, `pixels` and `Usage` in any order, as in
  `fer2013.csv` and `icml_face_data.csv`;
* the Kaggle folders `train/<emotion>/*.jpg` and `test/<emotion>/{PublicTest,PrivateTest}_*.jpg`, whose official split
  stands in the file names.

Source of the data and of the official counts: Goodfellow et al., "Challenges in Representation Learning" (2013).
"""

from __future__ import annotations

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
"""The official codes 0 to 6. A trained model carries its own copy in `model.json`; analysis reads it there."""

SPLITS = ("Training", "PublicTest", "PrivateTest")

OFFICIAL_COUNTS = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}

SIDE_PX = 48
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class FaceDataset:
    """Labelled faces: images uint8 (N, 48, 48), labels int64 (N,) in the order of EMOTIONS, split names (N,)."""

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    source: str

    def split(self, name: str) -> FaceDataset:
        """The rows of one split; an unknown or empty split is a DatasetError."""
        if name not in SPLITS:
            raise DatasetError(f"split {name!r} does not exist. Use one of {', '.join(SPLITS)}.")
        rows = self.usage == name
        if not rows.any():
            raise DatasetError(f"{self.source} holds no {name} rows. Give the complete data set.")
        return FaceDataset(self.images[rows], self.labels[rows], self.usage[rows], self.source)

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Rows per split and class."""
        return {
            name: tuple(int(n) for n in np.bincount(self.labels[self.usage == name], minlength=len(EMOTIONS)))
            for name in SPLITS
        }

    def sha256(self) -> str:
        """Hash of pixels, labels and split, whatever file they came from."""
        digest = hashlib.sha256()
        digest.update(np.ascontiguousarray(self.images).tobytes())
        digest.update(self.labels.astype("<i8").tobytes())
        digest.update("\n".join(self.usage.tolist()).encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"FaceDataset(images={self.images.shape}, source={self.source!r})"


def load_fer2013(path: Path, *, require_official: bool = True) -> FaceDataset:
    """Load FER-2013 from a CSV file or the Kaggle folders.

    `require_official` refuses a set whose counts per split and class are not those of the challenge; without it a
    difference is logged. A CSV is parsed once and cached beside itself (keyed by size and time of change).

    Raises DatasetError naming the file, row or folder at fault.
    """
    path = Path(path)
    if path.is_dir() and not (path / "train").is_dir():
        found = [path / name for name in ("fer2013.csv", "icml_face_data.csv") if (path / name).is_file()]
        if not found:
            raise DatasetError(
                f"{path} holds neither fer2013.csv, icml_face_data.csv nor a folder train/. "
                "Give the CSV file or the folder that holds train/ and test/."
            )
        path = found[0]
    if path.is_dir():
        dataset = _load_folders(path)
    elif path.is_file():
        dataset = _load_csv_cached(path)
    else:
        raise DatasetError(f"{path} does not exist. Give fer2013.csv or the folder that holds train/ and test/.")
    _check_counts(dataset, require_official)
    return dataset


def _check_counts(dataset: FaceDataset, require_official: bool) -> None:
    for split, counts in dataset.counts().items():
        if counts != OFFICIAL_COUNTS[split]:
            message = (
                f"{dataset.source} is not the official FER-2013 split: {split} has {sum(counts):,} rows by class "
                f"{counts}, expected {sum(OFFICIAL_COUNTS[split]):,} by class {OFFICIAL_COUNTS[split]}."
            )
            if require_official:
                raise DatasetError(message + " Use the complete file, or --allow-unofficial for another set.")
            log.warning(message)


def _load_csv_cached(path: Path) -> FaceDataset:
    stat = path.stat()
    cache = path.with_name(f".{path.name}.{stat.st_size}-{stat.st_mtime_ns}.npz")
    if cache.is_file():
        try:
            with cache.open("rb") as file, np.load(file) as stored:  # np.load leaves a broken file open
                return FaceDataset(stored["images"], stored["labels"], stored["usage"], str(path))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            log.warning("the cache %s cannot be read and is made again", cache)
    dataset = _load_csv(path)
    partial = cache.with_suffix(f".{os.getpid()}.part.npz")
    try:
        np.savez(partial, images=dataset.images, labels=dataset.labels, usage=dataset.usage)
        os.replace(partial, cache)
    except OSError as problem:
        log.info("not cached beside the data: %s", problem)
    return dataset


def _load_csv(path: Path) -> FaceDataset:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False).fillna("")
    except (ValueError, UnicodeDecodeError) as problem:  # pandas raises subclasses of ValueError for bad CSV
        raise DatasetError(
            f"{path} cannot be read as CSV ({problem}). Expected columns emotion, pixels, Usage."
        ) from None
    table.columns = [str(name).strip() for name in table.columns]
    missing = [name for name in ("emotion", "pixels", "Usage") if name not in table.columns]
    if missing:
        raise DatasetError(
            f"{path} lacks the column {missing[0]!r} (it has {', '.join(table.columns)}). "
            "Expected emotion, pixels, Usage, as in fer2013.csv."
        )
    images = np.empty((len(table), SIDE_PX, SIDE_PX), np.uint8)
    labels = np.empty(len(table), np.int64)
    usage = table["Usage"].str.strip().to_numpy(dtype="U11")
    # Line 1 is the header, so the row that a text editor shows is index + 2.
    for i, (label, pixels) in enumerate(zip(table["emotion"], table["pixels"], strict=True)):
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
            raise DatasetError(f"{path}, line {i + 2}: a pixel lies outside 0 to 255.")
        images[i] = values.reshape(SIDE_PX, SIDE_PX)
    unknown = sorted(set(usage.tolist()) - set(SPLITS))
    if unknown:
        raise DatasetError(f"{path}: Usage {unknown[0]!r} is not one of {', '.join(SPLITS)}.")
    return FaceDataset(images, labels, usage, str(path))


def _load_folders(root: Path) -> FaceDataset:
    from fervid.emotion.crops import make_crop
    from fervid.opencv import cv2

    images: list[np.ndarray] = []
    labels: list[int] = []
    usage: list[str] = []
    for part in ("train", "test"):
        if not (root / part).is_dir():
            raise DatasetError(f"{root} has no folder {part}/. Expected train/<emotion>/ and test/<emotion>/.")
        for folder in sorted(p for p in (root / part).iterdir() if p.is_dir()):
            if folder.name not in EMOTIONS:
                raise DatasetError(f"{folder} is not one of the seven emotions ({', '.join(EMOTIONS)}).")
            for file in sorted(folder.iterdir()):
                if file.suffix.lower() not in IMAGE_SUFFIXES:
                    continue
                split = "Training" if part == "train" else file.name.split("_")[0]
                if split not in SPLITS or (part == "test" and split == "Training"):
                    raise DatasetError(
                        f"{file}: its name does not start with PublicTest_ or PrivateTest_, so its split is unknown. "
                        "Use the folders with their original file names."
                    )
                image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
                if image is None:
                    raise DatasetError(f"{file} cannot be read as an image. Replace or remove it.")
                images.append(make_crop(image, SIDE_PX, is_full_range=True))
                labels.append(EMOTIONS.index(folder.name))
                usage.append(split)
    if not images:
        raise DatasetError(f"{root} holds no images in train/ and test/.")
    return FaceDataset(np.stack(images), np.array(labels, np.int64), np.array(usage, dtype="U11"), str(root))
