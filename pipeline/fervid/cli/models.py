"""`fervid models`: list, verify and describe models; combine them; list networks."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated

import typer

from fervid.base import assets
from fervid.base.registry import CLASSIFIER_PLUGINS, DETECTOR_PLUGINS, EXPORTER_PLUGINS, origin, plugins
from fervid.cli.options import Runs
from fervid.errors import FervidError

app = typer.Typer(
    help="List models; check, describe or combine them; fit a read-out; list networks that can be trained.",
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List the shipped models with their accuracy, and plug-ins; or run a subcommand."""
    if context.invoked_subcommand is not None:
        return
    from fervid.emotion.model import read_model_json, stored_metrics

    for folder in assets.shipped_models():
        stored = read_model_json(folder)
        heads = [head["name"] for head in stored["heads"]]
        answers = f"heads {' and '.join(heads)}, " if len(heads) > 1 else ""
        times = len(stored["private_test_readings"])
        default = " (default)" if folder.name == assets.DEFAULT_MODEL else ""
        typer.echo(
            f"{stored['name']}{default}: {stored['network']}, {stored['parameters']:,} parameters, {answers}"
            f"PublicTest {stored_metrics(stored, 'PublicTest')['accuracy']:.2%}, "
            f"PrivateTest read {'once' if times == 1 else f'{times} times'}"
        )
        typer.echo(f"  {folder}")
    for name, entry in sorted(plugins(CLASSIFIER_PLUGINS).items()):
        typer.echo(_describe_plugin(name, entry))
    for group, option in ((DETECTOR_PLUGINS, "--detector"), (EXPORTER_PLUGINS, "--format")):
        for name, entry in sorted(plugins(group).items()):
            typer.echo(f"{name}: plug-in of {origin(entry)} for {option}")


def _describe_plugin(name: str, entry: EntryPoint) -> str:
    from fervid.emotion.plugin import find_model

    start = f"{name}: plug-in of {origin(entry)} for --model"
    try:
        info = find_model(name)
    except FervidError as problem:
        return f"{start}, cannot be used: {problem}"
    return f"{start}, labels {', '.join(info.labels)}, accuracy unknown"


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models or folders; default all shipped ones.")] = None,
) -> None:
    """Verify that the files of models match their model.json."""
    from fervid.emotion.model import load_model_info

    folders = [assets.model_folder(name) for name in names] if names else assets.shipped_models()
    for folder in folders:
        info = load_model_info(folder)
        typer.echo(f"{info.name}: intact (weights {info.weights_sha256[:12]}, LiteRT {info.tflite_sha256[:12]})")


@app.command()
def card(names: Annotated[list[str], typer.Argument(help="Models or folders.", show_default=False)]) -> None:
    """Rewrite CARD.md of models from their model.json."""
    from fervid.emotion.model import load_model_info, read_model_json
    from fervid.train.evaluate.card import write_card

    for folder in [assets.model_folder(name) for name in names]:
        load_model_info(folder)
        typer.echo(str(write_card(read_model_json(folder), folder)))


@app.command()
def combine(
    models: Annotated[list[str], typer.Argument(help="Two or more models or folders.", show_default=False)],
    data: Annotated[Path, typer.Option(help="FER-2013, for the temperatures: the CSV file, or its folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The model folder to write.")],
    name: Annotated[str | None, typer.Option(help="Name of the model.", show_default="the folder's name")] = None,
    ferplus: Annotated[
        Path | None,
        typer.Option(help="FER+ votes (fer2013new.csv), for models with that head.", show_default="next to the data"),
    ] = None,
    allow_unofficial: Annotated[
        bool, typer.Option("--allow-unofficial", help="Accept a set with other counts than FER-2013.")
    ] = False,
) -> None:
    """Make one model of several: the mean of their logits, with temperatures fitted on PublicTest."""
    folders = [assets.model_folder(model) for model in models]
    from fervid.train.data.agreement import find_votes
    from fervid.train.data.fer2013 import load_fer2013
    from fervid.train.export.combine import combine_models

    dataset = load_fer2013(data, require_official=not allow_unofficial)
    info = combine_models(folders, dataset, out, name or out.name, votes=find_votes(ferplus, data, dataset))
    from fervid.emotion.model import read_model_json, stored_metrics

    stored = read_model_json(info.folder)
    for head in info.heads:
        for tta in ("none", "flip"):
            accuracy = stored_metrics(stored, "PublicTest", head.name, tta)["accuracy"]
            typer.echo(f"{info.name}: {head.name}, views {tta}: PublicTest accuracy {accuracy:.2%}")
    typer.echo(str(info.folder))


@app.command()
def readout(
    labels: Annotated[
        Path, typer.Argument(help="CSV file: video, emotion, and person where one has several.", show_default=False)
    ],
    runs: Runs,
    data: Annotated[Path, typer.Option(help="FER-2013, for photographs of many people: the CSV file, or its folder.")],
    model: Annotated[str, typer.Option(help="The model that the runs were made with.")] = assets.DEFAULT_MODEL,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write it.", show_default="the model's folder")
    ] = None,
    allow_unofficial: Annotated[
        bool, typer.Option("--allow-unofficial", help="Accept a set with other counts than FER-2013.")
    ] = False,
) -> None:
    """Fit a read-out over time to labelled recordings, for `--readout`; report it on people left out."""
    from fervid.batch.labelled import read_recordings
    from fervid.emotion import make_classifier
    from fervid.emotion.model import load_model_info
    from fervid.run.find import find_run_folders
    from fervid.run.handle import open_run
    from fervid.train.data.fer2013 import load_fer2013
    from fervid.train.export.readout import SIDES, in_words, write_readout
    from fervid.train.fit.readout import ReadoutFitter

    info = load_model_info(assets.model_folder(model))
    recordings = read_recordings(labels, [open_run(folder) for folder in find_run_folders(runs)], info)
    photographs = load_fer2013(data, require_official=not allow_unofficial).split("PublicTest").images
    fitter = ReadoutFitter(info, make_classifier("litert", info).predict(photographs))
    left_out = fitter.left_out(recordings)
    for side, name in enumerate(SIDES):
        typer.echo(f"{name}: {in_words(left_out, side)}")
    typer.echo(str(write_readout(fitter.fit(recordings), left_out, info, out or info.folder)))


@app.command()
def networks() -> None:
    """List the networks that can be trained, with parameters and millions of multiply-accumulates per face."""
    from fervid.runtime.backend import load_keras
    from fervid.train.data.fer2013 import EMOTIONS

    load_keras()
    from fervid.emotion.networks.network import NETWORKS, build_network, count_mmacs

    typer.echo(f"{'network':<20}{'parameters':>12}{'MMACs':>9}")
    for name in NETWORKS:
        model = build_network(name, n_classes=len(EMOTIONS))
        typer.echo(f"{name:<20}{model.count_params():>12,}{count_mmacs(model):>9.1f}")
