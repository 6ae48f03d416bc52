"""fervid: batch video analytics for facial emotion.

    import fervid
    run = fervid.analyze("video.mp4")
    run.faces.to_pandas()

Names are loaded on first use (PEP 562): importing fervid loads neither OpenCV nor TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fervid.base.version import __version__ as __version__

if TYPE_CHECKING:
    from fervid.analysis import analyze as analyze
    from fervid.api import find_alerts as find_alerts
    from fervid.api import load_run as load_run
    from fervid.api import make_profile as make_profile
    from fervid.config import Settings as Settings
    from fervid.config import load_settings as load_settings
    from fervid.errors import FervidError as FervidError
    from fervid.live.session import stream as stream
    from fervid.run.handle import Run as Run
    from fervid.run.handle import open_run as open_run


_PUBLIC = {
    "analyze": "fervid.analysis",
    "stream": "fervid.live.session",
    "load_run": "fervid.api",
    "find_alerts": "fervid.api",
    "make_profile": "fervid.api",
    "load_settings": "fervid.config",
    "Settings": "fervid.config",
    "FervidError": "fervid.errors",
    "Run": "fervid.run.handle",
    "open_run": "fervid.run.handle",
}

__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'fervid' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
