"""The language of rules: what it means, what it refuses, and that it never runs anything."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.alerts.language.expression import Faces, conditions, evaluate, evaluate_frames, names_in, parse
from fervid.alerts.language.syntax import write
from fervid.errors import ConfigError

NAMES = {"angry", "happy", "margin", "face_px"}
COLUMNS = {
    "angry": np.array([0.9, 0.2, np.nan], np.float32),
    "happy": np.array([0.1, 0.8, 0.0], np.float32),
    "margin": np.array([0.8, 0.6, 0.1], np.float32),
    "face_px": np.array([60.0, 20.0, 40.0]),
}
FACES = Faces(COLUMNS, {"n_faces": np.array([2, 0, 1])}, np.array([0, 0, 2]), np.array([True, True, True]), n_frames=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("angry", [0.9, 0.2, np.nan]),
        ("1", [1, 1, 1]),
        ("angry + 2 * happy", [1.1, 1.8, np.nan]),
        ("-(happy - 1) / 2", [0.45, 0.1, 0.5]),
        ("1 - 0.5 - 0.25", [0.25] * 3),
        ("--happy", [0.1, 0.8, 0]),
        ("max(angry, happy)", [0.9, 0.8, np.nan]),
        ("min(happy, margin, .5)", [0.1, 0.5, 0]),
        ("happy / 0", [np.inf, np.inf, np.nan]),
    ],
)
def test_numbers(text: str, expected: list[float]) -> None:
    value = np.broadcast_to(evaluate(parse(text, wanted="number", names=NAMES), FACES), 3)
    np.testing.assert_allclose(value, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("angry >= 0.3", [True, False, False]),  # a missing value compares as false
        ("angry < 0.5", [False, True, False]),
        ("not angry < 0.5", [True, False, True]),
        ("not not margin > 0.5", [True, True, False]),
        ("margin > 0.5 and face_px >= 40", [True, False, False]),
        ("margin > 0.7 or face_px < 30 and happy > 0.5", [True, True, False]),
        ("(margin > 0.7 or face_px < 30) and happy > 0.5", [False, True, False]),
        ("face_px == 40", [False, False, True]),
        ("face_px != 40", [True, True, False]),
    ],
)
def test_conditions(text: str, expected: list[bool]) -> None:
    assert np.broadcast_to(evaluate(parse(text, wanted="condition", names=NAMES), FACES), 3).tolist() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count(happy >= 0)", [2, 0, 1]),
        ("share(happy > 0.5)", [0.5, 0, 0]),
        ("mean(happy)", [0.45, np.nan, 0]),
        ("highest(margin)", [0.8, np.nan, 0.1]),
        ("n_faces * share(happy > 0.5)", [1, 0, 0]),
        ("count(happy > 0.5 and face_px < 30) + 1", [2, 1, 1]),
    ],
)
def test_functions_over_the_faces_of_each_frame(text: str, expected: list[float]) -> None:
    node = parse(text, wanted="number", names=NAMES, frame_names={"n_faces"})
    np.testing.assert_allclose(evaluate_frames(node, FACES), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        ("", "number", "it ends where a value is missing"),
        ("angri", "number", "the name 'angri' does not exist. Did you mean 'angry'?"),
        ("angry +", "number", "it ends where a value is missing"),
        ("angry happy", "number", "'happy' was not expected"),
        ("(angry", "number", "')' is missing"),
        ("angry > 0.5", "number", "is a condition, expected a number"),
        ("angry", "condition", "is a number, expected a condition"),
        ("angry and margin > 0.5", "condition", "'angry' beside 'and' is a number"),
        ("not angry", "condition", "after 'not' is a number"),
        ("(angry > 1) + 1", "number", "is a condition, expected a number."),
        ("0 < angry < 1", "condition", "cannot be chained"),
        ("min(angry)", "number", "needs two values"),
        ("sqrt(angry)", "number", "the function 'sqrt' does not exist"),
        ("count(angry > 0.5)", "number", 'over = "group"'),
        ("angry and", "condition", "value is missing"),
        ("angry = 1", "condition", "'=' is not allowed"),
        ("angry.real", "number", "'.' is not allowed"),
        ("__import__('os').system('true')", "number", "is not allowed"),
        ("angry[0]", "number", "'[' is not allowed"),
        ("1e5", "number", "'e5' was not expected"),
        ("(" * 60 + "angry" + ")" * 60, "number", "nested too deeply"),
        ("1+" * 1500 + "1", "number", "is too long"),
    ],
)
def test_what_is_not_the_language_is_refused_in_one_line(text: str, wanted: str, message: str) -> None:
    with pytest.raises(ConfigError) as problem:
        parse(text, wanted=wanted, names=NAMES)  # type: ignore[arg-type]
    assert message in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_group_rule_needs_a_function_around_the_values_of_a_face() -> None:
    with pytest.raises(ConfigError, match=r"'angry' belongs to one face. In a group rule put it into count\(\)"):
        parse("angry", wanted="number", names=NAMES, frame_names={"n_faces"})
    with pytest.raises(ConfigError, match="does not exist"):
        parse("count(n_faces > 1)", wanted="number", names=NAMES, frame_names={"n_faces"})


@pytest.mark.parametrize(
    "text",
    [
        "angry + 2 * happy - (margin - 1) / -face_px",
        "not (angry > 0.5 or happy > 0.5) and margin >= 0.1",
        "(angry - happy) - (1 - (2 - 3))",
        "min(angry, -happy) * (1 + margin)",
    ],
)
def test_writing_a_tree_and_parsing_it_again_changes_nothing(text: str) -> None:
    wanted = "condition" if "not" in text else "number"
    node = parse(text, wanted=wanted, names=NAMES)  # type: ignore[arg-type]
    assert parse(write(node), wanted=wanted, names=NAMES) == node  # type: ignore[arg-type]


def test_random_trees_survive_being_written() -> None:
    rng = np.random.default_rng(5)

    def number(depth: int) -> str:
        kind = rng.integers(0, 6 if depth else 2)
        if kind == 0:
            return str(rng.choice(sorted(NAMES)))
        if kind == 1:
            return f"{rng.integers(0, 9) / 4:g}"
        if kind == 2:
            return f"-({number(depth - 1)})"
        if kind == 3:
            return f"max({number(depth - 1)}, {number(depth - 1)})"
        return f"({number(depth - 1)}) {rng.choice(list('+-*/'))} ({number(depth - 1)})"

    for _ in range(300):
        node = parse(number(4), wanted="number", names=NAMES)
        again = parse(write(node), wanted="number", names=NAMES)
        np.testing.assert_array_equal(evaluate(again, FACES), evaluate(node, FACES))


def test_parts_and_names() -> None:
    node = parse("margin > 0.1 and (angry > 1 or happy > 1) and face_px > 3", wanted="condition", names=NAMES)
    assert [write(part) for part in conditions(node)] == ["margin > 0.1", "angry > 1 or happy > 1", "face_px > 3"]
    assert names_in(node) == NAMES
