"""A search space: which settings of a recipe may take which values, read from TOML. Runs no search."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fervid.base import assets
from fervid.base.toml import read_toml
from fervid.errors import ConfigError
from fervid.train.fit.recipe import AugmentSettings, Recipe, load_recipe

if TYPE_CHECKING:
    import optuna

SECTION = "augment"
SETTINGS = (
    *(name for name in Recipe.model_fields if name not in (SECTION, "distil")),
    *(f"{SECTION}.{name}" for name in AugmentSettings.model_fields),
)
"""Searchable settings: every setting of a recipe except its teachers; augmentation as `augment.NAME`."""

Value = bool | int | float | str


class Range(BaseModel):
    """Numbers from `low` to `high`, both included; whole numbers where both are. `log` spreads them by ratio."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs low above 0 and no step")
        if self.step is not None and self.step <= 0:
            raise ValueError("step is not above 0")
        return self

    @property
    def is_whole(self) -> bool:
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))


class SearchSpace(BaseModel):
    """The search space and how much of Training it uses. Settings not in `space` come from `recipe`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    folds: int = Field(default=5, ge=2, description="parts of Training, each held out once")
    part_of: int = Field(default=1, ge=1, description="search on 1 / this of Training")
    space: dict[str, list[Value] | Range] = Field(min_length=1)

    def base(self) -> Recipe:
        """The recipe from which every trial starts."""
        return load_recipe(self.recipe)


def load_space(name_or_path: str) -> SearchSpace:
    """A search space by its name in `configs/search`, or from a TOML file, with every value it can take checked.

    Raises ConfigError naming the entry at fault.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = assets.configs_folder() / "search" / f"{name_or_path}.toml"
    if not path.is_file():
        raise ConfigError(
            f"search space {name_or_path!r} does not exist. Use {', '.join(space_names())}, or a .toml file."
        )
    described = read_toml(path, "search space")
    try:
        space = SearchSpace.model_validate(described)
    except ValidationError as problem:
        # An entry may be a list or a range; if it is not a list, report the error of the range.
        first = next((error for error in problem.errors() if error["type"] != "list_type"), problem.errors()[0])
        key = ".".join(str(part) for part in first["loc"][:2])
        raise ConfigError(f"{path}: {key}: {first['msg']}. Correct this entry.") from None
    for setting, values in space.space.items():
        if setting not in SETTINGS:
            near = difflib.get_close_matches(setting, SETTINGS, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Use {', '.join(SETTINGS)}."
            raise ConfigError(f"{path}: {setting!r} is not a setting of a recipe. {hint}")
        if isinstance(values, list) and not values:
            raise ConfigError(f"{path}: {setting} has no values. Give at least one.")
        for value in values if isinstance(values, list) else (values.low, values.high):
            apply_values(space.base(), {setting: value})
    return space


def space_names() -> list[str]:
    """The search spaces included in fervid."""
    return sorted(path.stem for path in (assets.configs_folder() / "search").glob("*.toml"))


def apply_values(base: Recipe, values: Mapping[str, Value]) -> Recipe:
    """`base` with some settings changed, by their names in SETTINGS. Raises ConfigError for a value out of range."""
    changed: dict[str, Any] = base.model_dump()
    for setting, value in values.items():
        section, _, name = setting.rpartition(".")
        (changed[section] if section else changed)[name] = value
    try:
        return Recipe.model_validate(changed)
    except ValidationError as problem:
        first = problem.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ConfigError(f"search space: {key} = {first['input']!r}: {first['msg']}. Correct this entry.") from None


def draw_values(trial: optuna.Trial, space: SearchSpace) -> dict[str, Value]:
    """One value for each setting of the space, chosen by the sampler of the study."""
    drawn: dict[str, Value] = {}
    for setting, values in space.space.items():
        if isinstance(values, list):
            chosen: Any = trial.suggest_categorical(setting, values)
            drawn[setting] = chosen
        elif values.is_whole:
            step = 1 if values.step is None else int(values.step)
            drawn[setting] = trial.suggest_int(setting, int(values.low), int(values.high), step=step, log=values.log)
        else:
            drawn[setting] = trial.suggest_float(setting, values.low, values.high, step=values.step, log=values.log)
    return drawn


def recipe_as_toml(recipe: Recipe, comment: str) -> str:
    """A recipe file with a leading comment; `load_recipe` reads it back unchanged."""
    settings = recipe.model_dump(exclude_none=True)
    sections = {name: settings.pop(name) for name in list(settings) if isinstance(settings[name], dict)}
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    for section, content in sections.items():
        lines += ["", f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in content.items())]
    return "\n".join(lines) + "\n"
