"""Does a bit that flips in a run ever make other figures, without a word?

Analyses the drawn clip of the demo with its alerts, gives a verdict, and flips one bit at a time, anywhere in the files
of the run folder, in proportion to their sizes or (half of the flips) in every file alike. After each flip `query` on
every view, `export` of every table and `report` are run as commands are; what they print or write is compared with what
they print for the whole run. A change is silent when the output differs, the exit code is 0, and stderr says nothing.

    python benchmarks/bit_flips.py [--flips 2000] [--first 0]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import typer.main

from fervid.cli import app
from fervid.errors import FervidError

VIEWS = ("frames", "faces", "tracks", "timeline", "alerts", "videos")
COMMANDS = typer.main.get_command(app)
"""Built once: building it again for each command would take three quarters of the time."""


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
        code = 70
        said.write(f"{type(error).__name__}: {error}")
    finally:
        logging.getLogger().removeHandler(handler)
    return code, out.getvalue().decode("utf-8", "replace"), said.getvalue()


def outputs(run: Path, scratch: Path) -> dict[str, tuple[int, str, str]]:
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
    from fervid.alerts.review.reviews import write_verdict

    code, _, said = command("demo", "-o", str(folder))
    assert code == 0, said
    (run,) = (path.parent for path in folder.rglob("manifest.json"))
    for arguments in (("profile", str(run)), ("export", str(run), "--format", "vtt")):
        code, _, said = command(*arguments)
        assert code == 0, said
    import json

    alert = json.loads((run / "alerts.json").read_text())["alerts"][0]
    write_verdict(run, alert["alert_id"], "true", "as drawn", reviewer="bench")
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first flip, to go on from an earlier call")
    parser.add_argument("--seed", type=int, default=20)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run, scratch = a_run(Path(name) / "demo"), Path(name) / "scratch"
        files = sorted(path for path in run.rglob("*") if path.is_file())
        sizes = np.array([path.stat().st_size for path in files], float)
        whole = outputs(run, scratch)
        assert all(code == 0 for code, _, _ in whole.values()), whole
        counts: Counter[str] = Counter()
        silent, bugs = [], []
        for number in range(chosen.first, chosen.first + chosen.flips):
            rng = np.random.default_rng((chosen.seed, number))
            weights = sizes / sizes.sum() if number % 2 else (sizes > 0) / (sizes > 0).sum()
            path = files[int(rng.choice(len(files), p=weights))]
            content = path.read_bytes()
            bit = int(rng.integers(len(content) * 8))
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            what = f"{path.relative_to(run)} bit {bit}"
            verdicts = set()
            for name_of, (code, text, said) in outputs(run, scratch).items():
                before = whole[name_of]
                if code == 70:
                    bugs.append(f"{what}: {name_of}: {said}")
                if code or said.strip() != before[2].strip():
                    verdicts.add("said")
                elif text != before[1]:
                    verdicts.add("silent")
                    silent.append(f"{what}: {name_of}")
            counts["silent" if "silent" in verdicts else "said" if verdicts else "no difference"] += 1
            path.write_bytes(content)
            if (number + 1) % 50 == 0:
                print(f"{number + 1}: {dict(counts)}", file=sys.stderr, flush=True)
        for line in (*silent, *bugs):
            print(line)
        print(f"{chosen.flips} flips over {len(files)} files: {dict(counts)}; internal errors {len(bugs)}")


if __name__ == "__main__":
    main()
