"""TOML files that users write: settings, rules, recipes, search spaces, genres and receivers of alerts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from fervid.errors import ConfigError


def read_toml(path: Path, what: str = "file") -> dict[str, Any]:
    """The content of a TOML file. Raises ConfigError: `what` does not exist, cannot be read, or is not valid TOML."""
    return parse_toml(read_settings_file(path, what), path)


def read_settings_file(path: Path, what: str = "file") -> bytes:
    """The bytes of a file with settings. Raises ConfigError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{what} {path} does not exist. Check the path.") from None
    except OSError as problem:
        raise ConfigError(f"{what} {path} cannot be read ({problem.strerror}). Check its permissions.") from None


def parse_toml(content: bytes, path: Path) -> dict[str, Any]:
    """TOML in UTF-8, with or without a byte order mark. Raises ConfigError, also for values nested too deeply."""
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(f"{path} is not valid TOML ({problem}). Correct it and run again.") from None
    except RecursionError:
        raise ConfigError(
            f"{path} is not valid TOML (values are nested too deeply). Correct it and run again."
        ) from None
