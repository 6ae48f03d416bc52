"""Measures the CPU time of a model per face through LiteRT. Knows nothing of its accuracy."""

from __future__ import annotations

import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fervid.emotion.crops import as_network_input
from fervid.emotion.model import TFLITE, ModelInfo
from fervid.runtime.backend import quiet

BATCHES = (1, 8, 64)
ROUNDS = 5
FACES_A_ROUND = 256


@dataclass(frozen=True, slots=True)
class Latency:
    """CPU milliseconds per face by batch size, the median of several rounds, and the CPU it was measured on."""

    cpu: str
    threads: int
    cpu_ms_per_face: dict[int, float]


def measure_latency(
    info: ModelInfo, faces: np.ndarray, *, rounds: int = ROUNDS, faces_a_round: int = FACES_A_ROUND
) -> Latency:
    """Time the model's LiteRT file on one thread, on faces uint8 (N, S, S) repeated as often as needed.

    CPU time, not wall time, so that other programs on the machine matter little. It includes filling the input.
    """
    taken = as_network_input(np.resize(faces, (faces_a_round, *faces.shape[1:])))
    return Latency(_cpu_name(), 1, {batch: _median_ms(info.folder / TFLITE, taken, batch, rounds) for batch in BATCHES})


def _median_ms(path: Path, faces: np.ndarray, batch: int, rounds: int) -> float:
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(str(path), num_threads=1)
        index = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(index, (batch, *faces.shape[1:]))
        interpreter.allocate_tensors()
    batches = [faces[start : start + batch] for start in range(0, len(faces) - batch + 1, batch)]
    times = []
    for _ in range(rounds + 1):
        start = time.process_time()
        for some in batches:
            interpreter.set_tensor(index, some)
            interpreter.invoke()
        times.append(1000 * (time.process_time() - start) / (len(batches) * batch))
    return statistics.median(times[1:])  # the first round warms up


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()  # Linux
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
