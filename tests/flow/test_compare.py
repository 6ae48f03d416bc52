"""`fervid evaluate A B` on drawn faces: models compared on the same faces, in one page and as JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from drawn_faces import draw_dataset, draw_votes, write_csv
from fervid.cli.evaluate import evaluate
from fervid.emotion.model import read_model_json
from fervid.errors import ConfigError
from fervid.train.evaluate.compare import Comparison, compare_answers, compare_models, names_of
from fervid.train.evaluate.comparison_page import pair_text

DATASET = draw_dataset()


@pytest.fixture(scope="module")
def compared(
    tiny_model: Path, two_headed_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Comparison, Path]:
    out = tmp_path_factory.mktemp("comparison")
    return compare_models([tiny_model, two_headed_model], DATASET, "PublicTest", out), out


def test_the_counts_of_a_pair_are_those_of_the_evaluations(compared: tuple[Comparison, Path]) -> None:
    comparison, _ = compared
    (pair,) = comparison.pairs
    first, second = comparison.models.values()
    assert comparison.n == first.n == second.n == 35
    assert pair.both_right + pair.first_alone_right == round(first.accuracy * 35)
    assert pair.both_right + pair.second_alone_right == round(second.accuracy * 35)
    assert pair.both_right + pair.first_alone_right + pair.second_alone_right + pair.both_wrong == 35
    assert pair.difference == pytest.approx(second.accuracy - first.accuracy)
    assert pair.difference_interval[0] <= pair.difference <= pair.difference_interval[1]
    assert pair.p == pair.p_holm


def test_one_page_holds_all_models_and_leads_to_theirs(compared: tuple[Comparison, Path]) -> None:
    comparison, out = compared
    assert sorted(path.name for path in out.iterdir()) == ["comparison.html", "comparison.json", "tiny", "two-headed"]
    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert "<script" not in page
    for name, evaluation in comparison.models.items():
        assert f'href="{name}/evaluation.html"' in page
        assert (out / name / "evaluation.html").is_file()
        assert f"{evaluation.accuracy:.2%}" in page
    assert pair_text(comparison.pairs[0]).partition("(")[0] in page
    assert json.loads((out / "comparison.json").read_text(encoding="utf-8")) == comparison.to_json()


def test_the_command_compares_what_it_is_given(
    tiny_model: Path, two_headed_model: Path, combined_model: Path, tmp_path: Path
) -> None:
    data = write_csv(DATASET, tmp_path / "fer2013.csv")
    app = typer.Typer()
    app.command()(evaluate)
    models = [str(tiny_model), str(two_headed_model), str(combined_model)]
    options = ["--data", str(data), "--allow-unofficial", "-o", str(tmp_path / "results")]
    shown = CliRunner().invoke(app, [*models, *options], catch_exceptions=False).stdout
    assert "the same 35 faces" in shown
    assert shown.count("95 % interval") == 3  # every pair of three
    assert "comparison.html" in shown
    found = json.loads(CliRunner().invoke(app, [*models, *options, "--json"], catch_exceptions=False).stdout)
    assert list(found["models"]) == ["tiny", "two-headed", "combined"]
    assert [(pair["first"], pair["second"]) for pair in found["pairs"]] == [
        ("tiny", "two-headed"),
        ("tiny", "combined"),
        ("two-headed", "combined"),
    ]
    assert all(pair["p"] <= pair["p_holm"] <= 1 for pair in found["pairs"])


def test_a_model_named_twice_and_a_single_one_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="named twice"):
        compare_models([tiny_model, tiny_model / ".." / tiny_model.name], DATASET, "PublicTest")
    with pytest.raises(ConfigError, match="two or more"):
        compare_models([tiny_model], DATASET, "PublicTest")
    assert names_of([tmp_path / "a" / "m", tmp_path / "b" / "m", tmp_path / "c" / "m"]) == ["m", "m-2", "m-3"]


def test_no_reading_is_logged_unless_all_models_can_be_read(
    copied_model: Path, two_headed_model: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(two_headed_model, tmp_path / "other"))
    with pytest.raises(ConfigError, match="votes"):
        compare_models([copied_model, other], DATASET, "PrivateTest")
    assert read_model_json(copied_model)["private_test_readings"] == []
    compare_models([copied_model, other], DATASET, "PrivateTest", votes=draw_votes(DATASET))
    assert [len(read_model_json(folder)["private_test_readings"]) for folder in (copied_model, other)] == [1, 1]


def test_a_sentence_says_which_model_is_ahead_and_whether_it_may_be_chance() -> None:
    right = np.zeros(200, bool)
    right[:100] = True
    better, close = right.copy(), right.copy()
    better[100:130] = True
    close[100] = True
    ahead, chance = (compare_answers({"old": right, "new": new})[0] for new in (better, close))
    assert pair_text(ahead).startswith("new has 15.00 points more right than old, more than chance explains")
    assert pair_text(chance).startswith("new has 0.50 points more right than old, not more than chance explains")
    assert "p < 0.0001" in pair_text(ahead)
    assert "equally often" in pair_text(compare_answers({"old": right, "new": right})[0])
