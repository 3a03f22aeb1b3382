"""Generate thyroids of increasing volume with the same isthmus area and symmetry.

Usage: python steer_a_cohort.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np

from ThyroidSynthLib import ShapeModel

folder = Path(sys.argv[1])
folder.mkdir(parents=True)
model = ShapeModel.load("example")

thyroid = model.steer(volume_ml=8, isthmus_area_mm2=40, symmetry=0.6)
for volume_ml in np.linspace(8, 26, 7):
    thyroid = model.steer(thyroid, volume_ml=volume_ml, isthmus_area_mm2=40, symmetry=0.6)
    thyroid.save(folder / f"thyroid_{volume_ml:04.1f}_ml.stl")
    features = thyroid.features
    print(
        f"{features.volume_ml:5.2f} mL, {features.isthmus_area_mm2:5.1f} mm², symmetry {features.symmetry:.3f}",
        "" if thyroid.met else "(targets not met)",
    )
