"""Make the clips that speeds are compared on, from footage where there is any, else drawn. Needs ffmpeg for footage.

    group   1080p25, H.264 with B frames and a light noise, four scenes side by side, two to three faces
    cctv    1080p25, a static camera without a frontal face
    small   596 x 336, one person

Drawn clips (`drawn`, 1080p25 H.264 with B frames) show a public-domain portrait that moves over a detailed ground.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SCENES = {
    "woman2": "faces/woman2.mp4",
    "hamilton": "trailers/hamilton_stage.mp4",
    "test": "faces/fer_test.mp4",
    "onebyone": "cctv/one-by-one-person-detection.mp4",
}
FRAME_RATE, WIDTH_PX, HEIGHT_PX = 25, 1920, 1080
NOISE = "noise=alls=5:allf=t,format=yuv420p"
PORTRAIT_WIDTH_PX, DRIFT_PX = 420, 600


def reference_clips(videos: Path | None, folder: Path, *, seconds: float) -> dict[str, Path]:
    """Name to clip, each at least `seconds` long where its source is; what `folder` holds already is taken as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    if videos is None or not shutil.which("ffmpeg") or not all((videos / name).is_file() for name in SCENES.values()):
        return {"drawn": _existing(folder / "drawn_h264.mp4") or _draw(folder / "drawn_h264.mp4", seconds)}
    sources = {name: videos / path for name, path in SCENES.items()}
    group, cctv, small = folder / "group_h264.mp4", folder / "cctv_h264.mp4", folder / "small_h264.mp4"
    if not group.exists():
        _make_group(sources, group, seconds)
    if not cctv.exists():
        picture = f"fps={FRAME_RATE},scale={WIDTH_PX}:{HEIGHT_PX},setsar=1,format=yuv420p"
        _ffmpeg("-i", sources["onebyone"], "-vf", picture, *_encoder(seconds, "3M", b_frames=0), cctv)
    if not small.exists():
        shutil.copyfile(sources["woman2"], small)
    return {"group": group, "cctv": cctv, "small": small}


def beginning(clip: Path, seconds: float, folder: Path) -> Path:
    """The first `seconds` of a clip, its packets copied as they are."""
    import av

    path = folder / f"{clip.stem}-{seconds:g}s{clip.suffix}"
    if path.exists():
        return path
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        last = seconds / stream.time_base + (stream.start_time or 0)
        for packet in source.demux(stream):
            if packet.dts is None or packet.dts >= last:
                break
            packet.stream = copy
            target.mux(packet)
    return path


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _encoder(seconds: float, bits: str, *, b_frames: int) -> list[str]:
    size = ["-maxrate", f"{int(bits[:-1]) * 4 // 3}M", "-bufsize", f"{2 * int(bits[:-1])}M"]
    options = ["-t", f"{seconds:g}", "-an", "-c:v", "libx264", "-preset", "veryfast", "-bf", str(b_frames), "-g", "50"]
    return [*options, "-b:v", bits, *size]


def _make_group(sources: dict[str, Path], path: Path, seconds: float) -> None:
    quarter = f"fps={FRAME_RATE},scale={WIDTH_PX // 2}:{HEIGHT_PX // 2},setsar=1"
    inputs: list[str | Path] = []
    for name, source in sources.items():
        inputs += ["-stream_loop", "-1", *(("-ss", "20") if name == "onebyone" else ()), "-i", source]
    scenes = ";".join(f"[{i}:v]{quarter}[s{i}]" for i in range(len(sources)))
    stack = "".join(f"[s{i}]" for i in range(len(sources))) + "xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0"
    _ffmpeg(*inputs, "-filter_complex", f"{scenes};{stack},{NOISE}", *_encoder(seconds, "6M", b_frames=3), path)


def _ffmpeg(*arguments: str | Path) -> None:
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *map(str, arguments)]
    partial = Path(command[-1]).with_suffix(".part.mp4")
    subprocess.run([*command[:-1], str(partial)], check=True)
    partial.rename(command[-1])


def _draw(path: Path, seconds: float) -> Path:
    import av
    import numpy as np

    from fervid.base.opencv import cv2
    from fervid.demo.photograph import portrait

    rng = np.random.default_rng(1)
    size = WIDTH_PX, HEIGHT_PX
    ground = cv2.resize(rng.integers(40, 200, (90, 160)).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC)
    face = portrait()[:430, 30:480]
    scale = PORTRAIT_WIDTH_PX / face.shape[1]
    face = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    partial = path.with_suffix(".part.mp4")
    with av.open(str(partial), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options={"preset": "veryfast", "bf": "3", "g": "50"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for i in range(round(seconds * FRAME_RATE)):
            picture = np.roll(ground, i // 2, axis=1)
            left = round((WIDTH_PX - PORTRAIT_WIDTH_PX) / 2 + DRIFT_PX * np.sin(i / FRAME_RATE / 2))
            top = HEIGHT_PX - face.shape[0]
            picture[top:, left : left + face.shape[1]] = face
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    partial.rename(path)
    return path
