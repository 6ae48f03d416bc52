"""Parses a live source: a webcam number, a network address, or a file. Opens nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from fervid.errors import ConfigError

SCHEMES = ("rtsp", "rtsps", "http", "https", "udp", "tcp", "rtmp")
Kind = Literal["webcam", "stream", "file"]


@dataclass(frozen=True, slots=True)
class Address:
    """A source by its kind. `text` opens it, `shown` is the same without user and password."""

    kind: Kind
    text: str
    shown: str


def parse_address(source: str) -> Address:
    """`0` is the first webcam, `rtsp://...` a stream, anything else a file. Raises ConfigError for other protocols."""
    if re.fullmatch(r"\d{1,3}", source):
        return Address("webcam", source, f"webcam {int(source)}")
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", source)
    if match is None:
        return Address("file", source, source)
    if match[1].lower() not in SCHEMES:
        raise ConfigError(
            f"source {_without_secrets(source)!r} begins with {match[1]}://. "
            f"Give a webcam's number, a file, or an address that begins with one of {', '.join(SCHEMES)}."
        )
    return Address("stream", source, _without_secrets(source))


def name_of(address: Address) -> str:
    """A short name for folders: the file's, the host and path of a stream, or the webcam."""
    if address.kind == "file":
        return Path(address.text).name
    if address.kind == "webcam":
        return address.shown
    parts = urlsplit(address.shown)
    return f"{parts.hostname or 'stream'}{parts.path}"


def _without_secrets(url: str) -> str:
    """Without user and password, and without the query, where cameras put them too."""
    url = re.sub(r"//[^/@]*@", "//", url, count=1)
    return url.partition("?")[0]
