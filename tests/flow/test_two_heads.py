"""Models with a second head and ensembles: exported, measured, read once, described, and used on a video."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import fervid
from drawn_faces import draw_dataset, draw_votes, write_csv, write_votes
from fervid.cli import app
from fervid.emotion.litert import LiteRTClassifier
from fervid.emotion.model import load_model_info, read_model_json, stored_metrics
from fervid.errors import ConfigError, ModelError
from fervid.train.data.agreement import FERPLUS_LABELS, majority_emotions
from fervid.train.data.fer2013 import EMOTIONS
from fervid.train.data.ferplus import FILE_NAME
from fervid.train.evaluate.model import evaluate_model
from fervid.train.export.combine import combine_models
from synthetic import constant_rate, write_video

DATASET = draw_dataset()
VOTES = draw_votes(DATASET)
VIEWS = ["none", "flip", "ten-crop"]


def copy_of(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target))


def test_an_exported_model_has_two_calibrated_heads(two_headed_model: Path) -> None:
    info = load_model_info(two_headed_model)
    assert [(head.name, head.labels) for head in info.heads] == [("fer2013", EMOTIONS), ("ferplus", FERPLUS_LABELS)]
    assert info.labels == EMOTIONS
    assert info.n_logits == 15
    assert all(0.13 < t < 7.5 for head in info.heads for t in (head.temperature, head.flip_temperature))
    content = read_model_json(two_headed_model)
    assert content["members"][0]["heads"] == ["fer2013", "ferplus"]
    for head in info.heads:
        assert list(content["metrics"]["PublicTest"][head.name]) == VIEWS


def test_the_votes_head_is_measured_on_the_faces_with_a_majority(two_headed_model: Path) -> None:
    evaluation = evaluate_model(two_headed_model, DATASET, "PublicTest", votes=VOTES)
    public = DATASET.usage == "PublicTest"
    majority = majority_emotions(VOTES[public])
    assert 0 < (majority >= 0).sum() <= 35
    logits = LiteRTClassifier(load_model_info(two_headed_model)).predict(DATASET.images[public])[:, 7:]
    found = evaluation.ferplus_head
    assert found is not None
    assert found.n == (majority >= 0).sum()
    assert found.accuracy == pytest.approx((logits.argmax(axis=1) == majority)[majority >= 0].mean())
    assert list(found.per_class) == list(FERPLUS_LABELS)
    assert found.per_class["contempt"]["support"] == (majority == FERPLUS_LABELS.index("contempt")).sum() > 0
    assert found.votes is not None
    assert 0 < found.votes.entropy < found.votes.cross_entropy
    stored = stored_metrics(read_model_json(two_headed_model), "PublicTest", "ferplus")
    assert json.loads(json.dumps(stored)) == evaluation.to_json()["ferplus_head"]
    assert evaluate_model(two_headed_model, DATASET, "PublicTest").ferplus_head is None


def test_one_reading_of_private_test_measures_everything_and_writes_the_card(
    two_headed_model: Path, tmp_path: Path
) -> None:
    folder = copy_of(two_headed_model, tmp_path / "model")
    before = (folder / "CARD.md").read_text(encoding="utf-8")
    assert "never read; each reading is logged" in before
    assert "Results on PrivateTest" not in before
    evaluation = evaluate_model(folder, DATASET, "PrivateTest", votes=VOTES)
    content = read_model_json(folder)
    assert len(content["private_test_readings"]) == 1
    for head in ("fer2013", "ferplus"):
        assert list(content["metrics"]["PrivateTest"][head]) == VIEWS
    stored = stored_metrics(content, "PrivateTest")
    assert (stored["n"], stored["accuracy"]) == (28, evaluation.accuracy)
    assert set(stored) >= {"ece_before_temperature", "ece", "without_copies", "per_class", "accuracy_interval"}
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    assert card.index("## Results on PrivateTest") < card.index("## Results on PublicTest")
    for head in ("fer2013", "ferplus"):
        for tta in VIEWS:
            numbers = stored_metrics(content, "PrivateTest", head, tta)
            low, high = numbers["accuracy_interval"]
            assert f"{numbers['accuracy']:.2%} ({low:.2%} to {high:.2%})" in card
            assert f"{numbers['ece_before_temperature']:.4f}, {numbers['ece']:.4f}" in card
    for text in ("read once since", "What it is not for", content["weights_sha256"], "contempt"):
        assert text in card


def test_a_reading_that_would_miss_a_head_is_refused_before_it_happens(two_headed_model: Path, tmp_path: Path) -> None:
    folder = copy_of(two_headed_model, tmp_path / "model")
    with pytest.raises(ConfigError, match="has a FER\\+ head, so a reading of PrivateTest needs FER\\+ votes"):
        evaluate_model(folder, DATASET, "PrivateTest")
    assert read_model_json(folder)["private_test_readings"] == []


def test_an_ensemble_averages_what_its_members_have(
    combined_model: Path, tiny_model: Path, two_headed_model: Path
) -> None:
    info = load_model_info(combined_model)
    faces = DATASET.images[:20]
    combined, tiny, both = (
        LiteRTClassifier(load_model_info(folder)).predict(faces)
        for folder in (combined_model, tiny_model, two_headed_model)
    )
    np.testing.assert_allclose(combined[:, :7], (tiny + both[:, :7]) / 2, atol=1e-5)
    np.testing.assert_allclose(combined[:, 7:], both[:, 7:], atol=1e-5)
    assert info.network == "small+small"
    assert [member.heads for member in info.members] == [("fer2013",), ("fer2013", "ferplus")]
    content, card = read_model_json(combined_model), (combined_model / "CARD.md").read_text(encoding="utf-8")
    assert [member["name"] for member in content["combined_from"]] == ["tiny", "two-headed"]
    assert content["parameters"] == sum(
        read_model_json(folder)["parameters"] for folder in (tiny_model, two_headed_model)
    )
    assert "Combined from | tiny (`small`" in card


def test_members_of_ensembles_count_singly(combined_model: Path, tiny_model: Path, tmp_path: Path) -> None:
    info = combine_models([combined_model, tiny_model], DATASET, tmp_path / "three", "three", votes=VOTES)
    assert len(info.members) == 3
    faces = DATASET.images[:20]
    three, two, one = (
        LiteRTClassifier(load_model_info(folder)).predict(faces)
        for folder in (tmp_path / "three", combined_model, tiny_model)
    )
    np.testing.assert_allclose(three[:, :7], (2 * two[:, :7] + one) / 3, atol=1e-5)


def test_what_cannot_be_combined_is_refused(tiny_model: Path, two_headed_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Give two or more"):
        combine_models([tiny_model], DATASET, tmp_path / "out", "out")
    with pytest.raises(ConfigError, match="would be overwritten"):
        combine_models([tiny_model, two_headed_model], DATASET, tiny_model, "out")
    with pytest.raises(ConfigError, match="so its export needs FER\\+ votes"):
        combine_models([tiny_model, two_headed_model], DATASET, tmp_path / "out", "out")
    assert not (tmp_path / "out").exists()
    folder = copy_of(two_headed_model, tmp_path / "swapped")
    shutil.copy(tiny_model / "model.weights.h5", folder)
    with pytest.raises(ModelError, match="is not the file that model.json describes"):
        combine_models([tiny_model, folder], DATASET, tmp_path / "out", "out", votes=VOTES)


def test_the_commands_combine_verify_measure_and_describe(
    tiny_model: Path, two_headed_model: Path, tmp_path: Path
) -> None:
    data = write_csv(DATASET, tmp_path / "fer2013.csv")
    write_votes(DATASET, VOTES, tmp_path / FILE_NAME)
    out = tmp_path / "pair"

    def run(*arguments: str) -> str:
        return CliRunner().invoke(app, list(arguments), catch_exceptions=False).stdout

    options = ["--data", str(data), "--allow-unofficial"]
    made = run("models", "combine", str(tiny_model), str(two_headed_model), "-o", str(out), *options)
    assert "pair: ferplus, views flip: PublicTest accuracy" in made
    assert run("models", "verify", str(out)).startswith("pair: intact")
    found = json.loads(run("evaluate", str(out), *options, "-o", str(tmp_path / "results"), "--json", "--tta", "flip"))
    assert found["ferplus_head"]["tta"] == "flip"
    assert "FER+ head: 8 emotions" in run("evaluate", str(out), *options, "-o", str(tmp_path / "results"))
    page = (tmp_path / "results" / "evaluation.html").read_text(encoding="utf-8")
    assert "The head trained on FER+" in page
    card = (out / "CARD.md").read_text(encoding="utf-8")
    (out / "CARD.md").unlink()
    assert run("models", "card", str(out)) == f"{out / 'CARD.md'}\n"
    assert (out / "CARD.md").read_text(encoding="utf-8") == card


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "face.mp4", constant_rate(2))


def analysed(video: Path, out: Path, model: Path, *assignments: str) -> Any:
    settings = fervid.load_settings(
        assignments=[f"emotion.model={model}", "track.min_faces=1", *assignments], environment={}
    )
    return fervid.analyze(video, out=out, settings=settings, device="cpu", plot=False)


def test_another_choice_of_labels_decodes_nothing_again(video: Path, two_headed_model: Path, tmp_path: Path) -> None:
    runs = {}
    for labels in ("fer2013", "ferplus", "mean"):
        run = analysed(video, tmp_path, two_headed_model, f"emotion.labels={labels}")
        runs[labels] = (run.faces.to_pandas(), run.manifest.segments_reused, run.manifest.settings_hash)
    assert [reused for _, reused, _ in runs.values()] == [0, 1, 1]
    assert len({settings_hash for _, _, settings_hash in runs.values()}) == 3
    columns = [f"p_{label}" for label in EMOTIONS]
    first, second, mean = (faces[columns].to_numpy() for faces, _, _ in runs.values())
    assert len(first) > 0
    assert np.abs(first - second).max() > 1e-4
    np.testing.assert_allclose(mean, (first + second) / 2, atol=1e-6)
    np.testing.assert_allclose(second.sum(axis=1), 1, atol=1e-6)
    assert not [name for name in runs["mean"][0].columns if "contempt" in name]


def test_the_mirror_image_is_observed_anew(video: Path, two_headed_model: Path, tmp_path: Path) -> None:
    plain = analysed(video, tmp_path, two_headed_model).faces.to_pandas()
    flipped = analysed(video, tmp_path, two_headed_model, "emotion.flip=true")
    assert flipped.manifest.segments_reused == 0
    assert np.abs(flipped.faces["p_angry"].to_numpy() - plain["p_angry"]).max() > 1e-5


def test_a_head_that_the_model_lacks_is_said_before_anything_is_written(
    video: Path, tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="emotion.labels = 'mean' needs a model with a ferplus head"):
        analysed(video, tmp_path / "out", tiny_model, "emotion.labels=mean")
    assert not (tmp_path / "out").exists()
