"""Tables of real analyses, asked with SQL and exported: what other code made from the same columns."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

import fervid
from fervid.exports import FORMATS
from fervid.exports.write import export_runs
from fervid.query.compact import compact_runs
from fervid.query.session import run_query
from fervid.query.sources import TABLES, find_sources
from synthetic import constant_rate, empty_picture, write_video


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a face and one without any."""
    folder = tmp_path_factory.mktemp("tables")
    for name, draw in (("face", None), ("empty", empty_picture)):
        pictures = () if draw is None else (draw,)
        video = write_video(folder / f"{name}.mp4", constant_rate(3), *pictures)
        fervid.analyze(video, out=folder / "outputs", device="cpu", plot=False)
    return folder / "outputs"


def test_queries_count_what_the_runs_hold(outputs: Path, tmp_path: Path) -> None:
    runs = [fervid.open_run(folder) for folder in sorted(outputs.iterdir()) if (folder / "manifest.json").is_file()]
    found = find_sources([outputs])
    compact_runs(found, tmp_path / "all")
    for table in TABLES:
        expected = 0 if table == "alerts" else sum(len(getattr(run, table)) for run in runs)
        for sources in (found, find_sources([tmp_path / "all"])):
            assert run_query(f"SELECT count(*) AS n FROM {table}", sources)["n"].to_pylist() == [expected], table
    rows = run_query("SELECT video, n_faces, coverage FROM videos ORDER BY video", found).to_pylist()
    assert [(row["video"], row["n_faces"]) for row in rows] == [("empty.mp4", 0), ("face.mp4", len(runs[1].faces))]
    assert rows[1]["coverage"] > 0.9


def test_every_form_is_written_of_a_real_run_with_and_without_faces(outputs: Path, tmp_path: Path) -> None:
    for folder in outputs.iterdir():
        if not (folder / "manifest.json").is_file():
            continue
        files = export_runs([folder], FORMATS, out=tmp_path / folder.name)
        assert len({path.name for path in files}) == len(FORMATS)
        faces = fervid.open_run(folder).faces
        feat = next(path for path in files if path.name.endswith(".fex.csv"))
        table = pd.read_csv(io.BytesIO(feat.read_bytes()))
        assert table["FaceScore"].notna().sum() == len(faces)
        captions = next(path for path in files if path.name.endswith(f"{folder.name}.vtt")).read_text(encoding="utf-8")
        assert ("-like" in captions) == bool(len(faces))
