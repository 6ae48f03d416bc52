"""Which faces count: one rule, shared by all that count faces."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

import fervid
from alert_runs import LABELS, face
from fervid.run.schema import ABSTAIN_REASONS, faces_schema, timeline_schema, tracks_schema
from fervid.run.summary import results_in_numbers
from fervid.run.usable import is_usable, usable_faces

PACKAGE = Path(fervid.__file__).parent
VERDICTS = {"alerts/review/report.py", "alerts/review/reviews.py", "cli/alert_review.py", "review/server.py"}
"""Where `unsure` is a verdict of a reviewer, another thing than a reason to abstain."""
SECOND_HOME = re.compile(r"""["']unsure["']|\(None, *UNSURE|[!=]= *["']low_quality["']""")


@pytest.mark.parametrize("reason", [None, "", *ABSTAIN_REASONS])
@pytest.mark.parametrize("is_coded", [True, False])
def test_a_face_and_a_column_are_judged_alike(reason: str | None, *, is_coded: bool) -> None:
    column = pa.array([reason, None, "blurred"], pa.string())
    column = pa.chunked_array([column.dictionary_encode() if is_coded else column])
    assert usable_faces(column).tolist() == [is_usable(reason), True, False]
    assert is_usable(reason) == (reason in (None, "", "unsure"))


def test_no_face_is_an_empty_answer() -> None:
    assert usable_faces(pa.chunked_array([], pa.dictionary(pa.int32(), pa.string()))).tolist() == []


def test_the_rule_has_one_home() -> None:
    second = [
        f"{name}: {line.strip()}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if (name := file.relative_to(PACKAGE).as_posix()) not in {"run/usable.py", *VERDICTS}
        for line in file.read_text(encoding="utf-8").splitlines()
        if SECOND_HOME.search(line)
    ]
    assert second == []


@pytest.mark.parametrize("reason", [reason for reason in ABSTAIN_REASONS if not is_usable(reason)])
def test_the_peak_of_a_run_is_that_of_a_usable_face(reason: str) -> None:
    rows = [face(0.0, 0, 0.9, abstain=reason), face(0.2, 1, 0.3, abstain="unsure"), face(0.4, 1, 0.2)]
    named = [{"video_id": "v", "frame": i, "pts": i} | row for i, row in enumerate(rows)]
    faces = pa.Table.from_pylist(named, schema=faces_schema(LABELS))
    timeline, tracks = timeline_schema(LABELS).empty_table(), tracks_schema(LABELS).empty_table()
    peak = results_in_numbers(timeline, faces, tracks, list(LABELS))["peak_anger"]
    assert peak == {"value": pytest.approx(0.3), "time_s": 0.2, "track_id": 1}
    poor = results_in_numbers(timeline, faces.slice(0, 1), tracks, list(LABELS))
    assert poor["peak_anger"] is None
