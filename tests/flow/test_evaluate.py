"""`fervid evaluate` on drawn faces: what it measures, what it writes, and what it keeps out of its files."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from drawn_faces import draw_dataset, write_csv, write_votes
from fervid.cli.evaluate import evaluate
from fervid.emotion.model import FERPLUS_EMOTIONS, load_model_info, read_model_json, write_model_json
from fervid.errors import OutputError
from fervid.train.data.fer2013 import EMOTIONS, FaceDataset
from fervid.train.data.ferplus import FILE_NAME, NOT_EMOTIONS
from fervid.train.evaluate.contact_sheet import most_confident_errors
from fervid.train.evaluate.latency import BATCHES, measure_latency
from fervid.train.evaluate.measure import VIEWS
from fervid.train.evaluate.model import Evaluation, evaluate_model, single_out

DATASET = draw_dataset()
PNG = b"\x89PNG"
FILES = ["angry.png", "confusion.csv", "confusion.png", "evaluation.html", "metrics.json", "reliability.png"]
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Checks that tags nest, and gathers headings and pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.pictures: list[bytes] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href"):
                assert value is not None
                assert value.startswith("data:image/png;base64,")
                self.pictures.append(base64.b64decode(value.partition(",")[2], validate=True))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def read_page(folder: Path) -> Page:
    text = (folder / "evaluation.html").read_text(encoding="utf-8")
    assert "http" not in re.sub(r"base64,[^\"]*", "", text)
    return Page(text)


@pytest.fixture(scope="module")
def votes() -> np.ndarray:
    """All voters see in each face what its label says, in PublicTest but for one face with contempt."""
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    columns = [(*FERPLUS_EMOTIONS, *NOT_EMOTIONS).index(name) for name in names]
    found = np.zeros((len(DATASET.labels), 10), np.float32)
    found[np.arange(len(found)), np.array(columns)[DATASET.labels]] = 10
    first = int(np.flatnonzero(DATASET.usage == "PublicTest")[0])
    found[first] = 0
    found[first, FERPLUS_EMOTIONS.index("contempt")] = 10
    return found


@pytest.fixture(scope="module")
def evaluated(tiny_model: Path, votes: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Path]:
    out = tmp_path_factory.mktemp("evaluation")
    return evaluate_model(tiny_model, DATASET, "PublicTest", out, votes=votes), out


def test_no_picture_of_faces_is_written_unless_asked_for(evaluated: tuple[Evaluation, Path]) -> None:
    _, out = evaluated
    assert sorted(path.name for path in out.iterdir()) == FILES
    for name in FILES:
        if name.endswith(".png"):
            assert (out / name).read_bytes().startswith(PNG)


def test_the_page_holds_all_pictures_and_asks_for_no_other_file(evaluated: tuple[Evaluation, Path]) -> None:
    evaluation, out = evaluated
    page = read_page(out)
    drawn = [(out / name).read_bytes() for name in ("confusion.png", "reliability.png", "angry.png")]
    assert page.pictures[:3] == drawn
    assert len(page.pictures) == 4  # and the learning curves
    assert page.pictures[3].startswith(PNG)
    assert page.headings[-1] == "Training"
    assert "Most confident errors" not in page.headings
    for text in (f"{evaluation.accuracy:.2%}", f"{evaluation.brier:.4f}", "not an accuracy on FER-2013"):
        assert text in page.text


def test_the_numbers_agree_with_each_other(evaluated: tuple[Evaluation, Path]) -> None:
    evaluation, out = evaluated
    stored = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert stored == evaluation.to_json()
    for bins in (evaluation.reliability, evaluation.reliability_before_temperature):
        assert sum(b.count for b in bins) == evaluation.n == 35
    error = sum(b["count"] * abs(b["accuracy"] - b["confidence"]) for b in stored["reliability"] if b["count"]) / 35
    assert stored["ece"] == pytest.approx(error)
    recalls = [row["recall"] for row in evaluation.per_class.values()]
    assert evaluation.balanced_accuracy == pytest.approx(np.mean(recalls))
    assert evaluation.accuracy <= evaluation.top2_accuracy <= 1
    assert evaluation.singled_out.n == evaluation.per_class["angry"]["support"] == 5
    assert evaluation.mmacs is not None
    assert evaluation.latency is None


def test_agreement_with_ferplus_leaves_out_what_only_it_has(evaluated: tuple[Evaluation, Path]) -> None:
    evaluation, _ = evaluated
    assert evaluation.ferplus is not None
    assert evaluation.ferplus.labels.n == evaluation.ferplus.model.n == 34
    assert evaluation.ferplus.labels.accuracy == 1


def test_copies_of_training_faces_are_left_out(tiny_model: Path) -> None:
    images = DATASET.images.copy()
    public = np.flatnonzero(DATASET.usage == "PublicTest")
    images[public[:5]] = images[:5]
    dataset = FaceDataset(images, DATASET.labels, DATASET.usage, "drawn faces")
    evaluation = evaluate_model(tiny_model, dataset, "PublicTest")
    assert (evaluation.n, evaluation.without_copies.n) == (35, 30)
    nothing = evaluate_model(tiny_model, dataset, "Training").without_copies
    assert (nothing.n, nothing.accuracy, nothing.accuracy_interval) == (0, None, None)


def test_only_the_mean_with_the_mirror_image_has_its_own_temperature(copied_model: Path) -> None:
    content = read_model_json(copied_model)
    content["heads"][0] |= {"temperature": 1.5, "flip_temperature": 1.25}
    write_model_json(copied_model, content)
    found = {tta: evaluate_model(copied_model, DATASET, "PublicTest", tta=tta) for tta in VIEWS}
    assert {tta: evaluation.tta for tta, evaluation in found.items()} == {tta: tta for tta in VIEWS}
    assert [evaluation.temperature for evaluation in found.values()] == [1.5, 1.25, 1.5]
    assert len({evaluation.nll_before_temperature for evaluation in found.values()}) == 3


def test_the_command_writes_errors_latency_and_views_when_asked(
    tiny_model: Path, votes: np.ndarray, tmp_path: Path
) -> None:
    data = write_csv(DATASET, tmp_path / "fer2013.csv")
    write_votes(DATASET, votes, tmp_path / FILE_NAME)
    app = typer.Typer()
    app.command()(evaluate)
    out = tmp_path / "results"
    options = [str(tiny_model), "--data", str(data), "--allow-unofficial", "--tta", "ten-crop", "-o", str(out)]
    result = CliRunner().invoke(app, [*options, "--errors", "--latency"], catch_exceptions=False)
    for text in ("ten-crop views", "balanced accuracy", "top-2", "Brier", "angry AP", "FER+ agreement", "batch of 64"):
        assert text in result.stdout
    assert sorted(path.name for path in out.iterdir()) == sorted([*FILES, "errors.png"])
    stored = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert stored["tta"] == "ten-crop"
    assert set(stored["latency"]["cpu_ms_per_face"]) == {"1", "8", "64"}
    assert stored["ferplus"]["model"]["n"] == 34
    page = read_page(out)
    assert "Most confident errors" in page.headings
    assert "Time per face" in page.headings
    assert (out / "errors.png").read_bytes() in page.pictures
    assert "do not publish it" in page.text


def test_text_from_a_model_is_escaped_and_a_broken_history_leaves_the_page_whole(
    copied_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = json.loads((copied_model / "model.json").read_text(encoding="utf-8"))
    content["name"] = "<script>alert('&')</script>"
    (copied_model / "model.json").write_text(json.dumps(content), encoding="utf-8")
    (copied_model / "history.csv").write_text("epoch,colour\n1,red\n", encoding="utf-8")
    evaluate_model(copied_model, DATASET, "PublicTest", tmp_path / "results")
    page = read_page(tmp_path / "results")
    assert content["name"] in page.text
    assert "Training" not in page.headings
    assert "history.csv cannot be drawn" in caplog.text


def test_a_folder_that_cannot_be_written_is_an_output_error(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        evaluate_model(tiny_model, DATASET, "PublicTest", tmp_path / "file" / "results")


def test_errors_are_sorted_by_their_confidence() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9]])
    truth = np.array([0, 1, 0, 0])
    assert most_confident_errors(probabilities[:0], truth[:0]).tolist() == []
    assert most_confident_errors(probabilities[:1], truth[:1]).tolist() == []
    assert most_confident_errors(probabilities, truth).tolist() == [3, 2, 1]
    assert most_confident_errors(probabilities, truth, 1).tolist() == [3]


def test_a_label_that_no_face_has_is_undefined_not_zero() -> None:
    found = single_out("angry", np.full((2, 7), 1 / 7), np.array([3, 4]), EMOTIONS)
    assert (found.n, found.average_precision, found.auc) == (0, None, None)
    assert (found.at_precision_80, found.at_recall_80, found.best_f1) == (None, None, None)


def test_latency_is_measured_for_each_batch(tiny_model: Path) -> None:
    measured = measure_latency(load_model_info(tiny_model), DATASET.images[:3], rounds=1, faces_a_round=64)
    assert measured.threads == 1
    assert tuple(measured.cpu_ms_per_face) == BATCHES
    assert all(0 < ms < 1000 for ms in measured.cpu_ms_per_face.values())
