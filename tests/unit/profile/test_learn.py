"""Learned tags: planted signal is found, noise is not, and too few examples are refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from fervid.errors import DatasetError
from fervid.profile.genre import Evidence, load_genres, suggest_tags
from fervid.profile.learn import _precisions, evaluate_genres, fit_genres, judge, match_labels, read_labels
from fervid.profile.profile import Profile
from fervid.stats.ranking import average_precision
from profiles import mixture, profile

EVIDENCE = Evidence(min_observed_seconds=6, min_face_seconds=2, min_face_share=0.1)
N = 120


@cache
def collection() -> tuple[tuple[Profile, ...], tuple[frozenset[str], ...]]:
    """Videos of two tags: `gloom` is dark and sad, `chase` is cut quickly; each on its own in half of them."""
    rng = np.random.default_rng(3)
    profiles, tags = [], []
    for i in range(N):
        gloom, chase = rng.random(2) < 0.5
        weights = {"sad": 3.0 if gloom else 1.0, "happy": 1.0 if gloom else 3.0, "neutral": 2.0}
        cuts = sorted(
            rng.choice(np.arange(5, 115), size=rng.integers(6, 12) if chase else rng.integers(0, 4), replace=False)
        )
        brightness = float(np.clip(rng.normal(0.3 if gloom else 0.5, 0.1), 0, 1))
        faces = mixture(rng, weights)
        profiles.append(profile(12.0, faces, cuts=cuts, brightness=brightness, name=f"video{i}.mp4"))
        tags.append(frozenset({"gloom"} if gloom else ()) | frozenset({"chase"} if chase else ()))
    return tuple(profiles), tuple(tags)


def shuffled(tags: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    return [tags[i] for i in np.random.default_rng(1).permutation(len(tags))]


def test_planted_signal_is_found_and_said_to_be() -> None:
    learned = fit_genres(*collection(), EVIDENCE)
    assert [merit.tag for merit in learned.merits] == ["chase", "gloom"]
    for merit in learned.merits:
        assert merit.average_precision >= 0.9
        assert merit.interval[0] > merit.prior
        assert merit.beats_prior
        assert "better than the prior alone" in merit.in_words()
        assert "no better" not in merit.in_words()


def test_shuffled_labels_do_not_beat_the_prior_and_the_report_says_so() -> None:
    profiles, tags = collection()
    for merit in fit_genres(profiles, shuffled(tags), EVIDENCE).merits:
        assert not merit.beats_prior
        assert "no better than the prior alone" in merit.in_words()


def test_learned_weights_are_json_and_score_new_videos_like_shipped_ones(tmp_path: Path) -> None:
    profiles, tags = collection()
    learned = fit_genres(profiles[:100], tags[:100], EVIDENCE)
    path = tmp_path / "genres.json"
    path.write_text(json.dumps(learned.genres.model_dump(mode="json")), encoding="utf-8")
    genres = load_genres(path)
    assert genres.model_dump(mode="json") == learned.genres.model_dump(mode="json")
    assert set(genres.learned["gloom"]) >= {"average_precision", "interval", "prior", "beats_prior"}
    found = [{tag.tag: tag.score or 0.0 for tag in suggest_tags(one, genres)} for one in profiles[100:]]
    gloomy = [scores["gloom"] for scores, labels in zip(found, tags[100:], strict=True) if "gloom" in labels]
    others = [scores["gloom"] for scores, labels in zip(found, tags[100:], strict=True) if "gloom" not in labels]
    assert min(np.mean(gloomy), 0.6) > np.mean(others)
    merits, _ = evaluate_genres(genres, profiles[100:], tags[100:])
    assert [merit.tag for merit in merits] == ["chase", "gloom"]
    assert all(merit.n == 20 for merit in merits)


def test_tags_with_too_few_examples_are_refused_by_name() -> None:
    profiles, tags = collection()
    rare = [labels | ({"rare"} if i < 29 else set()) for i, labels in enumerate(tags)]
    learned = fit_genres(profiles, rare, EVIDENCE)
    assert "rare" not in learned.genres.tags
    assert learned.left_out == ("rare: 29 videos with it and 91 without, at least 30 of each are needed",)
    with pytest.raises(DatasetError, match="no tag can be learned"):
        fit_genres(profiles[:40], tags[:40], EVIDENCE)


def test_videos_without_evidence_are_left_out_and_counted() -> None:
    profiles, tags = collection()
    learned = fit_genres([*profiles, profile(12.0)], [*tags, frozenset({"gloom"})], EVIDENCE)
    assert learned.left_out == ("1 video with insufficient evidence",)
    assert learned.merits[0].n == N
    with pytest.raises(DatasetError, match="no labelled video has enough evidence"):
        fit_genres([profile(12.0)], [frozenset({"gloom"})], EVIDENCE)


def test_a_perfect_ranking_is_judged_so_and_a_constant_one_is_the_prior() -> None:
    y = np.arange(60) < 20
    best = judge("tag", -np.arange(60.0), y)
    assert (best.average_precision, best.beats_prior) == (1.0, True)
    constant = judge("tag", np.zeros(60), y)
    assert constant.average_precision == pytest.approx(constant.prior)
    assert not constant.beats_prior


def test_many_samples_at_once_have_the_precision_of_each_written_out() -> None:
    rng = np.random.default_rng(0)
    scores, y = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.3
    times = rng.multinomial(40, np.full(40, 1 / 40), size=20)
    expected = [average_precision(np.repeat(scores, row), np.repeat(y, row)) for row in times]
    assert _precisions(scores, y[None], times) == pytest.approx(expected)
    assert np.isnan(_precisions(scores, np.zeros((1, 40), bool), times)).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns video and tags"),
        ("name,tags\na,b\n", "columns video and tags"),
        ("video,tags\n,drama\n", "line 2: the video is missing"),
        ("video,tags\na,x\na,y\n", "line 3: 'a' is listed twice"),
    ],
)
def test_wrong_labels_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        read_labels(path)


def test_labels_find_runs_by_file_stem_folder_or_id(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("video,tags\nvideo0.mp4,a|b\nvideo1,\nid-video2.mp4, c \nrun-3,d\nnone,e\n", encoding="utf-8")
    labels = read_labels(path)
    runs = [(tmp_path / f"run-{i}", one) for i, one in enumerate(collection()[0][:5])]
    profiles, tags, missing = match_labels(labels, runs)
    assert [one.source.name for one in profiles] == [f"video{i}.mp4" for i in range(4)]
    assert tags == [{"a", "b"}, set(), {"c"}, {"d"}]
    assert missing == ["none"]
    with pytest.raises(DatasetError, match="matches several runs"):
        match_labels(labels, [*runs, (tmp_path / "copy", runs[0][1])])
    with pytest.raises(DatasetError, match="no label matches"):
        match_labels({"else": frozenset()}, runs)
