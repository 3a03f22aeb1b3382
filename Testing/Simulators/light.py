"""Light: the share that the thyroid absorbs in MCX, and the optics that SIMPA fills in."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from environments import Environment
from phantoms import Written
from pictures import Panel
from table import Row

from ThyroidSynthLib.geometry.volume import Volume

_SIMPA_FIELDS = """
import sys
import h5py
import numpy as np
with h5py.File(sys.argv[1]) as file:
    fields = file["simulations/simulation_properties"]
    np.savez(sys.argv[2], mua=fields["mua/800"], speed=fields["sos"])
"""


def mcx_rows(environment: Environment, small: Written, large: Written) -> tuple[list[Row], list[Panel]]:
    """Return the shares of light of two thyroids of which the second has twice the volume."""
    shares = []
    for phantom in (small, large):
        environment.run(phantom.simulator("mcx") / "run.py")
        shares.append(_absorbed_share(phantom))
    before, after = shares
    return [
        Row(
            environment.version(),
            "share of the absorbed light in a thyroid of "
            f"{small.document['written']['volume_ml']:.1f} and of {large.document['written']['volume_ml']:.1f} mL",
            f"{100 * before:.2f} and {100 * after:.2f} %",
            "more in the larger one, and most of it in other tissue",
            0.0005 < before < 0.5 and before * 1.05 < after < 0.5,
        ),
        _skin_row(environment, small),
    ], [_picture(small)]


def _absorbed_share(phantom: Written) -> float:
    absorbed, structures = _absorbed(phantom), _structures(phantom.simulator("mcx"))
    volume = _mcx_volume(phantom)
    assert volume.shape == absorbed.shape
    return float(absorbed[volume == structures["thyroid_gland"]].sum() / absorbed.sum())


def _skin_row(environment: Environment, phantom: Written) -> Row:
    """Compare where light is absorbed with where the beam enters, by the label map's own coordinates."""
    absorbed = _absorbed(phantom)
    source = json.loads((phantom.simulator("mcx") / "mcx.json").read_text())["Optode"]["Source"]["Pos"]
    volume = Volume(absorbed.transpose(2, 1, 0), _matrix(phantom.simulator("mcx")))
    brightest = volume.to_ras(np.array(np.unravel_index(int(absorbed.argmax()), absorbed.shape), dtype=float))
    label = phantom.labels
    i, j, k = np.rint(label.to_ijk(volume.to_ras(np.array(source) - 0.5))).astype(int)
    distance = float(np.linalg.norm(brightest - label.to_ras(np.array([i, j, k], dtype=float))))
    inside = label.array[k, j, i] != 0
    return Row(
        environment.version(),
        "distance of the brightest voxel from where the beam enters the skin, in the label map's coordinates",
        f"{distance:.1f} mm, {'in' if inside else 'outside'} the body",
        "at most 4 mm, in the body",
        distance <= 4 and bool(inside),
    )


def simpa_rows(environment: Environment, phantom: Written, work: Path) -> tuple[list[Row], list[Panel]]:
    """Return the absorption that SIMPA gave to the thyroid, and the volume in which it did."""
    folder, fields = phantom.simulator("simpa"), work / "simpa.npz"
    environment.run(folder / "run.py")
    script = work / "simpa_fields.py"
    script.write_text(_SIMPA_FIELDS)
    environment.run(script, folder / "phantom.hdf5", fields)
    optical = phantom.material("thyroid")["optical"][0]
    with np.load(fields) as found:
        mua, speed = found["mua"], found["speed"]
    gland = np.isclose(mua, 10 * optical["mu_a_per_mm"], rtol=1e-3)
    volume_ml = gland.sum() * phantom.labels.voxel_volume_ml
    known = float((phantom.labels.array == phantom.gland).sum() * phantom.labels.voxel_volume_ml)
    index = np.argwhere(gland).mean(axis=0)
    centre = Volume(mua.transpose(2, 1, 0), _matrix(folder)).to_ras(index)
    expected = Volume((phantom.labels.array == phantom.gland), phantom.labels.ijk_to_ras).center_of_mass_ras()
    return [
        Row(
            environment.version(),
            "volume with the thyroid's absorption (0.27 per cm), and distance of its centre from the label map's",
            f"{volume_ml:.2f} mL, {np.linalg.norm(centre - expected):.2f} mm",
            f"{known:.2f} mL, 0 mm",
            abs(volume_ml / known - 1) < 1e-6 and np.linalg.norm(centre - expected) < 0.01,
        ),
        Row(
            environment.version(),
            "speed of sound in that volume",
            f"{speed[gland].mean():.0f} m/s",
            f"{phantom.material('thyroid')['sound_speed_m_s']} m/s in the table",
            bool(np.allclose(speed[gland], phantom.material("thyroid")["sound_speed_m_s"])),
        ),
    ], [Panel("SIMPA: absorption", np.log10(mua[:, int(index[1])].T + 1e-3), "magma", "log10 of 1/cm")]


def _picture(phantom: Written) -> Panel:
    absorbed, volume = _absorbed(phantom), _mcx_volume(phantom)
    number = _structures(phantom.simulator("mcx"))["thyroid_gland"]
    source = json.loads((phantom.simulator("mcx") / "mcx.json").read_text())["Optode"]["Source"]["Pos"]
    plane = int(source[2])
    with np.errstate(divide="ignore"):
        picture = np.log10(absorbed[::-1, ::-1, plane].T)
    return Panel(
        "MCX: absorbed light, axial",
        np.where(np.isfinite(picture), np.maximum(picture, -10), np.nan),
        "inferno",
        "log10 of the share per voxel",
        outline=(volume[::-1, ::-1, plane] == number).T,
    )


def _absorbed(phantom: Written) -> np.ndarray:
    return np.load(phantom.simulator("mcx") / "absorbed.npy")


def _mcx_volume(phantom: Written) -> np.ndarray:
    folder = phantom.simulator("mcx")
    size = json.loads((folder / "mcx.json").read_text())["Domain"]["Dim"]
    return np.fromfile(folder / "volume.bin", np.uint8).reshape(size, order="F")


def _structures(folder: Path) -> dict[str, int]:
    with (folder / "structures.csv").open() as stream:
        return {row["structure"]: int(row["number"]) for row in csv.DictReader(stream)}


def _matrix(folder: Path) -> np.ndarray:
    return np.array(json.loads((folder / "geometry.json").read_text())["index_to_ras_mm"])
