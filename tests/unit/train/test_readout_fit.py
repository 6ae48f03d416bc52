"""Fitting a read-out over time: the regression, what holds it back, and that left-out people are left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fervid.config import load_settings
from fervid.emotion.calibration import softmax
from fervid.emotion.model import Head, Member, ModelInfo
from fervid.emotion.readout import READOUT_JSON, load_readout
from fervid.errors import ModelError
from fervid.interpret.readout import read_out
from fervid.train.export.readout import READOUT_CARD, write_readout
from fervid.train.fit.readout import MOST_CHANGED, LabelledPhotographs, LabelledRecording, ReadoutFitter, fit_logistic

LABELS = ("angry", "happy", "sad")
MODEL = ModelInfo(
    "made-up", (Head("fer2013", LABELS, 1.0, 1.0),), (Member("none", ("fer2013",), 0.5, 0.25),), 48, "w", "t", "", "",
    Path(),
)  # fmt: skip


def photographs(n: int = 400) -> np.ndarray:
    """Faces of which the network is sure."""
    random = np.random.default_rng(0)
    return (6 * np.eye(3)[random.integers(3, size=n)] + random.normal(0, 0.5, (n, 3))).astype(np.float32)


def recordings(people: int = 6) -> list[LabelledRecording]:
    """People whose angry faces look sad to the network, but less sad than their sad ones."""
    random = np.random.default_rng(1)
    usual = {"angry": (0.7, -2.0, 1.3), "happy": (-1.0, 2.0, -1.0), "sad": (-3.0, -1.0, 4.0)}
    found = []
    for person in range(people):
        for label, mean in usual.items():
            values = np.array(mean) + random.normal(0, 0.2, 3)
            values -= values.mean()
            found.append(LabelledRecording(f"{person} {label}", f"person {person}", label, values, values))
    return found


def test_the_regression_is_at_its_minimum() -> None:
    random = np.random.default_rng(2)
    inputs, offsets = random.normal(size=(50, 4)), random.normal(size=(50, 3))
    targets, weights = np.eye(3)[random.integers(3, size=50)], random.uniform(0.5, 2, 50)
    ridge = np.array([0.5, 1.0, 2.0, 3.0])

    def loss(found: np.ndarray) -> float:
        logits = offsets + inputs @ found
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return float(-(weights * (targets * logs).sum(axis=1)).sum() + (ridge[:, None] * found**2).sum() / 2)

    found = fit_logistic(inputs, offsets, targets, weights, ridge)
    for _ in range(20):
        assert loss(found) < loss(found + random.normal(0, 0.05, found.shape))


def test_people_left_out_gain_and_photographs_keep_their_answers() -> None:
    fitter = ReadoutFitter(MODEL, photographs())
    left_out = fitter.left_out(recordings())
    assert len(left_out) == 18
    network = sum(one.network[0] == one.recording.label for one in left_out)
    assert network <= 13
    assert sum(one.answers[0] == one.recording.label for one in left_out) > network
    assert fitter.fit(recordings()).changed_share <= 2 * MOST_CHANGED


def test_labelled_photographs_change_single_frames_towards_their_labels() -> None:
    """Angry faces of photographs that the network takes for sad ones: recordings say nothing of that."""
    random = np.random.default_rng(3)
    logits = (np.array([0.5, -1.5, 1.0]) + random.normal(0, 0.2, (200, 3))).astype(np.float32)
    labelled = LabelledPhotographs(logits, np.zeros(200, int))
    settings = load_settings(assignments=["readout.use=on"], environment={})

    def answers(labelled: LabelledPhotographs | None) -> np.ndarray:
        model = replace(MODEL, readout=ReadoutFitter(MODEL, photographs(), labelled).fit(recordings()).readout(MODEL))
        assert model.readout is not None
        return read_out(logits, np.zeros(200), model.readout, model, settings)

    np.testing.assert_allclose(answers(None), softmax(logits), atol=1e-6)
    assert (answers(labelled)[:, 0] > softmax(logits)[:, 0] + 0.1).all()


def test_the_answer_to_a_person_does_not_depend_on_their_own_labels() -> None:
    fitter = ReadoutFitter(MODEL, photographs())
    given = recordings(4)
    wrong = [replace(one, label="happy") if one.person == "person 1" else one for one in given]

    def answers(some: list[LabelledRecording]) -> list[tuple[str, str]]:
        return [one.answers for one in fitter.left_out(some) if one.recording.person == "person 1"]

    assert answers(wrong) == answers(given)


def test_the_file_is_read_as_it_was_written_and_the_card_agrees(tmp_path: Path) -> None:
    fitter = ReadoutFitter(MODEL, photographs())
    fitted = fitter.fit(recordings(4))
    path = write_readout(fitted, fitter.left_out(recordings(4)), MODEL, tmp_path)
    found = load_readout(tmp_path)
    assert found is not None
    assert replace(found, sha256="") == fitted.readout(MODEL)
    assert json.loads(path.read_text())["fit"]["recordings"] == 12
    card = (tmp_path / READOUT_CARD).read_text()
    assert "12 labelled recordings of 4 people" in card
    assert "angry" in card


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 1}, "schema_version 1"),
        ({"frame": {"weights": [[0.0] * 3] * 3, "bias": [0.0]}}, r"frame\.bias is not a list of 3 numbers"),
        ({"over_time": {"weights": [[0.0, 0.0]] * 3, "bias": [0.0] * 3}}, r"over_time\.weights are not 3 rows of 3"),
        ({"over_time": None}, r"over_time\.weights are not"),
        ({"usual": [0.0, float("nan"), 0.0]}, "usual is not"),
        ({"half_life_seconds": -1}, "half_life_seconds is missing"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / READOUT_JSON
    content = {
        "schema_version": 2, "weights_sha256": "w", "source": "fer2013", "labels": list(LABELS), "inputs": list(LABELS),
        "half_life_seconds": 0.8, "usual": [0.0] * 3, "frame": {"weights": [[0.0] * 3] * 3, "bias": [0.0] * 3},
        "over_time": {"weights": [[0.0] * 3] * 3, "bias": [0.0] * 3},
    }  # fmt: skip
    path.write_text(json.dumps(content | change))
    with pytest.raises(ModelError, match=said):
        load_readout(tmp_path)
