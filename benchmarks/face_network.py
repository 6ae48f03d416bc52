"""The face network in LiteRT, as an analysis runs it, against the published file in OpenCV: time and agreement.

    python benchmarks/face_network.py [--repeats 40]

Both get the same blurred noise, on one thread, at the sizes that a 16:9 picture is searched in. CPU milliseconds a
picture are medians; the difference is the largest of all cells of the heat map.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from fervid.base.opencv import cv2
from fervid.detect.centerface import read_weights
from fervid.detect.centerface_network import gray_network
from fervid.runtime.litert import open_network

SIZES_PX = ((64, 64), (96, 160), (128, 224), (192, 352), (384, 704))
OUTPUTS = ("537", "538", "539", "540")
"""Names of the published network's outputs, the heat map first."""


def cpu_ms(call: Callable[[], object], repeats: int) -> float:
    """Median CPU milliseconds of a call."""
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        taken.append(1000 * (time.process_time() - started))
    return float(np.median(taken))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=40)
    repeats = parser.parse_args().repeats
    weights = np.frombuffer(read_weights(), np.uint8)
    print(f"{'height x width':>14}  {'LiteRT ms':>9}  {'OpenCV ms':>9}  {'ratio':>5}  difference")
    for height, width in SIZES_PX:
        noise = np.random.default_rng(0).random((height, width), np.float32) * 255
        picture = cv2.GaussianBlur(noise, (0, 0), 3)
        own = open_network(gray_network(weights, height, width))
        entry = own.get_input_details()[0]["index"]

        def answer(own=own, entry=entry, picture=picture) -> None:  # type: ignore[no-untyped-def]
            own.set_tensor(entry, picture[None, ..., None])  # each time: its memory is used again for later layers
            own.invoke()

        published = cv2.dnn.readNetFromONNX(weights)
        published.setInput(np.repeat(picture[None, None], 3, axis=1))
        here, there = cpu_ms(answer, repeats), cpu_ms(lambda net=published: net.forward(OUTPUTS), repeats)
        heat = own.get_tensor(own.get_output_details()[0]["index"])[0, ..., 0]
        difference = float(np.abs(heat - published.forward(OUTPUTS)[0][0, 0]).max())
        size = f"{height} x {width}"
        print(f"{size:>14}  {here:9.2f}  {there:9.2f}  {there / here:5.1f}  {difference:.1e}")


if __name__ == "__main__":
    main()
