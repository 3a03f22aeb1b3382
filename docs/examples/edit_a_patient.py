"""Enlarge a patient's thyroid by 20 % and keep its isthmus area and symmetry.

Usage: python edit_a_patient.py FOLDER [CASE]

CASE is a folder with the masks of thyroid and trachea, such as a case of the TotalSegmentator dataset.
Without it a synthetic case is made.
"""

import sys
from pathlib import Path

from ThyroidSynthLib import ShapeModel
from ThyroidSynthLib.dataset.synthetic import write_example_dataset

folder = Path(sys.argv[1])
folder.mkdir(parents=True)
if len(sys.argv) > 2:
    case = Path(sys.argv[2])
else:
    write_example_dataset(folder / "dataset", cases=1, seed=4, defective_share=0, with_ct=False, workers=1)
    case = next((folder / "dataset").glob("s*"))

model = ShapeModel.load("example")
fitted = model.fit(case)
print(f"Fit: Dice {fitted.dice:.3f}, ASSD {fitted.assd_mm:.2f} mm, HD95 {fitted.hd95_mm:.2f} mm")

edited = model.edit(case, volume_ml=1.2 * fitted.case.measured["volume_ml"])
for name, before in edited.before.as_dict().items():
    print(f"{name}: {before:.2f} -> {edited.features.as_dict()[name]:.2f}")
print("Written:", edited.save(folder / "edited.nii.gz"), edited.save(folder / "edited.stl"))
