"""Published systems side by side: their claims, and what their recipes reach here in a stated number of core-hours.

    python benchmarks/references.py --data fer2013.csv --core-hours 2 [--rows A,D] [--private-test]
    python benchmarks/references.py --table

The first trains what has no row yet, or goes on where it was stopped, and writes one JSON file a network into
benchmarks/results/references/. Both end by writing docs/references.md from the rows that are there, the shipped models
and the result of benchmarks/validation_generator.py. PrivateTest is read only with --private-test, once a row; each
reading is logged in the row.
"""

# Decision TRA-12.

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from pathlib import Path
from typing import Any

from fervid.base import assets
from fervid.emotion.model import FERPLUS, read_model_json, stored_metrics
from fervid.errors import FervidError
from fervid.runtime.backend import load_training_backend
from fervid.train.data.fer2013 import load_fer2013

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "references"
GENERATOR = ROOT / "benchmarks" / "results" / "validation_generator.json"
DOCUMENT = ROOT / "docs" / "references.md"
Z_95 = 1.959963984540054
VIEWS = "flip"
TWO_LAYERS, ONE_LAYER = "conv4-lite", "conv4-lite-fc1"

INTRODUCTION = """\
# Published systems

Five published systems, trained here with recipes in their manner (`configs/recipes`) on Training. Their epoch is
chosen on PublicTest. Their code is not public or differs in details, so a row shows what such a system reaches, not
what its authors did right or wrong. Each row states its core-hours (CPU time of the process). The cosine schedule was
made for the epochs that fit into them, so heavy networks were trained for less time than their recipe asks for.
"Training" is a fixed sample of Training, as large as PublicTest and without augmentation; the gap between the two is
the over-fitting. Brackets contain 95 % intervals.

`python benchmarks/references.py --data fer2013.csv --core-hours HOURS` makes the rows and writes this page.
"""

