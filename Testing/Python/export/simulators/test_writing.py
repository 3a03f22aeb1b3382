"""What is written for simulators: the right tissue at the right place, in the units of each program."""

from __future__ import annotations

import ast
import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.phantom_hands import LEFT_CENTRE, RIGHT_CENTRE, small_phantom
from ThyroidSynthLib.cli.shared.simulators import add_simulator_options, simulator_files_of
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.export.materials import Material, MaterialTable, standard_materials
from ThyroidSynthLib.export.phantom import Phantom
from ThyroidSynthLib.export.simulators import SIMULATORS, SimulatorFiles, write_simulator
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import LabelMap

PLACES = {
    "thyroid_gland": [LEFT_CENTRE, RIGHT_CENTRE],
    "trachea": [(0.0, -5.0, 0.0)],
    "vertebrae_C6": [(0.0, -38.0, 10.0)],
    "muscle": [(30.0, -20.0, -20.0)],
    "soft_tissue": [(0.0, 16.5, 0.0)],
    "air": [(-45.0, 20.0, 25.0)],
}
"""Positions in `ras_mm` of `small_phantom` whose structure is known."""


@pytest.fixture(params=["RAS", "LPS", "SAR"])
def phantom(request: pytest.FixtureRequest) -> Phantom:
    return small_phantom(axes=request.param)


def index_of(folder: Path, ras_mm: tuple[float, float, float]) -> tuple[int, ...]:
    """Return the index (x, y, z) of the voxel at a position, by geometry.json."""
    matrix = np.array(json.loads((folder / "geometry.json").read_text())["index_to_ras_mm"])
    return tuple(np.rint(np.linalg.solve(matrix, [*ras_mm, 1.0])[:3]).astype(int).tolist())


def structures(folder: Path) -> dict[str, int]:
    with (folder / "structures.csv").open() as stream:
        return {row["structure"]: int(row["number"]) for row in csv.DictReader(stream)}


def written(name: str, phantom: Phantom, tmp_path: Path) -> Path:
    write_simulator(name, phantom, tmp_path / name)
    return tmp_path / name


def test_mcx_gets_each_tissue_at_its_place_with_its_optics(phantom: Phantom, tmp_path: Path) -> None:
    folder = written("mcx", phantom, tmp_path)
    mcx, numbers = json.loads((folder / "mcx.json").read_text()), structures(folder)
    volume = np.fromfile(folder / "volume.bin", np.uint8).reshape(mcx["Domain"]["Dim"], order="F")

    for structure, places in PLACES.items():
        for place in places:
            assert volume[index_of(folder, place)] == numbers[structure], structure
    assert numbers["air"] == 0 and mcx["Domain"]["LengthUnit"] == 3
    thyroid, optical = (
        mcx["Domain"]["Media"][numbers["thyroid_gland"]],
        phantom.materials.materials["thyroid"].optical[0],
    )
    assert thyroid["mua"] == optical.mu_a_per_mm
    assert thyroid["mus"] * (1 - thyroid["g"]) == pytest.approx(optical.mu_s_reduced_per_mm, rel=1e-5)
    assert mcx["Domain"]["Media"][0] == {"mua": 0, "mus": 0, "g": 1, "n": 1}


def test_the_beam_of_mcx_enters_the_skin_before_the_thickest_lobe(phantom: Phantom, tmp_path: Path) -> None:
    folder = written("mcx", phantom, tmp_path)
    mcx, numbers = json.loads((folder / "mcx.json").read_text()), structures(folder)
    volume = np.fromfile(folder / "volume.bin", np.uint8).reshape(mcx["Domain"]["Dim"], order="F")
    source = mcx["Optode"]["Source"]
    x, y, z = (int(position) for position in source["Pos"])

    assert source["Dir"][:3] == [0, -1, 0]
    assert volume[x, y, z] == numbers["soft_tissue"] and not volume[x, y + 1 :, z].any()
    assert (volume[x, :y, z] == numbers["thyroid_gland"]).sum() * 3 >= 12


