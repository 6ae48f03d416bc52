"""How steady profiles are under re-encoding, how long 1,000 of them take, and what learning finds in made-up runs.

    python benchmarks/profiles.py variants RUNS_FOLDER VIDEO... [--scratch FOLDER]
    python benchmarks/profiles.py speed [--runs 1000] [--seconds 120]
    python benchmarks/profiles.py learn [--videos 200]

`variants` writes each video anew (stronger compression; 15 frames a second; half the size), analyses that with the
preset `trailer`, and compares it with all runs of RUNS_FOLDER, which `fervid analyze VIDEOS --preset trailer` made.
`speed` and `learn` make runs up: one face whose label changes once a second.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from fervid.config import load_settings
from fervid.errors import DatasetError
from fervid.profile.folder import profile_runs, write_comparison
from fervid.profile.genre import load_genres
from fervid.profile.learn import fit_genres
from fervid.profile.measure import profile_run
from fervid.profile.similarity import rank_like
from fervid.run.find import find_run_folders
from profiles import LABELS, mixture, profile, write_run

VARIANTS = {
    "re-encoded": ["-crf", "32"],
    "15 a second": ["-vf", "fps=15"],
    "half size": ["-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2"],
}
LEAST_COSINE = 0.98
SEED = 5
N_SHUFFLED = 50


def variants(runs: Path, videos: list[Path], scratch: Path) -> None:
    import fervid

    settings = load_settings(preset="trailer", environment={})
    profiles = [profile_run(folder) for folder in find_run_folders([runs])]
    lowest, n, n_nearest = 1.0, 0, 0
    for video in videos:
        run = fervid.analyze(video, out=scratch / "originals", settings=settings, device="cpu", plot=False)
        original = profile_run(run.folder)
        profiles = [original if one.source.video_id == original.source.video_id else one for one in profiles]
        for kind, options in VARIANTS.items():
            path = scratch / f"{video.stem}-{kind.replace(' ', '-')}.mp4"
            command = ["ffmpeg", "-v", "error", "-y", "-i", str(video), "-an", *options, "-preset", "ultrafast"]
            subprocess.run([*command, "-pix_fmt", "yuv420p", str(path)], check=True)
            run = fervid.analyze(path, out=scratch / "runs", settings=settings, device="cpu", plot=False)
            matches = rank_like(profile_run(run.folder), profiles)
            own = next(match for match in matches if match.video_id == original.source.video_id)
            is_nearest = matches[0].video_id == original.source.video_id
            n, n_nearest, lowest = n + 1, n_nearest + is_nearest, min(lowest, own.cosine)
            said = "" if is_nearest else f", nearest is {matches[0].name} ({matches[0].cosine:.3f})"
            flag = "" if own.cosine >= LEAST_COSINE else f"  below {LEAST_COSINE}: {own.reason()}"
            print(f"{video.name:36s}{kind:14s}{own.cosine:.4f}{said}{flag}", flush=True)
    print(f"{n} variants: lowest cosine {lowest:.4f}, the original nearest among {len(profiles)} runs for {n_nearest}")


def speed(n_runs: int, seconds: float) -> None:
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        made = [mixture(rng, dict.fromkeys(LABELS, 1.0), seconds) for _ in range(20)]
        for i in range(n_runs):
            write_run(folder / "runs" / f"video-{i:05d}", seconds, made[i % len(made)], cuts=range(25, 1000, 30))
        wall, cpu = time.perf_counter(), time.process_time()
        profiled = profile_runs(find_run_folders([folder / "runs"]), load_genres())
        done = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{n_runs} runs of {seconds:g} s profiled: {done[0]:.1f} s, {done[1]:.1f} CPU s")
        wall, cpu = time.perf_counter(), time.process_time()
        write_comparison(profiled, folder / "comparison")
        done = time.perf_counter() - wall, time.process_time() - cpu
        print(f"table and comparison page: {done[0]:.1f} s, {done[1]:.1f} CPU s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


def learn(n_videos: int) -> None:
    rng = np.random.default_rng(SEED)
    evidence = load_genres().evidence
    profiles, tags = [], []
    for i in range(n_videos):
        kind = ("gloom", "cheer", "neither")[i % 3]
        weights = {"sad": 1.0, "happy": 1.0, "neutral": 1.0}
        weights[{"gloom": "sad", "cheer": "happy", "neither": "neutral"}[kind]] = 4.0
        faces = mixture(rng, weights, 20.0)
        profiles.append(profile(20.0, faces, name=f"v{i}.mp4", brightness=rng.uniform(0.2, 0.6)))
        tags.append(frozenset({kind} - {"neither"}))
    print("planted signal:")
    for merit in fit_genres(profiles, tags, evidence).merits:
        print(f"  {merit.in_words()}")
    n_better = n_fits = 0
    for seed in range(N_SHUFFLED):
        shuffled = [tags[i] for i in np.random.default_rng(seed).permutation(n_videos)]
        merits = fit_genres(profiles, shuffled, evidence).merits
        n_better, n_fits = n_better + sum(merit.beats_prior for merit in merits), n_fits + len(merits)
        if seed == 0:
            print("shuffled labels:")
            for merit in merits:
                print(f"  {merit.in_words()}")
    print(f"shuffled {N_SHUFFLED} times: {n_better} of {n_fits} tags called better than the prior")
    try:
        fit_genres(profiles[:60], tags[:60], evidence)
    except DatasetError as refusal:
        print(f"60 videos, 20 of each: {refusal}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("variants")
    one.add_argument("runs", type=Path)
    one.add_argument("videos", type=Path, nargs="+")
    one.add_argument("--scratch", type=Path)
    one = commands.add_parser("speed")
    one.add_argument("--runs", type=int, default=1000)
    one.add_argument("--seconds", type=float, default=120.0)
    commands.add_parser("learn").add_argument("--videos", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.command == "variants":
        scratch = arguments.scratch or Path(tempfile.mkdtemp())
        scratch.mkdir(parents=True, exist_ok=True)
        variants(arguments.runs, arguments.videos, scratch)
    elif arguments.command == "speed":
        speed(arguments.runs, arguments.seconds)
    else:
        learn(arguments.videos)


if __name__ == "__main__":
    main()
