"""The lowest versions that a wheel allows.

python .ci/lowest_versions.py WHEEL EXTRA            what it asks for directly, a requirement a line
python .ci/lowest_versions.py WHEEL EXTRA --check    fails unless this Python has the lowest of each
"""

from __future__ import annotations

import re
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path


def requirements(wheel: Path, extra: str) -> list[str]:
    """The lines of the core and of the extra, as the wheel states them."""
    with zipfile.ZipFile(wheel) as content:
        (name,) = (name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        text = content.read(name).decode()
    stated = [line.partition(" ")[2] for line in text.splitlines() if line.startswith("Requires-Dist: ")]
    parts = [[part.strip() for part in line.split(";")] for line in stated]
    return [line for line, *marker in parts if not marker or f"'{extra}'" in marker[0].replace('"', "'")]


def check(lines: list[str]) -> None:
    """Raises AssertionError where a version is above the lowest: 2.1 stands for every 2.1.x."""
    for line in lines:
        name = re.split(r"[\[<>=!~ ]", line, maxsplit=1)[0]
        lowest = re.search(r">=([\d.]+)", line)
        assert lowest, f"{line} has no lower bound"
        found = version(name)
        assert f"{found}.".startswith(f"{lowest[1]}."), f"{name} {found} is installed, not {lowest[1]}"


if __name__ == "__main__":
    asked = requirements(Path(sys.argv[1]), sys.argv[2])
    assert asked, "the wheel asks for nothing"
    if sys.argv[3:] == ["--check"]:
        check(asked)
    else:
        print("\n".join(asked))
