"""A phantom for MCX (Monte Carlo eXtreme): light in tissue."""

from __future__ import annotations

import json
from pathlib import Path

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import write_text
from ThyroidSynthLib.export.materials import common_wavelength
from ThyroidSynthLib.export.phantom import Phantom

from .contents import Medium, beam_of, cubic_spacing_mm, media_of, numbered
from .folder import write_geometry, write_media, write_raw, write_run

_PROGRAM = "MCX"
_TOWARDS = "RAS"
_MOST_MEDIA = 256

_SCRIPT = """
import csv
import json

import numpy as np
import pmcxcl

mcx = json.loads(Path("mcx.json").read_text())
domain, source, forward = mcx["Domain"], mcx["Optode"]["Source"], mcx["Forward"]
volume = np.fromfile(domain["VolumeFile"], np.uint8).reshape(domain["Dim"], order="F")
media = np.array([[each[key] for key in ("mua", "mus", "g", "n")] for each in domain["Media"]])
absorbed = pmcxcl.run(
    nphoton=mcx["Session"]["Photons"], seed=mcx["Session"]["RNGSeed"], isreflect=1, outputtype="energy",
    vol=volume, prop=media, unitinmm=domain["LengthUnit"], issrcfrom0=1, srcpos=source["Pos"], srcdir=source["Dir"],
    tstart=forward["T0"], tend=forward["T1"], tstep=forward["Dt"],
)["flux"].reshape(volume.shape, order="F")
np.save("absorbed.npy", absorbed)
for row in csv.DictReader(open("structures.csv")):
    share = absorbed[volume == int(row["number"])].sum() / absorbed.sum()
    print(f"{row['structure']:32} {100 * share:8.4f} % of the absorbed light")
"""

_ABOUT = """
volume.bin      number of the medium of each voxel (uint8, x fastest); 0 is the air around the body
structures.csv  which structure each number is
mcx.json        optical properties of each medium, and a pencil beam that enters at the front of the neck, before the
                thickest place of the thyroid; also the input of the program mcx itself: mcx -f mcx.json
run.py          writes absorbed.npy, the energy that each voxel [x, y, z] absorbs, and prints each structure's share
"""


def write_mcx(phantom: Phantom, folder: Path) -> None:
    """Write labels, optical properties and a beam for MCX; see `write_simulator`."""
    media = media_of(phantom)
    if len(media) > _MOST_MEDIA:
        raise InputError(f"MCX takes at most {_MOST_MEDIA} labels, but the phantom has {len(media)}. Merge some.")
    wavelength = common_wavelength([each.material for each in media], _PROGRAM)
    numbers = numbered(phantom, media, _TOWARDS)
    edge, beam = cubic_spacing_mm(numbers.grid, _PROGRAM), beam_of(phantom)
    document = {
        "Session": {
            "ID": "phantom",
            "Photons": 100_000,
            "RNGSeed": 1,
            "DoMismatch": True,
            "DoNormalize": True,
            "OutputType": "E",
        },
        "Forward": {"T0": 0.0, "T1": 5e-9, "Dt": 5e-9},
        "Domain": {
            "VolumeFile": "volume.bin",
            "Dim": list(numbers.grid.shape[::-1]),
            # Positions count from the corner of the first voxel.
            "OriginType": 1,
            "LengthUnit": edge,
            "Media": [_medium(each, wavelength) for each in media],
        },
        "Optode": {
            # Just under the skin, so that the beam starts in the body.
            "Source": {"Type": "pencil", "Pos": [beam.i + 0.5, beam.skin + 0.99, beam.k + 0.5], "Dir": [0, -1, 0, 0]},
        },
        "Comment": f"Optical properties at {wavelength:g} nm, in 1/mm",
    }
    write_raw(folder / "volume.bin", numbers.array)
    write_media(folder / "structures.csv", media)
    write_text(folder / "mcx.json", json.dumps(document, indent=1) + "\n")
    write_geometry(folder, numbers.grid, _TOWARDS)
    write_run(
        folder,
        _SCRIPT,
        program=_PROGRAM,
        install="pip install pmcxcl  (and an OpenCL runtime, such as that of your graphics card)",
        about=_ABOUT,
        towards=_TOWARDS,
    )


def _medium(medium: Medium, wavelength_nm: float) -> dict[str, float]:
    optical = medium.material.optical_at(wavelength_nm)
    if optical is None or optical.mu_a_per_mm is None or optical.g is None or optical.n is None:
        raise AssertionError("common_wavelength returned a wavelength at which something is unknown")
    return {"mua": optical.mu_a_per_mm, "mus": round(optical.mu_s_per_mm, 6), "g": optical.g, "n": optical.n}
