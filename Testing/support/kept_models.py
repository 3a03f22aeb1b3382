"""Small trained models that tests share. `python Testing/support/kept_models.py` trains them again.

They are checked in because training gives slightly different weights on each kind of CPU (rounding of sums), and
tests of steering and fitting should not depend on the machine. Training has tests of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TESTING = Path(__file__).resolve().parents[1]
FOLDER = TESTING / "Data" / "models"

# "small", "siren" and "baseline" know 24 cases: enough to reconstruct and steer within a few per cent. "tiny" knows 6,
# and is flat around the surface, so that glands unlike its own have some surface after a fit.
_SMALL = {"hidden_layers": 3, "latent_size": 8, "learning_rate": 5e-3, "latent_learning_rate": 5e-3}
_SINES = {"activation": "siren", "learning_rate": 5e-4, "latent_size": 40}
_CASES_AND_CHOICES: dict[str, tuple[int, dict[str, Any]]] = {
    "small": (24, {"epochs": 300, **_SMALL}),
    "siren": (24, {"epochs": 300, **_SMALL, **_SINES}),
    "baseline": (24, {"epochs": 60, "variant": "baseline"}),
    "tiny": (6, {"surface_share": None}),
}
SAMPLES = {24: 4000, 6: 2000}
"""Samples per shape of the cohorts they were learned on, by the number of cases."""


def kept_model(name: str) -> Path:
    """Return the file of one of them; its cohort is `write_tiny_cohort` with as many cases."""
    return FOLDER / f"{name}.safetensors"


def main() -> None:
    """Learn them all."""
    from support.tiny_cohort import write_tiny_cohort
    from support.tiny_model import train_tiny_model

    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (cases, choices) in _CASES_AND_CHOICES.items():
        with TemporaryDirectory() as folder:
            cohort = write_tiny_cohort(Path(folder) / "cohort", cases=cases, samples_per_shape=SAMPLES[cases])
            train_tiny_model(cohort, kept_model(name), **choices)
        print(kept_model(name))
    from support.necks import with_tubes
    from ThyroidSynthLib.model.trained_model import TrainedModel

    # "necks" is "small" with two organs.
    with_tubes(TrainedModel.load(kept_model("small"))).save(kept_model("necks"))


if __name__ == "__main__":
    sys.path[:0] = [str(TESTING.parent / "ThyroidSynth"), str(TESTING / "Python")]
    main()
