"""Settings of an analysis: their definitions (`settings`) and sources (`load`)."""

from fervid.config.load import load_settings, parse_time, preset_names
from fervid.config.settings import (
    OBSERVE_SECTIONS,
    BaselineSettings,
    DetectSettings,
    EmotionSettings,
    GateSettings,
    Settings,
)

__all__ = [
    "OBSERVE_SECTIONS",
    "BaselineSettings",
    "DetectSettings",
    "EmotionSettings",
    "GateSettings",
    "Settings",
    "load_settings",
    "parse_time",
    "preset_names",
]
