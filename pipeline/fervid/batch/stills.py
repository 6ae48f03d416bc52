"""Makes a video of numbered images: their bytes, one after the other, in a container. Decodes and encodes nothing.

The video is in the output folder, since everything that shows images of a run reads its video. It is made again when
an image was added, removed or changed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from fervid.base.printable import printable
from fervid.errors import ConfigError, OutputError, VideoNotFound, VideoUnreadable
from fervid.run.files import SEQUENCE_NOTE, SEQUENCES
from fervid.run.handle import run_folder_name
from fervid.run.manifest import write_json
from fervid.storage.place import Place, is_on_disk
from fervid.storage.publish import written_whole

STILL_SUFFIXES = (".jpg", ".jpeg", ".png")
NUMBERED = re.compile(r"%(?:0?(\d+))?d")
"""The place of a number in a name, as FFmpeg has it: `%d`, `%05d`."""
PNG_HEAD, JPEG_HEAD = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
NO_SIZE = frozenset((0xC4, 0xC8, 0xCC))
"""Of the markers 0xC0 to 0xCF of a JPEG those that do not begin a frame."""
LONGEST_HEAD = 1 << 20
FASTEST = 1000
log = logging.getLogger(__name__)


# Decision VID-10.
@dataclass(frozen=True, slots=True)
class Stills:
    """Makes the videos of series of images at `rate` per second, below `out`."""

    rate: Fraction
    out: Path

    @classmethod
    def of(cls, rate: str, out: Place) -> Stills:
        """From `25`, `29.97` or `30000/1001`. Raises ConfigError."""
        try:
            number = Fraction(rate)
        except (ValueError, ZeroDivisionError):
            number = Fraction(0)
        if not 0 < number <= FASTEST:
            raise ConfigError(f"--rate {rate} is not a number of images per second. Give one such as 25 or 0.5.")
        if not is_on_disk(out):
            raise ConfigError("--rate writes a video of the images into the output folder. Give an --out on this disk.")
        return cls(number.limit_denominator(100_000), out)

    def is_made(self, video: Place) -> bool:
        """Whether a video is one of those made of images."""
        return is_on_disk(video) and (self.out / SEQUENCES) in video.parents

    def video_of(self, images: Sequence[Path], name: str) -> Path:
        """The video of some images, in this order, called `name`. Raises VideoUnreadable or OutputError."""
        place = f"{images[0].absolute().parent} {name}"
        folder = self.out / SEQUENCES / run_folder_name(Path(name), hashlib.sha256(place.encode()).hexdigest())
        path, note = folder / f"{name}.mov", folder / SEQUENCE_NOTE
        found = [path.stat() for path in images]
        stamps = [[path.name, s.st_size, s.st_mtime_ns, s.st_ino] for path, s in zip(images, found, strict=True)]
        stamp = hashlib.sha256(json.dumps([str(self.rate), stamps]).encode()).hexdigest()
        with suppress(OSError, ValueError, RecursionError):
            if json.loads(note.read_text(encoding="utf-8")) == {"images": stamp, "bytes": path.stat().st_size}:
                return path
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as partial:
                _write(partial, images, self.rate)
            write_json(note, {"images": stamp, "bytes": path.stat().st_size})
        except OSError as problem:
            raise OutputError(f"{path} cannot be written ({problem.strerror}). Free some space.") from None
        log.info("%s: made of %d images at %s per second", path, len(images), self.rate)
        return path


def numbered_images(pattern: Path) -> list[Path]:
    """The images of a pattern such as `frames/%05d.jpg`, by their numbers. Raises VideoNotFound for none."""
    (match,) = NUMBERED.finditer(pattern.name)
    digits = rf"(\d{{{match[1] or 1},}})"
    name = re.compile(re.escape(pattern.name[: match.start()]) + digits + re.escape(pattern.name[match.end() :]))
    folder = pattern.parent
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    found = {int(matched[1]): folder / one for one in names if (matched := name.fullmatch(one))}
    if not found:
        raise VideoNotFound(f"{printable(pattern)} matches no image. Check the folder and the number of digits.")
    if missing := max(found) - min(found) + 1 - len(found):
        log.warning("%s: %d numbers are missing; the images follow each other without gaps", pattern, missing)
    return [found[number] for number in sorted(found)]


def in_order(images: Sequence[Path]) -> list[Path]:
    """Images sorted by the numbers in their names: 9 comes before 10."""
    return sorted(images, key=lambda path: [(len(part.lstrip("0")), part) if part.isdigit() else (0, part)
                                            for part in re.split(r"(\d+)", path.name)])  # fmt: skip


def is_numbered(name: str) -> bool:
    """Whether an argument is a pattern of numbered images, and not a file of that name."""
    path = Path(name)
    return len(NUMBERED.findall(path.name)) == 1 and path.suffix.lower() in STILL_SUFFIXES and not path.exists()


def _write(path: Path, images: Sequence[Path], rate: Fraction) -> None:
    import av

    codec, (width, height) = _kind(images[0])
    with av.open(str(path), "w", format="mov", options={"fflags": "bitexact"}) as container:
        stream = container.add_mux_stream(codec, rate=rate, width=width, height=height)
        stream.time_base = 1 / rate
        for number, image in enumerate(images):
            if _kind(image)[0] != codec:
                raise VideoUnreadable(f"{image} is not of the kind of {images[0].name}. Give images of one kind.")
            packet = av.Packet(image.read_bytes())
            packet.stream, packet.time_base, packet.is_keyframe = stream, 1 / rate, True
            packet.pts = packet.dts = number
            packet.duration = 1
            container.mux(packet)


def _kind(image: Path) -> tuple[str, tuple[int, int]]:
    """The codec of an image and its width and height, from its head. Raises VideoUnreadable."""
    with image.open("rb") as file:
        head = file.read(LONGEST_HEAD)
    if head.startswith(PNG_HEAD) and len(head) >= 24:
        return "png", struct.unpack(">II", head[16:24])
    at = len(JPEG_HEAD)
    while head.startswith(JPEG_HEAD) and at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in NO_SIZE:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return "mjpeg", (width, height)
        at += 2 + length
    raise VideoUnreadable(f"{image} is not a complete JPEG or PNG image. Remove or replace it.")
