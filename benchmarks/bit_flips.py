"""Does a bit that flips in a run ever make other figures, without a word?

Analyses the drawn clip of the demo with its alerts, gives a verdict, and flips one bit at a time, anywhere in the files
of the run folder, in proportion to their sizes or (half of the flips) in every file alike. After each flip `query` on
every view, `export` of every table and `report` are run as commands are; what they print or write is compared with what
they print for the whole run. A change is silent when the output differs, the exit code is 0, and stderr says nothing.

    python benchmarks/bit_flips.py [--flips 2000] [--first 0] [--results FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import typer.main

from fervid.alerts.review.reviews import write_verdict
from fervid.cli import app
from fervid.errors import FervidError

VIEWS = ("frames", "faces", "tracks", "timeline", "alerts", "videos")
COMMANDS = typer.main.get_command(app)
"""Built once: building it again for each command would take three quarters of the time."""


BUG = 70
Outputs = dict[str, tuple[int, str, str]]
"""The exit code, the text printed or written, and what was said, of each command."""


def command(*arguments: str) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of a command, run in this process."""
    out, said = io.BytesIO(), io.StringIO()
    printed = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    code = 0
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
            COMMANDS.main(list(arguments), prog_name="fervid", standalone_mode=False)
    except FervidError as error:
        code = error.exit_code
        said.write(str(error))
    except BaseException as error:  # a bug: counted as said, and listed
        code = BUG
        said.write(f"{type(error).__name__}: {error}")
    finally:
        logging.getLogger().removeHandler(handler)
    return code, out.getvalue().decode("utf-8", "replace"), said.getvalue()


def outputs(run: Path, scratch: Path) -> Outputs:
    """What the reading commands say and write of a run."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    found = {f"query {view}": command("query", f"SELECT * FROM {view}", str(run), "--format", "csv") for view in VIEWS}
    for table in (*VIEWS[:-1],):
        file = scratch / f"{table}.csv"
        code, _, said = command("export", str(run), "--format", "csv", "--table", table, "-o", str(file))
        found[f"export {table}"] = code, file.read_text() if file.exists() else "", said
    code, _, said = command("report", str(run), "-o", str(scratch))
    page = scratch / "report.html"
    found["report"] = code, page.read_text() if page.exists() else "", said
    return found


def a_run(folder: Path) -> Path:
    """A run with alerts, their page, a verdict and an export."""
    code, _, said = command("demo", "-o", str(folder))
    assert code == 0, said
    (run,) = (path.parent for path in folder.rglob("manifest.json"))
    for arguments in (("profile", str(run)), ("export", str(run), "--format", "vtt")):
        code, _, said = command(*arguments)
        assert code == 0, said
    alert = json.loads((run / "alerts.json").read_text())["alerts"][0]
    write_verdict(run, alert["alert_id"], "true", "as drawn", reviewer="bench")
    return run


def flip(run: Path, scratch: Path, files: list[Path], number: int, seed: int, whole: Outputs) -> dict[str, Any]:
    """Flip one bit, see what the commands say and write, and flip it back."""
    rng = np.random.default_rng((seed, number))
    sizes = np.array([path.stat().st_size for path in files], float)
    weights = sizes / sizes.sum() if number % 2 else (sizes > 0) / (sizes > 0).sum()
    path = files[int(rng.choice(len(files), p=weights))]
    content = path.read_bytes()
    bit = int(rng.integers(len(content) * 8))
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    path.write_bytes(flipped)
    found = outputs(run, scratch)
    path.write_bytes(content)
    is_said = {name: bool(code) or said.strip() != whole[name][2].strip() for name, (code, _, said) in found.items()}
    silent = [name for name, (_, text, _) in found.items() if not is_said[name] and text != whole[name][1]]
    return {
        "seed": seed,
        "number": number,
        "file": path.relative_to(run).as_posix(),
        "bit": bit,
        "silent": silent,
        "said": any(is_said.values()),
        "bugs": [f"{name}: {said}" for name, (code, _, said) in found.items() if code == BUG],
    }


def table(flips: list[dict[str, Any]]) -> str:
    """What came of the flips, by the file that was hit."""
    lines = ["| file | flips | said | no difference | silent | internal errors |", "|---|---|---|---|---|---|"]
    every = sorted({re.sub(r"\d{5}", "N", one["file"]) for one in flips})
    for name in (*every, "all"):
        here = [one for one in flips if name in ("all", re.sub(r"\d{5}", "N", one["file"]))]
        silent, bugs = (sum(bool(one[what]) for one in here) for what in ("silent", "bugs"))
        n_said = sum(one["said"] and not one["silent"] for one in here)
        lines.append(f"| {name} | {len(here)} | {n_said} | {len(here) - n_said - silent} | {silent} | {bugs} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first flip")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--results", type=Path, help="file that keeps the flips; those in it are not tried again")
    chosen = parser.parse_args()
    earlier = [json.loads(line) for line in chosen.results.open()] if chosen.results and chosen.results.exists() else []
    done = {one["number"]: one for one in earlier if one["seed"] == chosen.seed}
    numbers = range(chosen.first, chosen.first + chosen.flips)
    with tempfile.TemporaryDirectory() as name:
        run, scratch = a_run(Path(name) / "demo"), Path(name) / "scratch"
        files = sorted(path for path in run.rglob("*") if path.is_file())
        whole = outputs(run, scratch)
        assert all(code == 0 for code, _, _ in whole.values()), whole
        for number in numbers:
            if number not in done:
                done[number] = one = flip(run, scratch, files, number, chosen.seed, whole)
                if one["silent"] or one["bugs"]:
                    print(one, flush=True)
                if chosen.results:
                    with chosen.results.open("a") as kept:
                        kept.write(json.dumps(one) + "\n")
    print(table([done[number] for number in numbers]))


if __name__ == "__main__":
    main()
