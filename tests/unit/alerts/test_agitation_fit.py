"""A model of agitation is fitted to labels and verdicts, and judged by recordings that it did not see."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.alerts.measure.agitation_fit import Labelled, fit_agitation, merits_of
from fervid.errors import InputError
from fervid.interpret.agitation_model import FEATURES


def windows(n_groups: int, *, effect: float, shift: float = 0.0, seed: int = 0) -> Labelled:
    """Ten windows per recording, five agitated; each recording has a level of its own, `shift` says how far apart."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), 10)
    is_agitated = np.tile(np.arange(10) % 2 == 0, n_groups)
    features = rng.normal(size=(len(group), len(FEATURES)))
    features[:, 3] += effect * is_agitated + shift * rng.normal(size=n_groups)[group]
    return Labelled(features, is_agitated, group)


def test_what_tells_is_found_and_ranks_recordings_left_out() -> None:
    labelled = windows(9, effect=4.0)
    fitted = fit_agitation(labelled, name="own", window_seconds=2.0, about={"data": "made up"})
    assert (fitted.merits["auc"].value or 0) > 0.8
    assert (fitted.merits["auc"].low or 0) > 0.7
    assert FEATURES[int(np.abs(fitted.model.weights).argmax())] == FEATURES[3]
    assert fitted.model.card["recordings"] == 9
    assert np.array_equal(fitted.left_out[0].score(labelled.features[:10]), fitted.unseen[:10])


def test_noise_is_worth_nothing_however_many_features_there_are() -> None:
    fitted = fit_agitation(windows(9, effect=0.0), name="own", window_seconds=2.0, about={})
    assert 0.3 < (fitted.merits["auc"].value or 0) < 0.7
    assert np.abs(fitted.unseen - 0.5).mean() < 0.25  # it says that it does not know


def test_a_recording_is_judged_without_itself() -> None:
    """Labels that a recording alone explains: a fit that saw it would be right, one that did not cannot be."""
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(10), 8)
    is_agitated = (group % 2).astype(bool)
    features = rng.normal(size=(10, len(FEATURES)))[group] + 0.01 * rng.normal(size=(80, len(FEATURES)))
    fitted = fit_agitation(Labelled(features, is_agitated, group), name="own", window_seconds=2.0, about={})
    assert (fitted.merits["auc"].value or 1) < 0.9
    seen = merits_of(fitted.model.score(features), Labelled(features, is_agitated, group))
    assert (seen["auc"].value or 0) > (fitted.merits["auc"].value or 0)


def test_within_a_recording_the_level_of_the_camera_does_not_count() -> None:
    labelled = windows(12, effect=3.0, shift=20.0)
    merits = merits_of(labelled.features[:, 3], labelled)
    assert (merits["auc_within_recordings"].value or 0) > 0.95
    assert (merits["auc"].value or 1) < 0.75


def test_calibration_counts_both_kinds_alike() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(2000) < 0.5
    sure = np.where(truth, 0.8, 0.2)
    sure[rng.random(2000) < 0.2] = 0.5
    is_wrong = rng.random(2000) < 0.2
    scores = np.where(is_wrong, 1 - sure, sure)
    rare = ~truth | (rng.random(2000) < 0.1)  # nine of ten agitated windows are left out
    labelled = Labelled(np.zeros((int(rare.sum()), 1)), truth[rare], np.arange(int(rare.sum())) % 9)
    assert (merits_of(scores[rare], labelled)["calibration_error"].value or 1) < 0.06
    assert (merits_of(scores[rare] ** 4, labelled)["calibration_error"].value or 0) > 0.1


def test_too_little_to_learn_from_is_refused() -> None:
    with pytest.raises(InputError, match="of 2 recordings are too few"):
        fit_agitation(windows(2, effect=1.0), name="own", window_seconds=2.0, about={})
