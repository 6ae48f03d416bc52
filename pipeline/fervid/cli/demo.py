"""`fervid demo`: a first result without a video of one's own."""

from __future__ import annotations

from fervid.cli.analyze import describe
from fervid.cli.options import Out, Quiet


def demo(out: Out = None, quiet: Quiet = False) -> None:
    """Make a short clip (a public-domain portrait, moving), analyse it, and show what comes out."""
    from pathlib import Path

    from fervid import assets
    from fervid.analysis import analyze
    from fervid.demo import make_demo_clip

    folder = Path(out or assets.default_output_folder())
    clip = make_demo_clip(folder / "demo.mp4")
    run = analyze(clip, out=folder, progress=not quiet, overwrite=True)
    print(f"A clip of a moving portrait was made: {clip}")
    print(describe(run.summary()))
    print(f"Look at {run.folder / 'timeline.png'}, then try: fervid analyze YOUR_VIDEO")
