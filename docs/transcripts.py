"""Run the commands that the README and the tutorials show, and keep the outputs that they print true.

    python docs/transcripts.py [PAGE.md ...]

Blocks of `sh` or `python` after `<!-- run -->` run in order in one fresh folder. A `text` block after `<!-- output -->`
is what the block before it prints; `<!-- output of: COMMAND -->` names the command itself. Without arguments every page
is run, and an output that has changed is written into its page; `is_same` says what counts as a change.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs" / "tutorials").glob("*.md")), ROOT / "docs" / "queries.md")
BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]+?) -->\n)?```(?P<kind>sh|python|text)\n(?P<body>.*?)```", re.S)
START = (
    "import sys; from pathlib import Path; sys.argv[0] = 'fervid'; from fervid.base import assets; "
    "assets.default_output_folder = lambda: Path('outputs'); from fervid.__main__ import main; main()"
)
"""`fervid` as it is when installed: results go to `outputs/` in the current folder, not to that of the checkout."""
HOME = "file:///home/you"
LIMIT_SECONDS = 600

CHANGING = (
    (re.compile(r"^  (speed|busy) .*$", re.M), r"  \1"),
    (re.compile(r"file:///\S+?/(?=\w+/[\w-]+/\w+\.html)"), "file:///"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "ALERT"),
    (re.compile(r"-[0-9a-f]{8}\b"), "-ID"),
)
"""What differs from one machine or run to the next, and what stands for it in a comparison."""


def comparable(output: str) -> str:
    """An output without times, ids and folders."""
    for pattern, instead in CHANGING:
        output = pattern.sub(instead, output)
    return output


NUMBER = re.compile(r"(\d+\.\d+)(?!\d)|(\d+)(?= ?%)")
PERCENT_TOLERANCE, DECIMAL_TOLERANCE = 2.0, 0.2


def is_same(shown: str, given: str) -> bool:
    """Whether two outputs agree, but for times, ids, folders, and what the last bit of another processor may change.

    Percentages may differ by 2 and decimals by 0.2. Counts, which are integers, and words may not.
    """
    shown, given = comparable(shown), comparable(given)
    if NUMBER.sub("#", shown) != NUMBER.sub("#", given):
        return False
    pairs = zip(NUMBER.finditer(shown), NUMBER.finditer(given), strict=True)
    return all(
        abs(float(a[0]) - float(b[0])) <= (PERCENT_TOLERANCE if a[2] else DECIMAL_TOLERANCE) + 1e-9 for a, b in pairs
    )


def blocks_without_mark(page: str) -> list[str]:
    """Commands of a page that neither run nor say why they do not."""
    blocks = (match for match in BLOCK.finditer(page) if match["kind"] != "text")
    return [match["body"] for match in blocks if not re.match(r"run$|not run: \w", match["mark"] or "")]


def outputs(page: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Run a page in an empty folder: each output that it shows, and the one that its command gives now."""
    printed = ""
    for match in BLOCK.finditer(page):
        mark = match["mark"] or ""
        if mark == "run":
            printed = _run(match["kind"], match["body"], folder)
        elif mark.startswith("output"):
            command = mark.partition("output of: ")[2]
            yield match["body"], _run("sh", command, folder) if command else printed


def _run(kind: str, code: str, folder: Path) -> str:
    """What a block prints on stdout. The folder of the run is replaced by a home folder."""
    programs = folder.parent / f"{folder.name}-bin"
    programs.mkdir(exist_ok=True)
    command = programs / "fervid"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{START}" "$@"\n')
    command.chmod(0o755)
    arguments = ["bash", "-euo", "pipefail", "-c"] if kind == "sh" else [sys.executable, "-c"]
    done = subprocess.run(
        [*arguments, code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "pipeline"), "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode} of\n{code}\n{done.stderr}")
    return done.stdout.replace(folder.resolve().as_uri(), HOME)


def main() -> None:
    for path in [Path(name).resolve() for name in sys.argv[1:]] or PAGES:
        page = path.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "page")
            folder.mkdir()
            for shown, given in list(outputs(page, folder)):
                if not is_same(shown, given):
                    page = page.replace(f"```text\n{shown}```", f"```text\n{given}```", 1)
                    print(f"{path.relative_to(ROOT)}: an output has changed")
        path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