def test_xcist_gets_the_shares_of_each_material_with_the_front_up(phantom: Phantom, tmp_path: Path) -> None:
    folder = written("xcist", phantom, tmp_path)
    document = json.loads((folder / "phantom.json").read_text())
    shape = document["slices"][0], document["rows"][0], document["cols"][0]
    shares = {
        Path(name).name: np.fromfile(folder / raw, np.float32).reshape(shape)
        for name, raw in zip(document["mat_name"], document["volumefractionmap_filename"], strict=True)
    }

    materials = {"thyroid_gland": "thyroid", "vertebrae_C6": "bone", "muscle": "muscle", "soft_tissue": "soft_tissue"}
    for structure, material in materials.items():
        for place in PLACES[structure]:
            x, y, z = index_of(folder, place)
            assert shares[material][z, y, x] == 1, structure
    assert set(shares) == {"thyroid", "bone", "muscle", "soft_tissue"}
    # The front of the neck has the first rows, its left side the last columns, and the lower end the last slices.
    where = np.argwhere(shares["bone"]).mean(axis=0) - np.argwhere(shares["thyroid"]).mean(axis=0)
    assert where[1] > 0
    left = np.argwhere(shares["thyroid"][:, :, shape[2] // 2 :]).mean(axis=0)
    right = np.argwhere(shares["thyroid"][:, :, : shape[2] // 2]).mean(axis=0)
    assert left[0] < right[0]
    assert document["x_offset"][0] == (shape[2] + 1) / 2 and document["x_size"][0] == 3


def test_the_thyroid_of_xcist_has_the_volume_of_its_surface(tmp_path: Path) -> None:
    phantom = small_phantom(with_surface=True)
    folder = written("xcist", phantom, tmp_path)

    share = np.fromfile(folder / "thyroid.raw", np.float32)

    assert share.sum(dtype=np.float64) * 27 == pytest.approx(phantom.parts[17].volume, rel=2e-3)
    assert ((share > 0) & (share < 1)).any()


def test_a_material_of_xcist_has_density_and_atomic_numbers(tmp_path: Path) -> None:
    folder = written("xcist", small_phantom(), tmp_path)

    lines = (folder / "material" / "thyroid").read_text().splitlines()
    numbers = [line.split() for line in lines if line[0].isdigit()]

    assert (numbers[0], numbers[1]) == (["10"], ["1.05"])
    shares = {int(element): float(share) for element, share in numbers[2:]}
    assert shares[53] == pytest.approx(0.001) and sum(shares.values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("program", ["kwave", "jwave"])
def test_ultrasound_gets_speed_and_density_of_each_tissue(phantom: Phantom, program: str, tmp_path: Path) -> None:
    folder = written(program, phantom, tmp_path)
    data = arrays_of(folder)
    materials = phantom.materials

    for structure, places in PLACES.items():
        material = materials.of_structure(structure)
        for place in places:
            at = index_of(folder, place)
            assert data["sound_speed"][at] == pytest.approx(material.sound_speed_m_s, rel=1e-5), structure
            # Air is denser than it is, because the solvers are unstable otherwise.
            assert data["density"][at] == pytest.approx(max(material.density_kg_m3, 400), rel=1e-5), structure
            assert data["alpha_coeff"][at] == pytest.approx(material.attenuation_db_cm_mhz, rel=1e-5), structure
    assert data["spacing"] == pytest.approx([0.003] * 3)
    assert float(data["alpha_power"]) == 1


def test_a_voxel_of_two_materials_takes_a_wave_as_long_as_both(tmp_path: Path) -> None:
    phantom = small_phantom(with_surface=True)
    data, fractions = arrays_of(written("kwave", phantom, tmp_path)), phantom.fractions()
    share = fractions["thyroid"].transpose(2, 1, 0)
    mixed = (share > 0.2) & (share < 0.8) & (fractions["muscle"].transpose(2, 1, 0) > 0.19)

    assert mixed.sum() > 10
    muscle = fractions["muscle"].transpose(2, 1, 0)[mixed]
    alone = np.isclose(muscle + share[mixed], 1)
    slowness = (share[mixed] / 1561 + muscle / 1547)[alone]
    assert 1 / data["sound_speed"][mixed][alone] == pytest.approx(slowness, rel=1e-5)


@pytest.mark.parametrize("program", ["kwave", "jwave"])
def test_the_pulse_starts_under_the_skin_and_the_sensors_lie_behind_it(program: str, tmp_path: Path) -> None:
    folder = written(program, small_phantom(spacing_mm=(2.0, 2.0, 2.0)), tmp_path)
    data = arrays_of(folder)
    source = np.array(np.unravel_index(int(data["p0"].argmax()), data["p0"].shape))

    assert data["p0"].max() == 1
    sensors = np.argwhere(data["sensor_mask"]) if program == "kwave" else data["sensors"]
    assert (sensors[:, [0, 2]] == source[[0, 2]]).all()
    assert sensors[:, 1].max() == source[1]
    # 1561 m/s is the thyroid; the line goes through it.
    assert (np.rint(data["sound_speed"][tuple(sensors.T)]) == 1561).sum() * 2 >= 12


def test_jwave_gets_the_voxels_of_kwave_within_its_absorbing_layer(tmp_path: Path) -> None:
    phantom = small_phantom()
    inner, outer = (arrays_of(written(program, phantom, tmp_path)) for program in ("kwave", "jwave"))
    inside = (slice(int(outer["pml_size"]), -int(outer["pml_size"])),) * 3

    for name in ("sound_speed", "density", "alpha_coeff", "p0"):
        assert np.array_equal(inner[name], outer[name][inside]), name


def test_simpa_looks_from_the_front_into_the_neck(phantom: Phantom, tmp_path: Path) -> None:
    folder = written("simpa", phantom, tmp_path)
    segmentation, numbers = np.load(folder / "segmentation.npy"), structures(folder)

    for structure, places in PLACES.items():
        for place in places:
            assert segmentation[index_of(folder, place)] == numbers[structure], structure
    body = np.argwhere(segmentation == numbers["vertebrae_C6"]).mean(axis=0)
    assert body[2] > np.argwhere(segmentation == numbers["thyroid_gland"]).mean(axis=0)[2]
    document = json.loads((folder / "tissues.json").read_text())
    thyroid = next(each for each in document["tissues"] if each["name"] == "thyroid_gland")
    optical = phantom.materials.materials["thyroid"].optical[0]
    assert thyroid["mua"] == pytest.approx(10 * optical.mu_a_per_mm)
    assert document["wavelengths"] == [800] and document["spacing_mm"] == 3


def test_gate_gets_an_image_with_materials_and_the_thyroid_as_source(phantom: Phantom, tmp_path: Path) -> None:
    import SimpleITK

    folder = written("gate", phantom, tmp_path)
    labels, numbers = SimpleITK.ReadImage(str(folder / "labels.mhd")), structures(folder)
    activity = SimpleITK.ReadImage(str(folder / "activity.mhd"))

    for structure, places in PLACES.items():
        for x, y, z in places:
            at = labels.TransformPhysicalPointToIndex((-x, -y, z))
            assert labels[at] == numbers[structure], structure
            assert activity[at] == (structure == "thyroid_gland")
    assert labels.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert f"{numbers['muscle']} {numbers['muscle'] + 1} muscle\n" in (folder / "label_materials.txt").read_text()
    assert "thyroid: d=1.05 g/cm3; n=10\n+el: name=H; f=0.104000\n" in (folder / "materials.db").read_text()


@pytest.mark.parametrize("program", SIMULATORS)
def test_every_folder_has_a_script_and_says_what_it_holds(program: str, tmp_path: Path) -> None:
    folder = written(program, small_phantom(), tmp_path)

    ast.parse((folder / "run.py").read_text())
    readme = (folder / "README.txt").read_text()
    for path in folder.iterdir():
        mentioned = path.name in readme or f"*{path.suffix}" in readme or f"{path.stem}.mhd/{path.suffix}" in readme
        assert path.is_dir() or path.name == "README.txt" or mentioned, path.name
    assert "Axes: x increases to" in readme and "python run.py" in readme


@pytest.mark.parametrize("program", ["mcx", "simpa", "xcist"])
def test_voxels_that_a_program_cannot_take_are_refused(program: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"takes (cubic|square) voxels.*4 x 3.*Use --spacing"):
        write_simulator(program, small_phantom(spacing_mm=(4.0, 3.0, 3.0)), tmp_path)


def test_a_missing_value_stops_only_who_needs_it(tmp_path: Path) -> None:
    phantom = small_phantom()
    materials = {
        **phantom.materials.materials,
        "thyroid": Material("thyroid", density_kg_m3=1050, composition={"O": 1}),
    }
    poor = replace(phantom, materials=MaterialTable(materials, phantom.materials.structures))

    write_simulator("xcist", poor, tmp_path / "xcist")
    with pytest.raises(InputError, match=r"k-Wave needs sound_speed_m_s of the material 'thyroid'"):
        write_simulator("kwave", poor, tmp_path / "kwave")
    with pytest.raises(InputError, match=r"MCX needs mu_a_per_mm_800nm of the material 'thyroid'"):
        write_simulator("mcx", poor, tmp_path / "mcx")


def test_files_of_others_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(OutputError, match="not an empty folder"):
        write_simulator("mcx", small_phantom(), tmp_path)
    with pytest.raises(InputError, match=r"no simulator 'mcnp'.*xcist"):
        write_simulator("mcnp", small_phantom(), tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def arrays_of(folder: Path) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    path = folder / "medium.mat"
    if path.exists():
        return {name: each for name, each in loadmat(path, squeeze_me=True).items() if name[0] != "_"}
    with np.load(folder / "medium.npz") as data:
        return dict(data)


def test_the_option_names_the_simulators_that_there_are() -> None:
    import argparse
    import pickle

    parser = argparse.ArgumentParser(exit_on_error=False)
    add_simulator_options(parser)

    options = parser.parse_args(["--simulator", "mcx, xcist,mcx"])
    (files,) = simulator_files_of(options)
    assert pickle.loads(pickle.dumps(files)).names == ("mcx", "xcist")
    assert simulator_files_of(parser.parse_args([])) == ()
    assert parser.parse_args(["--simulator", ",".join(SIMULATORS)]).simulator == tuple(SIMULATORS)
    with pytest.raises(argparse.ArgumentError, match="'mcnp' is not valid: choose among xcist"):
        parser.parse_args(["--simulator", "mcnp"])


def test_the_folders_of_simulators_lie_beside_the_other_files(tmp_path: Path) -> None:
    SimulatorFiles(("mcx", "jwave"))(small_phantom(), tmp_path)

    assert sorted(path.name for path in (tmp_path / "simulators").iterdir()) == ["jwave", "mcx"]


def test_the_sensors_end_at_the_bone_behind_the_thyroid(tmp_path: Path) -> None:
    phantom = small_phantom()
    labels = phantom.labels.volume
    k, j, i = np.indices(labels.array.shape)
    behind = labels.to_ras(np.stack([i, j, k], axis=-1))[..., 1] < -24
    array = np.where(behind & (labels.array != 0), 91, labels.array)
    bony = replace(phantom, labels=replace(phantom.labels, volume=Volume(array, labels.ijk_to_ras)))
    data = arrays_of(written("jwave", bony, tmp_path))
    speeds = data["sound_speed"][tuple(data["sensors"].T)]

    assert speeds.max() < 2000
    last = data["sensors"][-1] - [0, 1, 0]
    assert data["sound_speed"][tuple(last)] > 3000


def test_a_thyroid_at_the_skin_has_its_source_in_the_body(tmp_path: Path) -> None:
    phantom = small_phantom()
    labels = phantom.labels.volume
    array = np.where(labels.array == 200, 17, labels.array)
    skin = replace(phantom, labels=replace(phantom.labels, volume=Volume(array, labels.ijk_to_ras)))
    data = arrays_of(written("jwave", skin, tmp_path))

    assert data["sound_speed"][tuple(data["sensors"][0])] > 1000


def test_names_with_commas_stay_one_cell(tmp_path: Path) -> None:
    phantom = small_phantom()
    names = {**phantom.labels.names, 202: "muscle, neck"}
    materials = phantom.materials.with_structures({"muscle, neck": "muscle"})
    folder = written(
        "mcx", replace(phantom, labels=replace(phantom.labels, names=names), materials=materials), tmp_path
    )

    assert structures(folder)["muscle, neck"] == 5


@pytest.mark.parametrize("program", SIMULATORS)
def test_a_folder_has_the_same_bytes_whenever_it_is_written(program: str, tmp_path: Path, monkeypatch) -> None:
    folders = []
    for when in ("Mon Nov 30 10:00:00 2026", "Tue Dec  1 11:11:11 2026"):
        monkeypatch.setattr("time.asctime", lambda *_, when=when: when)
        folders.append(written(program, small_phantom(), tmp_path / when.replace(" ", "").replace(":", "")))

    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in folders
    )
    assert first == second


def test_256_labels_fit_into_the_bytes_of_mcx(tmp_path: Path) -> None:
    array = np.zeros((4, 8, 8), dtype=np.uint16)
    array.ravel()[:255] = np.arange(1, 256)
    names = {label: "thyroid_gland" if label == 17 else f"muscle {label}" for label in range(1, 256)}
    muscle = {name: "muscle" for name in names.values() if name.startswith("muscle")}
    phantom = Phantom(
        LabelMap(Volume(array, np.diag([1.0, 1.0, 1.0, 1.0])), names), standard_materials().with_structures(muscle)
    )

    volume = np.fromfile(written("mcx", phantom, tmp_path) / "volume.bin", np.uint8).reshape(array.shape)

    assert np.array_equal(volume, array)
