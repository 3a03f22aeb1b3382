"""A phantom for SIMPA: photoacoustics."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.files import atomic_path, write_text
from ThyroidSynthLib.export.materials import Material, common_wavelength, require
from ThyroidSynthLib.export.phantom import Phantom

from .contents import Medium, cubic_spacing_mm, media_of, numbered
from .folder import write_geometry, write_media, write_run

_PROGRAM = "SIMPA"
# SIMPA's devices lie at z = 0 and look along z: here at the front of the neck, towards the spine.
_TOWARDS = "LSP"
_PER_CM = 10.0

_SCRIPT = """
import json

import numpy as np
import simpa as sp
from simpa import Tags

segmentation, data = np.load("segmentation.npy"), json.loads(Path("tissues.json").read_text())
tissues = {}
for tissue in data["tissues"]:
    # In 1/cm, as SIMPA takes them.
    tissues[tissue["number"]] = sp.TISSUE_LIBRARY.constant(tissue["mua"], tissue["mus"], tissue["g"])
    for molecule in tissues[tissue["number"]]:
        molecule.speed_of_sound, molecule.density = tissue["speed_of_sound"], tissue["density"]
        molecule.alpha_coefficient = tissue["alpha_coefficient"]
settings = sp.Settings({
    Tags.SIMULATION_PATH: ".", Tags.VOLUME_NAME: "phantom", Tags.RANDOM_SEED: 1, Tags.WAVELENGTHS: data["wavelengths"],
    Tags.SPACING_MM: data["spacing_mm"], Tags.GPU: False,
    **{tag: n * data["spacing_mm"] for tag, n in zip(
        (Tags.DIM_VOLUME_X_MM, Tags.DIM_VOLUME_Y_MM, Tags.DIM_VOLUME_Z_MM), segmentation.shape)},
})
settings.set_volume_creation_settings(
    {Tags.INPUT_SEGMENTATION_VOLUME: segmentation, Tags.SEGMENTATION_CLASS_MAPPING: tissues}
)
# Add sp.MCXAdapter(settings) and the acoustic adapters here, with the settings of your device.
sp.simulate([sp.SegmentationBasedAdapter(settings)], settings, sp.RSOMExplorerP50(element_spacing_mm=1.0))
print("SIMPA filled", segmentation.shape, "voxels with", len(tissues), "tissues: phantom.hdf5")
"""

_ABOUT = """
segmentation.npy  number of the tissue of each voxel, array [x, y, z]; z goes from the front of the neck to the spine
structures.csv    which structure each number is
tissues.json      optical (1/cm) and acoustic properties of each tissue, as SIMPA takes them
run.py            fills SIMPA's volumes by its SegmentationBasedAdapter and writes phantom.hdf5. Optical and acoustic
                  simulation need the program mcx and, for ultrasound, k-Wave in MATLAB; add their adapters to the list.
"""


def write_simpa(phantom: Phantom, folder: Path) -> None:
    """Write labels with optical and acoustic properties for SIMPA; see `write_simulator`."""
    media = media_of(phantom)
    wavelength = common_wavelength([each.material for each in media], _PROGRAM)
    tissues = [_tissue(each, wavelength) for each in media]
    numbers = numbered(phantom, media, _TOWARDS)
    edge = cubic_spacing_mm(numbers.grid, _PROGRAM)
    with atomic_path(folder / "segmentation.npy") as temporary, temporary.open("wb") as stream:
        np.save(stream, np.ascontiguousarray(numbers.array.transpose(2, 1, 0)).astype(np.int32))
    write_media(folder / "structures.csv", media)
    document = {"wavelengths": [round(wavelength)], "spacing_mm": edge, "tissues": tissues}
    write_text(folder / "tissues.json", json.dumps(document, indent=1) + "\n")
    write_geometry(folder, numbers.grid, _TOWARDS)
    write_run(folder, _SCRIPT, program=_PROGRAM, install="pip install simpa", about=_ABOUT, towards=_TOWARDS)


def _tissue(medium: Medium, wavelength_nm: float) -> dict[str, float | int | str]:
    material: Material = medium.material
    optical = material.optical_at(wavelength_nm)
    if optical is None or optical.mu_a_per_mm is None or optical.g is None:
        raise AssertionError("common_wavelength returned a wavelength at which something is unknown")
    return {
        "number": medium.number,
        "name": medium.structure,
        "mua": round(optical.mu_a_per_mm * _PER_CM, 6),
        "mus": round(optical.mu_s_per_mm * _PER_CM, 6),
        "g": optical.g,
        "speed_of_sound": require(material, "sound_speed_m_s", _PROGRAM),
        "density": require(material, "density_kg_m3", _PROGRAM),
        "alpha_coefficient": require(material, "attenuation_db_cm_mhz", _PROGRAM),
    }
