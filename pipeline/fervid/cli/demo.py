"""`fervid demo`: a first result without your own video."""

from __future__ import annotations

from fervid.cli.found_alerts import alerts_of_run, describe_alerts
from fervid.cli.options import Out, Quiet
from fervid.cli.summary import describe


def demo(out: Out = None, quiet: Quiet = False) -> None:
    """Make a short clip of drawn people, analyse it, find its alert, and write a page with the results."""
    from pathlib import Path

    from fervid.alerts.language.rules import load_rules
    from fervid.analysis import analyze
    from fervid.base import assets
    from fervid.demo.scenes import make_demo_scenes
    from fervid.review.report import write_reports

    folder = Path(out or assets.default_output_folder())
    clip = make_demo_scenes(folder / "demo.mp4")
    run = analyze(clip, out=folder, progress=not quiet, overwrite=True)
    found = alerts_of_run(run.folder, load_rules("anger"), is_held=False)
    page = write_reports([run.folder])[0]
    print(f"Made a clip of drawn people: {clip}")
    print(describe(run.summary()))
    print(describe_alerts(found))
    print("Then try: fervid analyze YOUR_VIDEO --alerts")
    print(f"Open the report in a browser: {page.resolve().as_uri()}")
