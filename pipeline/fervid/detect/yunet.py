"""YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023) through OpenCV, with a model file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from fervid.detect.effort import Effort
from fervid.detect.options import DetectorOptions
from fervid.errors import ConfigError


class YuNetOptions(DetectorOptions):
    """OpenCV's YuNet, with the user's model file."""

    model_path: str | None = Field(default=None, description="the model, a face_detection_yunet_*.onnx file")
    score_threshold: float = Field(default=0.7, ge=0, le=1, description="least score of a face")
    nms_threshold: float = Field(default=0.3, ge=0, le=1, description="boxes whose IoU is higher are one face")


class YuNetDetector:
    """Faces by a small convolutional network; turned heads too. Needs a `face_detection_yunet_*.onnx` file."""

    Options = YuNetOptions
    smallest_face_px = 20
    searches_windows = False
    box_shape = 0.9

    def __init__(
        self, *, model_path: str | None = None, score_threshold: float = 0.7, nms_threshold: float = 0.3
    ) -> None:
        from fervid.base.opencv import cv2  # not needed to read settings

        self._cv2 = cv2
        if not model_path or not Path(model_path).is_file():
            raise ConfigError(
                f"the yunet detector needs its model file (detect.yunet.model_path = {model_path!r}). "
                "Download face_detection_yunet_2023mar.onnx from the OpenCV Zoo and give its path."
            )
        try:
            self._network = cv2.FaceDetectorYN.create(str(model_path), "", (320, 320), score_threshold, nms_threshold)
        except cv2.error as problem:
            raise ConfigError(f"{model_path} is not a YuNet model that OpenCV can read ({problem.msg}).") from None

    def detect(
        self,
        gray: np.ndarray,
        *,
        max_face_px: float | None = None,  # noqa: ARG002 (one pass finds every size)
        effort: Effort = "normal",  # noqa: ARG002
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """uint8 (H, W) -> boxes float32 (n, 4), confidence float32 (n,), landmarks float32 (n, 5, 2).

        The confidence is the network's own score; its landmarks are in the order that `Detector` asks for.
        """
        height, width = gray.shape
        self._network.setInputSize((width, height))
        _, found = self._network.detect(self._cv2.cvtColor(gray, self._cv2.COLOR_GRAY2BGR))
        if found is None:
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        boxes = np.asarray(found[:, :4], np.float32).copy()
        boxes[:, 2:] += boxes[:, :2]
        landmarks = np.asarray(found[:, 4:14], np.float32).reshape(-1, 5, 2)
        return boxes, np.clip(found[:, -1], 0, 1).astype(np.float32), landmarks