_GENERATOR = """\
## How "82 % on the validation generator" comes about

A validation set that is split off after augmentation contains twins of images in Training: the flipped or shifted
copy is on one side, the original on the other. `python benchmarks/validation_generator.py` shows the effect with
`{network}` on {originals:,} Training images. Each is written {copies} times with small random changes, all are
shuffled, and a fifth is split off as validation; {held_out:,} other Training images are held out. After {epochs}
epochs the same network reaches:

| on | accuracy |
|---|---|
| its own training images, through the generator | {own} |
| the validation generator | {validation} |
| Training images that it never saw in any form | {kept} |
| PublicTest | {public} |

The first two measure memory; only the last two say something about new faces.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="FER-2013: the CSV file, or the folder that holds it")
    parser.add_argument("--core-hours", type=float, help="CPU time for each network")
    parser.add_argument("--rows", default="A,B,C,D,E", help="letters of the systems to run (default: all)")
    parser.add_argument("--max-epochs", type=int, help="never more epochs than this, for a quick trial")
    parser.add_argument("--private-test", action="store_true", help="read PrivateTest, once a row")
    parser.add_argument("--table", action="store_true", help="only write the document from the rows that are there")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the rows")
    parser.add_argument("--work", type=Path, help="folder of checkpoints (default: references in outputs/)")
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    parser.add_argument("--allow-unofficial", action="store_true", help="accept a set with other counts")
    arguments = parser.parse_args()
    if not arguments.table and (arguments.data is None or not arguments.core_hours or arguments.core_hours <= 0):
        parser.error("give --data and --core-hours above 0, or --table")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of the many networks of one process
    try:
        load_training_backend()
        if not arguments.table:
            run(arguments)
        write_document(arguments.results, arguments.document)
    except FervidError as problem:
        sys.exit(f"references.py: {problem}")


def run(arguments: argparse.Namespace) -> None:
    """Make the rows that were asked for and are not there."""
    from reference_systems import chosen_systems, read_private_test, row_name, run_reference, write_row

    dataset = load_fer2013(arguments.data, require_official=not arguments.allow_unofficial)
    work = arguments.work or assets.default_output_folder() / "references"
    for system in chosen_systems(arguments.rows.split(",")):
        for recipe in system.recipes:
            name = row_name(system, recipe)
            path = arguments.results / f"{name}.json"
            if not path.is_file():
                row = run_reference(
                    dataset,
                    system,
                    recipe,
                    work / name,
                    core_hours=arguments.core_hours,
                    max_epochs=arguments.max_epochs,
                    private_test=arguments.private_test,
                )
            else:
                row = json.loads(path.read_text(encoding="utf-8"))
                if arguments.private_test:
                    row = read_private_test(dataset, row, work / name)
            write_row(row, arguments.results)
            measured = row["measured"]["PublicTest"]
            print(f"{name}: {row['epochs']} epochs, {row['core_hours']:.2f} core-hours, PublicTest {_share(measured)}")
            write_document(arguments.results, arguments.document)


def write_document(results: Path, document: Path) -> None:
    """Write the page from the rows, the shipped models and the experiment on the validation generator."""
    from reference_systems import read_rows

    parts = [INTRODUCTION, system_table(read_rows(results)), compare_dense_layers(read_rows(results)), model_table()]
    if GENERATOR.is_file():
        parts.append(explain_generator(json.loads(GENERATOR.read_text(encoding="utf-8"))))
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def system_table(rows: list[dict[str, Any]]) -> str:
    """A line for each network of each system; one that was not run yet says so."""
    from reference_systems import SYSTEMS

    by_recipe = {(row["system"], row["recipe"]): row for row in rows}
    lines = [
        "| system and claim | recipe | parameters | MMACs | epochs of the recipe's | core-hours | PublicTest | macro F1"
        " | Training | gap, points | PrivateTest |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for system in SYSTEMS:
        for recipe in system.recipes:
            claim = f"{system.letter}: {system.claim}" if recipe == system.recipes[0] else f"{system.letter}, its pair"
            row = by_recipe.get((system.letter, recipe))
            if row is None:
                lines.append(f"| {claim} | `{recipe}` |" + " |" * 5 + " not run yet |" + " |" * 3)
                continue
            public, training = row["measured"]["PublicTest"], row["measured"]["Training"]
            readings = row["private_test_readings"]
            private = _share(readings[0]) if readings else "not read"
            lines.append(
                f"| {claim} | `{recipe}` | {row['parameters']:,} | {row['mmacs']:.1f} | {row['epochs']} of "
                f"{row['epochs_of_recipe']} | {row['core_hours']:.2f} | {_share(public)} | {public['macro_f1']:.3f} | "
                f"{training['accuracy']:.1%} | {100 * row['gap']:+.1f} | {private} |"
            )
    return "\n".join(lines) + "\n"


def compare_dense_layers(rows: list[dict[str, Any]]) -> str:
    """The answer to claim A, from the two rows that differ in a dense layer alone; nothing without both."""
    by_recipe = {row["recipe"]: row for row in rows if row["system"] == "A"}
    if not {TWO_LAYERS, ONE_LAYER} <= set(by_recipe):
        return ""
    two, one = by_recipe[TWO_LAYERS], by_recipe[ONE_LAYER]
    shares = [row["measured"]["PublicTest"]["accuracy"] for row in (two, one)]
    sizes = [row["measured"]["PublicTest"]["n"] for row in (two, one)]
    difference = shares[0] - shares[1]
    margin = Z_95 * math.sqrt(sum(share * (1 - share) / n for share, n in zip(shares, sizes, strict=True)))
    if abs(difference) <= margin:
        verdict = f"the difference of {100 * difference:+.1f} points is within its interval of {100 * margin:.1f}: no"
        answer = f"{verdict} winner on these faces"
    else:
        answer = f"the network with {'two' if difference > 0 else 'one'} wins by {100 * abs(difference):.1f} points"
        answer += f" (interval {100 * margin:.1f}): the claim {'holds' if difference > 0 else 'does not hold'}"
    gap_margin = math.sqrt(2) * margin  # Training's share has about the same interval as PublicTest's
    if abs(two["gap"] - one["gap"]) <= gap_margin:
        over_fitting = f"too close to call (interval {100 * gap_margin:.1f})"
    else:
        over_fitting = f"the network with {'two' if two['gap'] < one['gap'] else 'one'} over-fits less"
    return (
        "**Do two dense layers generalise better than one?** "
        f"Two reach {shares[0]:.1%} on PublicTest, one {shares[1]:.1%}; {answer}. "
        f"The gap to Training is {100 * two['gap']:+.1f} points with two and {100 * one['gap']:+.1f} with one: "
        f"{over_fitting}.\n"
    )


def model_table() -> str:
    """The shipped models by the numbers in their own files."""
    lines = [
        "## The shipped models",
        "",
        "From each model's `model.json`; `fervid evaluate` measures them again. Logits are means over a face and its",
        "mirror image. PrivateTest was read once per model. The last column is the accuracy of FER+'s head on the",
        "PrivateTest faces on which most voters agree.",
        "",
        "| model | parameters | MMACs | PublicTest | PrivateTest | macro F1 | calibration error | FER+ |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for folder in assets.shipped_models():
        stored = read_model_json(folder)
        public, private = (stored_metrics(stored, split, tta=VIEWS) for split in ("PublicTest", "PrivateTest"))
        votes = stored_metrics(stored, "PrivateTest", FERPLUS, VIEWS)
        numbers = [f"{private['macro_f1']:.3f}", f"{private['ece']:.3f}"] if private else ["", ""]
        cells = [
            f"`{stored['name']}`",
            f"{stored['parameters']:,}",
            f"{stored['mmacs']:.1f}" if "mmacs" in stored else "",
            *(_share(measured) if measured else "not read" for measured in (public, private)),
            *numbers,
            _share(votes) if votes else "no such head",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def explain_generator(found: dict[str, Any]) -> str:
    """How a figure far above any test figure comes about "on the validation generator"."""
    shares = {name: _share(measured) for name, measured in found["measured"].items()}
    return _GENERATOR.format(
        network=found["network"],
        originals=found["originals"],
        held_out=found["held_out"],
        copies=found["copies"],
        epochs=found["epochs"],
        validation=shares["validation after augmentation"],
        own=shares["its own training images"],
        kept=shares["held-out Training images"],
        public=shares["PublicTest"],
    )


def _share(measured: dict[str, Any]) -> str:
    low, high = measured["accuracy_interval"]
    return f"{measured['accuracy']:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
