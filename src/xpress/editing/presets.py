"""Expressions of emotions to start from."""

from __future__ import annotations

EMOTION_PRESETS: dict[str, dict[str, float]] = {
    "anger": {"AU4": 0.9, "AU5": 0.4, "AU7": 0.6, "AU23": 0.6},
    "disgust": {"AU9": 0.9, "AU10": 0.4, "AU15": 0.4, "AU17": 0.3},
    "fear": {"AU1": 0.8, "AU2": 0.5, "AU4": 0.4, "AU5": 0.8, "AU20": 0.6, "AU25": 0.9, "AU26": 0.2},
    "happiness": {"AU6": 0.7, "AU12": 0.9, "AU25": 0.8},
    "sadness": {"AU1": 0.9, "AU4": 0.4, "AU15": 0.7, "AU17": 0.3},
    "surprise": {"AU1": 0.8, "AU2": 0.9, "AU5": 0.6, "AU25": 1.0, "AU26": 0.7},
}
"""Intensities in [0, 1] of the units of EMFACS (Friesen and Ekman, 1983) that the seventeen hold,
chosen to be recognised in a photograph; units that are not named are at rest."""
