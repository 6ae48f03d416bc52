"""Combines several model folders into one model: an ensemble that averages its members' logits. Trains nothing.

Pramerdorfer and Kampel ("Facial Expression Recognition using Convolutional Neural Networks: State of the Art", 2016)
gained 2.5 points on FER-2013 with the mean of eight networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fervid.emotion.keras import load_network
from fervid.emotion.model import ModelInfo, load_model_info, read_model_json
from fervid.emotion.networks.network import average_members, member_models
from fervid.errors import ConfigError, ModelError
from fervid.runtime.backend import load_tensorflow
from fervid.train.data.fer2013 import EMOTIONS, SIDE_PX, FaceDataset
from fervid.train.export.folder import draft_info, export_model


# Decision TRA-8.
def combine_models(
    folders: Sequence[Path], dataset: FaceDataset, out: Path, name: str, *, votes: np.ndarray | None = None
) -> ModelInfo:
    """Write the ensemble of the models in `folders` into `out`, with temperatures and numbers of its own on PublicTest.

    Each head is the mean over the members that have it; the members of an ensemble in `folders` count individually.
    Raises ConfigError for fewer than two models or an `out` that is one of them, ModelError for a model whose labels or
    input are not FER-2013's, and what `export_model` raises.
    """
    if len(folders) < 2:
        raise ConfigError(f"{len(folders)} model cannot be combined. Give two or more.")
    if out.resolve() in [folder.resolve() for folder in folders]:
        raise ConfigError(
            f"{out} is one of the models to combine and would be overwritten. Give another folder with --out."
        )
    infos = [load_model_info(folder) for folder in folders]
    for info in infos:
        if info.labels != EMOTIONS or info.input_side_px != SIDE_PX:
            raise ModelError(
                f"model {info.name} takes {info.input_side_px} px and has the labels {', '.join(info.labels)}, "
                f"expected {SIDE_PX} px and {', '.join(EMOTIONS)}. Combine models that were trained on FER-2013."
            )
    load_tensorflow()
    models = [model for info in infos for model in member_models(load_network(info), info)]
    members = [member for info in infos for member in info.members]
    data = "; ".join(dict.fromkeys(info.training_data for info in infos))
    draft = draft_info(name, members, training_data=data, folder=out)
    return export_model(
        average_members(models, draft.members, draft.heads),
        draft,
        dataset,
        votes,
        {"combined_from": [_describe(info) for info in infos]},
    )


def _describe(info: ModelInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "network": info.network,
        "weights_sha256": info.weights_sha256,
        "private_test_readings": len(read_model_json(info.folder).get("private_test_readings", [])),
    }
