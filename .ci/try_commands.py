"""Run the commands that a new user meets first, and look at what each of them made.

    python .ci/try_commands.py FERVID FOLDER

FERVID is the command of an installation with the extra `query`; the Python that runs this is that installation's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

FEWEST_FACES = 10
PAGE_BYTES = 10_000


def main(command: str, folder: Path) -> None:
    """Raises AssertionError or CalledProcessError naming what did not work."""

    def fervid(*arguments: object) -> str:
        done = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, check=False)
        text = f"fervid {' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, text
        assert "Warning" not in done.stderr, text
        return done.stdout

    folder.mkdir()
    fervid("demo", "-o", folder / "demo", "-q")
    (clip,) = (folder / "demo").glob("*.mp4")
    out = folder / "runs"
    summary = json.loads(fervid("analyze", clip, "-o", out, "--json", "-q").splitlines()[0])
    (run,) = (path.parent for path in out.glob("*/manifest.json"))
    assert summary["faces"] >= FEWEST_FACES, summary
    fervid("alerts", out)
    fervid("report", out)
    fervid("annotate", run, "--end", "2s", "-q")
    fervid("explain", run, "--at", "1s")
    for name in ("alerts.parquet", "annotated.mp4", "faces.parquet", "report.html", "timeline.png"):
        assert (run / name).is_file(), f"{name} was not made"
    assert (run / "report.html").stat().st_size > PAGE_BYTES
    answer = fervid("query", "SELECT count(*) AS n FROM faces", out, "--format", "csv").split()
    assert answer == ["n", str(summary["faces"])], (answer, summary["faces"])
    again = json.loads(fervid("analyze", run / "annotated.mp4", "-o", folder / "again", "--json", "-q").splitlines()[0])
    assert again["frames_analysed"] > 1, again
    checks = [json.loads(line) for line in fervid("doctor", "--quick", "--json", "-o", out).splitlines()]
    assert {one["state"] for one in checks if one["check"] not in ("memory", "disk")} == {"ok"}, checks
    names = ("numpy", "av", "opencv-python", "typer", "pydantic", "pyarrow", "duckdb")
    print(
        f"{summary['faces']} faces; Python {sys.version.split()[0]}, " + ", ".join(f"{n} {version(n)}" for n in names)
    )


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(sys.argv[1], Path(sys.argv[2]))
