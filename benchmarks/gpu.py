"""Faces a second that the network scores, by batch size and by threads that feed it, from crops in the host's memory.

    python benchmarks/gpu.py [--device auto|cpu|gpu:N] [--faces 200000] [--crops FILE.npy] [--model NAME] [--json FILE]
                             [--precision mixed_float16|float32] [--seconds 5]

Crops are uint8 (N, 48, 48): recorded ones from --crops (a file of `numpy.save`), else the demo clip's own faces,
recorded here through the same code as an analysis and repeated up to --faces. They go through the classes that
`analyze --device gpu:N` uses: `KerasClassifier` alone for the sweep of batch sizes, and `BatchQueue` in front of it for
the curve over threads, each of which hands over 64 faces at a time like a segment does. Keras runs on TensorFlow or
JAX (KERAS_BACKEND). The peak is measured beside it, by products of large square matrices in the same precision; the
share is the network's multiplications and additions at the best rate. Without a GPU everything runs on the CPU, and
says so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base import assets
from fervid.emotion.batching import BatchQueue
from fervid.emotion.keras import GPU_BATCH_SIZE, MIXED, SINGLE, KerasClassifier
from fervid.emotion.model import load_model_info
from fervid.runtime.backend import describe_backend, load_keras
from fervid.runtime.device import RUNNERS, choose_runner

BATCH_SIZES = (64, 256, 1024, 4096, 16384)
THREADS = (1, 2, 4, 8, 16, 32, 64)
HANDED_OVER, REPEATS = 64, 3
MATRIX_SIDE = {"gpu": 8192, "cpu": 1024}


def record_crops() -> np.ndarray:
    """The faces of the demo clip, cut out as an analysis does it: uint8 (N, 48, 48)."""
    from fervid.config import load_settings
    from fervid.demo.photograph import make_demo_clip
    from fervid.observe.observer import Observer
    from fervid.video.ledger import Ledger
    from fervid.video.probe import probe
    from fervid.video.segments import plan_segments

    settings = load_settings(assignments=["video.fps=25"], environment={})
    info = load_model_info(assets.model_folder(settings.emotion.model))
    recorded: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as folder:
        video, plan = probe(make_demo_clip(Path(folder) / "demo.mp4"), max_pixels=settings.video.max_pixels)
        observer = Observer(video, plan, settings, info, runner=RUNNERS["cpu"])
        for segment in plan_segments("demo", video, plan, segment_seconds=30.0, fps=settings.video.fps):
            recorded += [faces.crops for faces in observer.cut_out(segment, Ledger())]
    return np.concatenate(recorded)


def rate(run: Any, *, seconds: float, is_peak: bool = False) -> float:
    """Things a second that `run` returns the number of: the median (or the best) of repeats within `seconds`."""
    run()
    rates = []
    for _ in range(REPEATS):
        started, n = time.perf_counter(), 0
        while time.perf_counter() - started < seconds / REPEATS or not n:
            n += run()
        rates.append(n / (time.perf_counter() - started))
    return max(rates) if is_peak else statistics.median(rates)


def sweep(classifier: KerasClassifier, crops: np.ndarray, sizes: tuple[int, ...], seconds: float) -> dict[int, float]:
    """Faces a second by batch size; a size that the memory cannot hold ends the sweep."""
    rates = {}
    for size in sizes:
        classifier.batch_size = size
        batch = crops[: size * max(1, min(4, len(crops) // size))]

        def run(batch: np.ndarray = batch) -> int:
            return len(classifier.predict(batch))

        rates[size] = rate(run, seconds=seconds)
        if classifier.batch_size < size:
            del rates[size]
            break
        print(f"batches of {size:6d}: {rates[size]:10.0f} faces/s", flush=True)
    return rates


Curve = dict[int, dict[str, float]]


def curve(classifier: KerasClassifier, crops: np.ndarray, batch_size: int, seconds: float) -> Curve:
    """Faces a second by the number of threads that feed the queue, and how full its batches were."""
    classifier.batch_size = batch_size
    found = {}
    for n_threads in THREADS:
        queue = BatchQueue(classifier.predict, batch_size=batch_size)
        done, counts = threading.Event(), [0] * n_threads

        def feed(i: int, queue: BatchQueue = queue, done: threading.Event = done, counts: list[int] = counts) -> None:
            first = i * HANDED_OVER % max(1, len(crops) - HANDED_OVER)
            while not done.is_set():
                counts[i] += len(queue.predict(crops[first : first + HANDED_OVER]))

        threads = [threading.Thread(target=feed, args=(i,)) for i in range(n_threads)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        done.set()
        for thread in threads:
            thread.join()
        elapsed = time.perf_counter() - started
        queue.close()
        found[n_threads] = {"faces_a_second": sum(counts) / elapsed, "faces_a_batch": sum(counts) / queue.n_calls}
        print(
            f"{n_threads:3d} threads: {found[n_threads]['faces_a_second']:10.0f} faces/s, "
            f"{found[n_threads]['faces_a_batch']:.0f} faces a batch",
            flush=True,
        )
    return found


def peak_flops(*, is_gpu: bool, precision: str) -> float:
    """Floating-point operations a second of a product of square matrices, on the device of Keras."""
    keras = load_keras()
    side = MATRIX_SIDE["gpu" if is_gpu else "cpu"]
    kind = "float16" if precision == MIXED and is_gpu else "float32"
    matrix = keras.ops.ones((side, side), dtype=kind)
    product = keras.ops.matmul

    def run() -> int:
        result = matrix
        for _ in range(8):
            result = product(matrix, result) * (1 / side)
        float(keras.ops.convert_to_numpy(result[0, 0]))
        return 8

    return rate(run, seconds=3.0, is_peak=True) * 2 * side**3


def flops_a_face(network: Any) -> float:
    """Multiplications and additions of the convolutions and dense layers, two a product."""
    total = 0.0
    for layer in network._flatten_layers():
        kernels = [weight for weight in layer.weights if "kernel" in weight.name]
        if not kernels or not hasattr(layer, "output"):
            continue
        places = float(np.prod(layer.output.shape[1:-1])) if len(layer.output.shape) > 2 else 1.0
        total += sum(2 * float(np.prod(kernel.shape)) * places for kernel in kernels)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--faces", type=int, default=200_000)
    parser.add_argument("--crops", type=Path)
    parser.add_argument("--model", default=assets.DEFAULT_MODEL)
    parser.add_argument("--precision", choices=(MIXED, SINGLE), help="default: mixed on a GPU, single on a CPU")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each point")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    is_gpu = choose_runner(arguments.device) == RUNNERS["gpu"]
    if not is_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    precision = arguments.precision or (MIXED if is_gpu else SINGLE)
    crops = np.load(arguments.crops) if arguments.crops else record_crops()
    crops = np.resize(crops, (arguments.faces, *crops.shape[1:]))
    classifier = KerasClassifier(load_model_info(assets.model_folder(arguments.model)), precision=precision)
    where = describe_backend()
    print(f"{where}{'' if is_gpu else ' (no GPU: these are figures of a CPU)'}, {arguments.model}, {precision}")
    sizes = BATCH_SIZES if is_gpu else BATCH_SIZES[:2]
    rates = sweep(classifier, crops, sizes, arguments.seconds)
    best = max(rates.values())
    through_queue = curve(classifier, crops, GPU_BATCH_SIZE if is_gpu else sizes[-1], arguments.seconds)
    peak, cost = peak_flops(is_gpu=is_gpu, precision=precision), flops_a_face(classifier.network)
    share = best * cost / peak
    print(
        f"best {best:.0f} faces/s, {cost / 1e6:.1f} MFLOP a face: {share:.1%} of the {peak / 1e12:.2f} TFLOP/s measured"
    )
    if arguments.json:
        content = {
            "device": where,
            "is_gpu": is_gpu,
            "model": arguments.model,
            "precision": precision,
            "faces_a_second_by_batch_size": rates,
            "through_the_queue_by_threads": through_queue,
            "flops_a_face": cost,
            "peak_flops": peak,
            "share_of_peak": share,
        }
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
