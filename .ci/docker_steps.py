"""What a Dockerfile runs with Python, as shell lines for virtual environments instead of images.

    python .ci/docker_steps.py Dockerfile WORK               the pip steps, in order
    python .ci/docker_steps.py Dockerfile WORK --json CMD    the parts of a command in JSON form, one a line

The first stage becomes WORK/build, the last one WORK/image; /wheels and /results are folders of WORK.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

STAGES = ("build", "image")


def instructions(text: str) -> list[str]:
    """The instructions of a Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def pip_steps(text: str, work: Path) -> list[str]:
    """The steps that call pip, with the paths of an image exchanged for folders of `work`."""
    steps, stage = [], -1
    for line in instructions(text):
        stage += line.startswith("FROM ")
        if line.startswith("RUN ") and "python -m pip" in line:
            step = line.removeprefix("RUN ").replace("python -m pip", f"{work / STAGES[stage]}/bin/python -m pip")
            steps.append(_moved(step, work))
    return steps


def parts(text: str, name: str, work: Path) -> list[str]:
    """The list of strings of the last instruction of that name (of a health check, its command)."""
    (line,) = (line for line in instructions(text) if line.startswith(f"{name} "))
    return [_moved(part, work) if part.startswith("/") else part for part in json.loads(line[line.index("[") :])]


def _moved(text: str, work: Path) -> str:
    return re.sub(r"(?<![\w.])/(wheels|results)\b", rf"{work}/\1", text)


def main() -> None:
    text, work = Path(sys.argv[1]).read_text(encoding="utf-8"), Path(sys.argv[2])
    lines = parts(text, sys.argv[4], work) if sys.argv[3:4] == ["--json"] else pip_steps(text, work)
    assert lines, f"{sys.argv[1]} has no such step"
    print("\n".join(lines))


if __name__ == "__main__":
    main()
