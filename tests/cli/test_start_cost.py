"""Starting loads little, counted in modules: seconds hang on the machine (`benchmarks/start.py` measures them)."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from runner import SOURCE

IMPORT = "import fervid"
HELP = (
    "from fervid.__main__ import main; sys.argv = ['fervid', '--help']\n"
    "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
)
MOST_MODULES = {IMPORT: 45, HELP: 400}
"""The import may load what typing, enum and dataclasses bring; the help also typer, with rich at most."""


def loaded_by(code: str) -> list[str]:
    """The modules that a fresh interpreter loads for `code`, without those that it starts with."""
    script = (
        f"import sys\nbefore = set(sys.modules)\n{code}\n"
        "import json; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [str(name) for name in json.loads(done.stdout.splitlines()[-1])]


@pytest.mark.parametrize("code", [IMPORT, HELP], ids=["import", "help"])
def test_starting_loads_few_modules(code: str) -> None:
    modules = loaded_by(code)
    assert "fervid" in modules
    assert len(modules) <= MOST_MODULES[code], sorted(modules)


def test_importing_loads_the_standard_library_alone() -> None:
    packages = {name.partition(".")[0] for name in loaded_by(IMPORT)}
    assert packages - set(sys.stdlib_module_names) == {"fervid"}


def test_help_loads_nothing_that_computes_or_decodes() -> None:
    packages = {name.partition(".")[0] for name in loaded_by(HELP)}
    assert not packages & {"numpy", "pyarrow", "pandas", "pydantic", "av", "cv2", "matplotlib", "PIL", "tensorflow"}
    assert "typer" in packages
