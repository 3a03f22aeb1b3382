"""A phantom for GATE 10 (opengate): particles, such as the gamma rays of scintigraphy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import write_text
from ThyroidSynthLib.export.materials import Material, require
from ThyroidSynthLib.export.phantom import Phantom
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.volume_files import write_volume

from .contents import Medium, is_gland, media_of, numbered
from .folder import write_geometry, write_media, write_run

_PROGRAM = "GATE"
# The axes of a DICOM image, along which GATE lays its own.
_TOWARDS = "LPS"

_SCRIPT = """
import numpy as np
import opengate as gate
from opengate.geometry.materials import read_voxel_materials

sim = gate.Simulation(output_dir="output", random_seed=1)
sim.volume_manager.add_material_database("materials.db")
sim.world.size, sim.world.material = [1000, 1000, 1000], "air"
phantom = sim.add_volume("Image", "phantom")
phantom.image, phantom.material = "labels.mhd", "air"
phantom.load_input_image()
phantom.voxel_materials = read_voxel_materials("label_materials.txt", "air")
source = sim.add_source("VoxelSource", "thyroid")
source.image, source.attached_to = "activity.mhd", "phantom"
source.particle, source.n, source.energy.mono = "gamma", 10_000, 140.5 * gate.g4_units.keV
dose = sim.add_actor("DoseActor", "dose")
dose.attached_to, dose.output_filename = "phantom", "energy.mhd"
dose.size, dose.spacing = phantom.size_pix.tolist(), phantom.spacing.tolist()
sim.run()
"""

_ABOUT = """
labels.mhd/.raw      number of the structure of each voxel (MetaImage)
structures.csv       which structure each number is
materials.db         density and composition of each material, as GATE reads them
label_materials.txt  from which to which number (exclusive) which material
activity.mhd/.raw    1 in the thyroid: where the gamma rays of 140.5 keV (Tc-99m) start
run.py               emits 10,000 gamma rays and writes output/energy_edep.mhd, the energy that each voxel absorbs. GATE
                     lays the middle of the image at its origin. At its first start, opengate downloads the data of
                     Geant4.
"""


def write_gate(phantom: Phantom, folder: Path) -> None:
    """Write labels, materials and the thyroid as a source for GATE; see `write_simulator`."""
    media = media_of(phantom)
    texts = {each.material.name: _material_text(each.material) for each in media}
    numbers = numbered(phantom, media, _TOWARDS)
    gland = np.isin(numbers.array, [each.number for each in media if is_gland(each.structure)])
    if not gland.any():
        raise InputError("The phantom has no thyroid, so that there is no source for GATE. Use a larger grid.")
    images: dict[str, np.ndarray] = {
        "labels.mhd": numbers.array.astype(np.int16),
        "activity.mhd": gland.astype(np.float32),
    }
    for name, array in images.items():
        write_volume(Volume(array, numbers.ijk_to_ras), folder / name)
    write_media(folder / "structures.csv", media)
    write_text(folder / "materials.db", "[Materials]\n" + "\n".join(texts.values()))
    write_text(folder / "label_materials.txt", "".join(_interval(each) for each in media))
    write_geometry(folder, numbers.grid, _TOWARDS)
    write_run(folder, _SCRIPT, program=_PROGRAM, install="pip install opengate", about=_ABOUT, towards=_TOWARDS)


def _interval(medium: Medium) -> str:
    return f"{medium.number} {medium.number + 1} {medium.material.name}\n"


def _material_text(material: Material) -> str:
    """Return a material as GATE reads it; elements have the names of Geant4's own table, which are their symbols."""
    density = require(material, "density_kg_m3", _PROGRAM)
    require(material, "composition", _PROGRAM)
    shares = material.mass_fractions()
    head = f"{material.name}: d={density / 1000:.7g} g/cm3; n={len(shares)}\n"
    return head + "".join(f"+el: name={symbol}; f={share:.6f}\n" for symbol, share in shares.items())
