"""What the view of one long run costs: frames per second of its charts, memory, and the answer to another threshold.

Used by `review.py`, which prints these beside their bars.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from browser import OPTIONS, open_page

FRAMES = 120
MEGABYTE = 1_000_000

MOVES = """async ([kind, frames]) => {
    const box = (element) => element.getBoundingClientRect();
    const slider = document.querySelector('[role=slider]');
    const strip = document.querySelector('.overview-strip canvas');
    const target = kind === 'pan' ? strip : slider;
    target.setPointerCapture = () => {};
    const { left, top, width } = box(target);
    const at = (x, y) => ({ clientX: x, clientY: y, button: 0, bubbles: true, cancelable: true, pointerId: 1 });
    const send = (type, x, y) => target.dispatchEvent(new PointerEvent(type, at(x, y)));
    const wheel = (delta, x, y) => new WheelEvent('wheel', { ...at(x, y), deltaY: delta, ctrlKey: true });
    const y = top + (kind === 'scrub' ? 6 : 15);
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    if (kind !== 'zoom') send('pointerdown', left + 0.3 * width, y);
    await frame();
    const start = performance.now();
    for (let i = 0; i < frames; i++) {
        const share = 0.3 + 0.25 * Math.sin(i / 9);
        if (kind === 'zoom') target.dispatchEvent(wheel(i % 40 < 20 ? -1 : 1, left + 0.5 * width, y));
        else send('pointermove', left + share * width, y);
        await frame();
    }
    const seconds = (performance.now() - start) / 1000;
    send('pointerup', left + 0.3 * width, y);
    return frames / seconds;
}"""
"""Moves something once per frame of the screen: the cursor, the brush of the overview, or the zoom."""

THRESHOLD = """async (value) => {
    const slider = document.querySelector('.threshold input');
    const outcome = document.querySelector('.outcome');
    const start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event('input'));
    const isThere = () => outcome.textContent.includes(Number(value).toFixed(2));
    while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 5));
    return (performance.now() - start) / 1000;
}"""


def measure_charts(browser: Any, address: str, cpu_seconds: Callable[[], float]) -> None:
    """Print how many frames per second the charts of a run reach, the memory of its page, and the rule's answers.

    `cpu_seconds` are those of browser and server so far: what a frame costs does not depend on what else runs.
    """
    context = browser.new_context(**OPTIONS)
    opened = open_page(context, address)
    page = opened.page
    page.locator(".answer").first.wait_for()
    page.locator("[role=slider]").scroll_into_view_if_needed()
    words = []
    for kind in ("scrub", "pan", "zoom"):
        before = cpu_seconds()
        rate = page.evaluate(MOVES, [kind, FRAMES])
        words.append(f"{kind} {rate:.0f} ({(cpu_seconds() - before) / FRAMES * 1000:.0f} CPU ms each)")
        if kind == "scrub":
            for _ in range(5):
                page.keyboard.press("+")
    print(f"an hour: frames per second of the charts (bar 30): {', '.join(words)}")
    session = context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")
    used = sum(heap[name] for name in ("usedSize", "embedderHeapUsedSize", "backingStorageSize") if name in heap)
    print(f"an hour: heap of the page with its arrays {used / MEGABYTE:.0f} MB (bar 80)")
    waits = [page.evaluate(THRESHOLD, value) for value in (0.7, 0.4, 0.6)]
    print(f"an hour: another threshold is answered after {max(waits):.2f} s at most")
    assert opened.problems == [], opened.problems
    context.close()
