"""Draw a generated thyroid over the CT it was made for, with Slicer's own slice and 3D views.

Usage: python scripts/overlay_picture.py CASE_FOLDER THYROIDS_FOLDER PICTURE

The views are the real ones of the `slicer-core` wheel, drawn off screen by the stand-in for the
application that the tests use.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "ThyroidSynth"), str(ROOT / "Testing")]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def draw(case_folder: Path, thyroids_folder: Path, picture: Path) -> None:
    """Write a picture (PNG) of axial, coronal, sagittal and 3D views."""
    from standin import pictures
    from standin.session import open_session
    from ThyroidSynthLib.common.files import read_json
    from ThyroidSynthLib.dataset.case_sources import find_cases
    from ThyroidSynthLib.geometry.polydata import surface_of
    from ThyroidSynthLib.imaging.labels import THYROID
    from ThyroidSynthLib.slicer.scene.display.overlay import (
        bounds_of,
        jump_slices,
        look_from_front,
        show_ct,
        show_own_gland,
    )
    from ThyroidSynthLib.slicer.scene.patient.loading import load_case
    from ThyroidSynthLib.slicer.scene.terminology import find_segment
    from ThyroidSynthLib.slicer.scene.thyroids.segmentations import add_generated_thyroid

    session = open_session()
    session.app.layoutManager()
    session.four_views()
    loaded = load_case(session.scene, find_cases(case_folder)[0])
    show_ct(loaded.ct)
    entry = read_json(thyroids_folder / "manifest.json")["thyroids"][0]
    mesh = next(file["path"] for file in entry["files"] if file["path"].endswith(".ply"))
    surface = surface_of(opened_by_slicer(session.scene, thyroids_folder / mesh))
    thyroid = add_generated_thyroid(session.scene, "Generated thyroid", surface, ct=loaded.ct)
    show_own_gland(loaded.segmentation, find_segment(loaded.segmentation, THYROID), False)
    lower, upper = bounds_of(thyroid)
    jump_slices(session.scene, (lower + upper) / 2)
    look_from_front(session.scene, (lower + upper) / 2, float((upper - lower).max()))
    title = f"{entry['id']} over the CT of {case_folder.name} - synthetic case, not for clinical use"
    pictures.save(session.four_views(title), picture)
    session.close()


def opened_by_slicer(scene, path: Path):
    """Read a mesh as Slicer does when a user drops it in: the result lies where Slicer puts it."""
    model = scene.AddNewNodeByClass("vtkMRMLModelNode")
    storage = scene.AddNewNodeByClass("vtkMRMLModelStorageNode")
    storage.SetFileName(str(path))
    if not storage.ReadData(model):
        sys.exit(f"{path} cannot be read. Run the demo again.")
    return model.GetPolyData()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    draw(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
