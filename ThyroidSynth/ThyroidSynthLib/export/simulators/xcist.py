"""A phantom for XCIST (gecatsim): X-ray projections and CT."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import write_text
from ThyroidSynthLib.export.materials import Material, require
from ThyroidSynthLib.export.materials.material import ATOMIC_NUMBERS
from ThyroidSynthLib.export.neck.phantom_labels import AIR
from ThyroidSynthLib.export.phantom import Phantom
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.volume import Volume

from .contents import present_materials
from .folder import write_geometry, write_raw, write_run

_PROGRAM = "XCIST"
# XCIST's frame is right-handed: x to the left of a patient on the back, head first, y up. Its rows go down.
_TOWARDS = "LPI"
_SQUARE = 1e-3
_DISTANCE_MM, _DETECTOR_MM = 540.0, 950.0

_SCRIPT = """
import gecatsim as xc

ct = xc.CatSim("scan.cfg")
ct.resultsName = "phantom"
ct.run_all()

size = [ct.protocol.viewCount, ct.scanner.detectorRowCount, ct.scanner.detectorColCount]
views = xc.rawread(ct.resultsName + ".prep", size, "float")
print(f"{len(views)} views, largest line integral {views.max():.2f}")
"""

_ABOUT = """
phantom.json, *.raw  volume fractions of each material (float32, x fastest, rows from front to back), in XCIST's terms.
                     Air is left out, as in XCIST's own phantoms.
material/            density and composition of each material in XCIST's layout. Edit the numbers to change them.
scan.cfg             two views without noise at 70 keV, from the front and from the side. For a CT, set
                     protocol.viewsPerRotation = 1000 and protocol.viewCount = 1000, protocol.stopViewId = 999 and
                     physics.monochromatic = -1 (a spectrum of 120 kVp).
run.py               writes phantom.prep: line integrals (float32) [view, detector row, detector column].
"""


def write_xcist(phantom: Phantom, folder: Path) -> None:
    """Write volume fractions, materials and a scan for XCIST; see `write_simulator`."""
    grid = phantom.labels.volume.grid
    fractions = {name: share for name, share in phantom.fractions().items() if name != AIR and share.any()}
    if not fractions:
        raise InputError("The phantom has nothing but air, which XCIST cannot scan. Use a larger grid.")
    materials = present_materials(phantom)
    texts = {name: _material_file(materials[name]) for name in fractions}
    first = phantom.labels.volume.towards(_TOWARDS)
    _check_square(first.grid)
    for name, share in fractions.items():
        write_raw(folder / f"{name}.raw", Volume(share, grid.ijk_to_ras).towards(_TOWARDS).array)
        write_text(folder / "material" / name, texts[name])
    write_text(folder / "phantom.json", json.dumps(_description(list(fractions), first.grid), indent=1) + "\n")
    write_text(folder / "scan.cfg", _scan(first.grid))
    write_geometry(folder, first.grid, _TOWARDS)
    write_run(folder, _SCRIPT, program=_PROGRAM, install="pip install gecatsim", about=_ABOUT, towards=_TOWARDS)


def _description(names: list[str], grid: Grid) -> dict[str, object]:
    """Return the description of a voxelised phantom; the isocentre is in the middle of the voxels."""
    count, (nk, nj, ni) = len(names), grid.shape
    document: dict[str, object] = {
        "n_materials": count,
        "mat_name": [f"material/{name}" for name in names],
        "volumefractionmap_filename": [f"{name}.raw" for name in names],
        "volumefractionmap_datatype": ["float"] * count,
        "cols": [ni] * count,
        "rows": [nj] * count,
        "slices": [nk] * count,
    }
    for axis, size, number in zip("xyz", grid.spacing_mm.tolist(), (ni, nj, nk), strict=True):
        document[f"{axis}_size"] = [size] * count
        # Counted from 1.
        document[f"{axis}_offset"] = [(number + 1) / 2] * count
    return document


def _material_file(material: Material) -> str:
    """Return a material in XCIST's layout: number of elements, density in g/cm³, atomic numbers and mass fractions."""
    density = require(material, "density_kg_m3", _PROGRAM) / 1000
    require(material, "composition", _PROGRAM)
    shares = material.mass_fractions()
    rows = [f"{ATOMIC_NUMBERS[symbol]} {share:.6f}" for symbol, share in shares.items()]
    source = f"# {material.name}: density from {material.sources.get('density_kg_m3', 'unknown')};"
    return "\n".join(
        [
            source,
            f"# composition from {material.sources.get('composition', 'unknown')}",
            "# Number of elements, density in g/cm3, then atomic number and mass fraction of each:",
            str(len(shares)),
            f"{density:.7g}",
            *rows,
            "",
        ]
    )


def _scan(grid: Grid) -> str:
    """Return a scan whose detector sees the whole phantom from the front and from the side."""
    width, depth, height = grid.spacing_mm * grid.shape[::-1]
    radius = float(np.hypot(width, depth)) / 2
    # The nearest part of the phantom is enlarged most.
    scale = _DETECTOR_MM / max(_DISTANCE_MM - radius, _DISTANCE_MM / 4)
    rows, columns = (int(np.ceil(size * scale / 2)) * 2 for size in (height, 2 * radius))
    return f"""phantom.callback = "Phantom_Voxelized"
phantom.projectorCallback = "C_Projector_Voxelized"
phantom.projectorNumThreads = 2
phantom.filename = "phantom.json"
scanner.sid = {_DISTANCE_MM}
scanner.sdd = {_DETECTOR_MM}
scanner.detectorColCount = {columns}
scanner.detectorRowCount = {rows}
scanner.detectorRowsPerMod = {rows}
scanner.detectorColOffset = 0.0
protocol.viewsPerRotation = 4
protocol.viewCount = 2
protocol.stopViewId = 1
protocol.bowtie = []
physics.monochromatic = 70
physics.colSampleCount = 1
physics.rowSampleCount = 1
physics.srcXSampleCount = 1
physics.srcYSampleCount = 1
physics.viewSampleCount = 1
physics.enableQuantumNoise = 0
physics.enableElectronicNoise = 0
"""


def _check_square(grid: Grid) -> None:
    columns, rows, _ = grid.spacing_mm.tolist()
    if abs(columns - rows) > _SQUARE * columns:
        raise InputError(
            f"XCIST takes square voxels in axial slices only, but those of the phantom are {columns:.4g} x {rows:.4g} "
            "mm. Use --spacing."
        )
