"""`fervid models`: the models there are, whether they are whole, and the networks that can be trained."""

from __future__ import annotations

from typing import Annotated

import typer

from fervid import assets

app = typer.Typer(help="List models; check them; list the networks that can be trained.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List the shipped models with their accuracy, or run one of the commands below."""
    if context.invoked_subcommand is not None:
        return
    from fervid.emotion.model import read_model_json

    for folder in assets.shipped_models():
        stored = read_model_json(folder)
        measured = stored["metrics"]["PublicTest"]
        times = len(stored["private_test_readings"])
        default = " (default)" if folder.name == assets.DEFAULT_MODEL else ""
        typer.echo(
            f"{stored['name']}{default}: {stored['network']}, {stored['parameters']:,} parameters, "
            f"PublicTest {measured['accuracy']:.2%}, PrivateTest read {'once' if times == 1 else f'{times} times'}"
        )
        typer.echo(f"  {folder}")


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models or folders; default all shipped ones.")] = None,
) -> None:
    """Check that the files of models are those that their model.json was written for."""
    from fervid.emotion.model import load_model_info

    folders = [assets.model_folder(name) for name in names] if names else assets.shipped_models()
    for folder in folders:
        info = load_model_info(folder)
        typer.echo(f"{info.name}: whole (weights {info.weights_sha256[:12]}, LiteRT {info.tflite_sha256[:12]})")


@app.command()
def networks() -> None:
    """List the networks that can be trained, with parameters and millions of multiply-accumulates a face."""
    from fervid.backend import load_keras
    from fervid.train.fer2013 import EMOTIONS

    load_keras()
    from fervid.train.network import NETWORKS, build_network, count_mmacs

    typer.echo(f"{'network':<20}{'parameters':>12}{'MMACs':>9}")
    for name in NETWORKS:
        model = build_network(name, n_classes=len(EMOTIONS))
        typer.echo(f"{name:<20}{model.count_params():>12,}{count_mmacs(model):>9.1f}")
