"""A training recipe: every setting of a run, read from TOML. Knows nothing of data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fervid.base import assets
from fervid.base.toml import read_toml
from fervid.errors import ConfigError
from fervid.train.data.augment import AugmentStrength


class AugmentSettings(BaseModel):
    """Ranges of the random views; see `AugmentStrength` for the units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    angle_degrees: float = Field(default=10.0, ge=0, le=180)
    scale: float = Field(default=0.12, ge=0, lt=1)
    zoom_out: float = Field(default=0.0, ge=0, lt=1, description="how far beyond `scale` a face may shrink")
    shift_px: float = Field(default=3.0, ge=0)
    contrast: float = Field(default=0.3, ge=0, lt=1)
    brightness: float = Field(default=0.15, ge=0, lt=1)
    erase_share: float = Field(default=0.25, ge=0, le=1)
    blur_share: float = Field(default=0.0, ge=0, le=1)
    noise_share: float = Field(default=0.0, ge=0, le=1)

    def strength(self) -> AugmentStrength:
        return AugmentStrength(**self.model_dump())


class DistilSettings(BaseModel):
    """How a student learns from teachers: from their networks on its own views, or from a file.

    The file holds their logits on fixed views, as `fervid targets` writes it. The teachers may also be given on
    the command line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    teachers: tuple[str, ...] = Field(default=(), description="models or model folders; their mean logits are learned")
    targets: str | None = Field(default=None, description="a file of `fervid targets` instead of teachers")
    weight: float = Field(default=0.7, gt=0, le=1, description="share of the teachers in the loss; labels get the rest")
    temperature: float = Field(default=3.0, gt=0)

    @model_validator(mode="after")
    def _one_kind(self) -> DistilSettings:
        if self.teachers and self.targets:
            raise ValueError("teachers and targets exclude each other")
        return self


class Recipe(BaseModel):
    """One training run: linear warm-up, cosine decay, averaged weights (EMA)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: str
    backbone_weights: str | None = Field(default=None, description="weights for a transfer network")
    initial_model: str | None = Field(default=None, description="start from a model of the same network and heads")
    epochs: int = Field(gt=0)
    batch_size: int = Field(default=128, gt=1)
    peak_learning_rate: float = Field(default=0.05, gt=0)
    warmup_epochs: int = Field(default=3, ge=0)
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-3, ge=0)
    gradient_clip_norm: float = Field(default=5.0, gt=0)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    class_weight: Literal["none", "sqrt", "balanced"] = "none"
    mixup_alpha: float = Field(default=0.0, ge=0, description="strength of mixup; 0 disables it")
    ferplus_weight: float = Field(default=0.0, ge=0, description="weight of a second head on the FER+ votes")
    ema_decay: float = Field(default=0.998, ge=0, lt=1)
    clean: bool = Field(default=False, description="remove copies and images without a face from Training")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="compute precision; bfloat16 is for GPUs, weights stay float32"
    )
    seed: int = Field(default=1, ge=0)
    augment: AugmentSettings = AugmentSettings()
    distil: DistilSettings | None = Field(default=None, description="distillation from teachers; None without")

    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        """The rate of one step: linear warm-up to the peak, then a cosine to zero at the last step."""
        warmup, total = self.warmup_epochs * steps_per_epoch, self.epochs * steps_per_epoch
        return warmup_and_cosine(step, warmup, total, self.peak_learning_rate)


def warmup_and_cosine(step: int, warmup: int, total: int, peak: float) -> float:
    """The rate of one step of `total`: linear over the `warmup` steps, then a cosine to zero at the last step."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def load_recipe(
    name_or_path: str, *, teachers: tuple[str, ...] = (), targets: str | None = None, **overrides: object
) -> Recipe:
    """A recipe by its name in `configs/recipes`, or from a TOML file. `overrides` that are None change nothing.

    `teachers` or `targets` replace those in the recipe's `[distil]`.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = assets.configs_folder() / "recipes" / f"{name_or_path}.toml"
    if not path.is_file():
        raise ConfigError(
            f"recipe {name_or_path!r} does not exist. Use {', '.join(recipe_names())}, or the path of a .toml file."
        )
    settings = read_toml(path, "recipe")
    try:
        if teachers or targets:
            kept = {k: v for k, v in settings.get("distil", {}).items() if k not in ("teachers", "targets")}
            settings["distil"] = kept | {"teachers": teachers, "targets": targets}
        return Recipe.model_validate(settings | {k: v for k, v in overrides.items() if v is not None})
    except ValidationError as problem:
        first = problem.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path}: {key} = {first['input']!r}: {first['msg']}. Correct this entry.") from None


def recipe_names() -> list[str]:
    """The recipes included in fervid."""
    return sorted(p.stem for p in (assets.configs_folder() / "recipes").glob("*.toml"))
