"""The folder of a trained finder: weights, history, card. Trains nothing."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields
from pathlib import Path

from fervid.base.printable import counted
from fervid.base.version import __version__
from fervid.detect.centerface import PACKAGE, WEIGHTS_SHA256, CenterFaceDetector
from fervid.detect.finder import FinderDetector, write_finder
from fervid.errors import OutputError
from fervid.storage.files import file_sha256
from fervid.storage.publish import write_whole
from fervid.train.finder.fit import FinderEpoch, FinderRecipe, FittedFinder
from fervid.train.finder.judge import FALSE_SHARE, JUDGED_LINES, LEAST_SHARE, LOWEST_SCORE, FinderScore, judge
from fervid.train.finder.targets import TaughtPictures

FINDER, CARD, HISTORY = "finder.npz", "card.md", "history.csv"
SIZES_LINES = (JUDGED_LINES, 192)


def write_finder_folder(
    fitted: FittedFinder, recipe: FinderRecipe, taught: TaughtPictures, judged: TaughtPictures, out: Path
) -> tuple[FinderScore, FinderScore]:
    """Write `finder.npz`, `history.csv` and `card.md`; return the scores of the finder and of the teacher at 128 lines.

    Both are measured on the pictures that the epoch was chosen by. Raises OutputError.
    """
    try:
        write_whole(out / FINDER, write_finder(fitted.weights, fitted.best.threshold))
        with (out / HISTORY).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(FinderEpoch)])
            writer.writeheader()
            writer.writerows(asdict(record) for record in fitted.history)
        finder = FinderDetector(model_path=str(out / FINDER), score_threshold=LOWEST_SCORE)
        teacher = CenterFaceDetector(score_threshold=LOWEST_SCORE)
        scores = {lines: [judge(each, judged, lines=lines) for each in (finder, teacher)] for lines in SIZES_LINES}
        write_whole(out / CARD, _card(fitted, recipe, taught, judged, out, scores).encode())
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Give another folder with --out.") from None
    own, teachers = scores[JUDGED_LINES]
    return own, teachers


def _card(
    fitted: FittedFinder,
    recipe: FinderRecipe,
    taught: TaughtPictures,
    judged: TaughtPictures,
    out: Path,
    scores: dict[int, list[FinderScore]],
) -> str:
    rows = "\n".join(
        f"| {lines} | {own.recall:.3f} | {teacher.recall:.3f} | {own.average_precision:.3f} | "
        f"{teacher.average_precision:.3f} |"
        for lines, (own, teacher) in scores.items()
    )
    settings = ", ".join(f"{name} {value:g}" for name, value in recipe.model_dump().items())
    return f"""# A face finder

Written by fervid {__version__}. SHA-256 of `{FINDER}`: {file_sha256(out / FINDER)}.

Taught by CenterFace (package `{PACKAGE}`, SHA-256 {WEIGHTS_SHA256[:12]}) on {_described(taught)} (hash
{taught.sha256()[:12]}); the epoch ({fitted.best.epoch} of {len(fitted.history)}) and the threshold
({fitted.best.threshold:.3f}) were chosen on {_described(judged)} (hash {judged.sha256()[:12]}). The rights in these
images are those of their owners: the weights may be given away only where those allow it.

Recall is at the threshold with at most {FALSE_SHARE:.0%} false boxes, of faces from {LEAST_SHARE:.0%} of the height
that the teacher finds in larger images. It was measured on the images that the epoch was chosen on: measure it
again on people that neither set shows.

| lines | recall | teacher's | average precision | teacher's |
|---|---|---|---|---|
{rows}

Recipe: {settings}. Training took {sum(record.seconds for record in fitted.history) / 60:.0f} minutes.
"""


def _described(taught: TaughtPictures) -> str:
    return f"{counted(len(taught.pictures), 'image')} with {counted(sum(map(len, taught.faces)), 'face')}"
