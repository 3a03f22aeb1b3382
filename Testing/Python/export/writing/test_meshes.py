"""Meshes for solvers: even triangles, tetrahedra by structure, and all organs in one frame."""

import json
import sys

import numpy as np
import pytest
import trimesh

from support.analytic_shapes import ellipsoid
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.export.thyroid_files import FileOptions
from ThyroidSynthLib.export.writing.mesh_files import MeshOptions, write_meshes, write_organ_meshes
from ThyroidSynthLib.export.writing.remeshing import remeshed, triangle_quality
from ThyroidSynthLib.export.writing.tetrahedra import surfaces_meet, tetrahedralised, winding_number, write_tetrahedra
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_maps import LabelMap
from ThyroidSynthLib.imaging.mesh_files import read_mesh

WITHOUT = "is part of thyroidsynth[simulation], which is not installed"

BALL = ellipsoid((10.0, 10.0, 10.0), (3.0, -20.0, 100.0))


def shifted(surface: Surface, *by_mm: float) -> Surface:
    return surface.moved(surface.vertices + np.array(by_mm))


def lobes() -> Surface:
    """Two lobes, of which one is thin."""
    thick, thin = ellipsoid((8.0, 9.0, 22.0), (-18.0, 0.0, 0.0)), ellipsoid((2.5, 9.0, 20.0), (18.0, 0.0, 0.0))
    return Surface.joined([thick, thin])


def neck() -> LabelMap:
    """A body with a trachea, a thyroid with a nodule, and air around."""
    k, j, i = np.mgrid[:30, :40, :40].astype(float)

    def within(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
        return sum(((a - c) / r) ** 2 for a, c, r in zip((k, j, i), centre, radii, strict=True)) < 1

    array = np.zeros(k.shape, np.uint8)
    array[within((15, 20, 20), (13, 17, 17))] = 200
    array[within((15, 24, 20), (9, 3, 3))] = 16
    array[within((15, 15, 20), (8, 5, 9))] = 17
    array[within((15, 15, 23), (3, 3, 3))] = 220
    names = {16: "trachea", 17: "thyroid_gland", 200: "soft_tissue", 220: "thyroid_nodule_1"}
    matrix = np.diag([-1.5, -1.5, 2.0, 1.0])
    matrix[:3, 3] = [30.0, 40.0, -50.0]
    return LabelMap(Volume(array, matrix), names)


def test_an_equilateral_triangle_has_quality_one_and_a_flat_one_none() -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0.5, np.sqrt(0.75), 0], [2, 0, 0], [0, 1, 0]])
    quality = triangle_quality(Surface(corners, np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])))
    # A right angle between equal sides: area 1/2, squared edges 1 + 1 + 2.
    assert quality == pytest.approx([1, 0, np.sqrt(3) / 2])


@pytest.mark.parametrize("edge_mm", [1.0, 2.5])
def test_triangles_are_even_and_the_surface_encloses_the_same_volume(edge_mm: float) -> None:
    pytest.importorskip("gpytoolbox", reason=f"gpytoolbox {WITHOUT}")
    surface = lobes()

    even = remeshed(surface, edge_mm)

    edges = np.linalg.norm(even.corners - np.roll(even.corners, 1, axis=1), axis=2)
    assert edges.mean() == pytest.approx(edge_mm, rel=0.1)
    assert triangle_quality(even).min() >= 0.3 > triangle_quality(surface).min()
    assert even.is_closed() and even.components().max() == 1
    assert even.volume == pytest.approx(surface.volume, rel=1e-4)
    assert np.allclose(even.bounds, surface.bounds, atol=0.4)


@pytest.mark.parametrize(
    ("edge_mm", "fault"), [(0.01, "impossible"), (80.0, "impossible"), (0.1, "triangles"), (50.0, "too long")]
)
def test_an_edge_length_that_the_surface_does_not_allow_is_refused(edge_mm: float, fault: str) -> None:
    pytest.importorskip("gpytoolbox", reason=f"gpytoolbox {WITHOUT}")
    large = BALL.moved(BALL.vertices * 20 if fault == "triangles" else BALL.vertices / 4)
    with pytest.raises(OutputError, match=fault):
        remeshed(large, edge_mm)


def test_a_point_within_a_surface_is_wound_around_once() -> None:
    assert winding_number(BALL, np.array([3.0, -20.0, 105.0])) == pytest.approx(1)
    assert winding_number(BALL, np.array([3.0, -20.0, 111.0])) == pytest.approx(0, abs=1e-9)


def test_surfaces_meet_where_they_cut_but_not_where_one_lies_in_the_other() -> None:
    inner = ellipsoid((3.0, 3.0, 3.0), (3.0, -20.0, 100.0))
    assert not surfaces_meet(BALL, inner)
    assert surfaces_meet(BALL, shifted(inner, 9, 0, 0))
    assert not surfaces_meet(BALL, shifted(inner, 14, 0, 0))


def icosphere(radius: float, *centre: float) -> Surface:
    """A ball of even triangles."""
    ball = trimesh.creation.icosphere(subdivisions=2, radius=radius)
    return shifted(Surface(ball.vertices, ball.faces), *centre)


@pytest.fixture(scope="module")
def filled():
    pytest.importorskip("tetgen", reason=f"tetgen {WITHOUT}")
    surfaces = {
        17: icosphere(10, 3, -20, 100),
        220: icosphere(4, 5, -20, 100),
        55: icosphere(4, 3, 0, 100),
        56: icosphere(4, 3, -30, 100),
    }
    names = {17: "thyroid_gland", 220: "thyroid_nodule_1", 55: "carotid", 56: "oesophagus"}
    return surfaces, tetrahedralised(surfaces, names)


def test_tetrahedra_fill_each_structure_once(filled) -> None:
    surfaces, mesh = filled
    volumes = mesh.volumes_mm3()
    assert volumes.min() > 0
    of = {label: volumes[mesh.regions == label].sum() for label in np.unique(mesh.regions).tolist()}
    assert of == pytest.approx(
        {17: surfaces[17].volume - surfaces[220].volume, 220: surfaces[220].volume, 55: surfaces[55].volume}, rel=1e-6
    )
    assert mesh.scaled_jacobians().min() >= 0.02
    assert mesh.left_out == {"oesophagus": "its surface cuts that of thyroid_gland"}


def test_the_scaled_jacobian_is_that_of_vtk(filled) -> None:
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import VTK_TETRA, vtkCellArray, vtkUnstructuredGrid
    from vtkmodules.vtkFiltersVerdict import vtkMeshQuality

    _, mesh = filled
    points, cells, grid = vtkPoints(), vtkCellArray(), vtkUnstructuredGrid()
    points.SetData(numpy_to_vtk(mesh.nodes, deep=True))
    ends = np.arange(0, mesh.elements.size + 1, 4)
    cells.SetData(*(numpy_to_vtkIdTypeArray(each, deep=True) for each in (ends, mesh.elements.ravel())))
    grid.SetPoints(points)
    grid.SetCells(VTK_TETRA, cells)
    quality = vtkMeshQuality()
    quality.SetInputData(grid)
    quality.SetTetQualityMeasureToScaledJacobian()
    quality.Update()
    expected = vtk_to_numpy(quality.GetOutput().GetCellData().GetArray("Quality"))
    assert np.allclose(mesh.scaled_jacobians(), expected, atol=1e-6)


@pytest.mark.parametrize("suffix", ["vtu", "msh"])
@pytest.mark.parametrize(("space", "sign"), [("RAS", 1), ("LPS", -1)])
def test_tetrahedra_are_read_by_other_software_with_their_regions(tmp_path, filled, suffix, space, sign) -> None:
    meshio = pytest.importorskip("meshio", reason=f"meshio {WITHOUT}")
    _, mesh = filled
    write_tetrahedra(mesh, tmp_path / f"organs.{suffix}", space=space)

    found = meshio.read(tmp_path / f"organs.{suffix}")

    assert np.allclose(found.points, mesh.nodes * [sign, sign, 1])
    regions = found.cell_data["region" if suffix == "vtu" else "gmsh:physical"][0]
    assert np.array_equal(regions, mesh.regions)
    if suffix == "msh":
        assert {name: tuple(each) for name, each in found.field_data.items()} == {
            "thyroid_gland": (17, 3), "thyroid_nodule_1": (220, 3), "carotid": (55, 3)
        }  # fmt: skip


def test_the_organs_of_a_label_map_are_written_in_one_frame(tmp_path) -> None:
    labels = neck()
    part = ellipsoid((13.0, 7.0, 16.0), (0.0, 17.5, -20.0))

    written = write_organ_meshes(
        labels, tmp_path, MeshOptions(("stl", "glb"), "RAS"), parts={17: part}, left_out=frozenset({"soft_tissue"})
    )

    names = {"body", "trachea", "thyroid_gland", "thyroid_nodule_1"}
    assert {path.name for path in written} == {f"{name}.stl" for name in names} | {"organs.glb", "meshes.json"}
    document = json.loads((tmp_path / "meshes.json").read_text())
    volumes = {each["name"]: (each["label"], each["volume_ml"]) for each in document["surfaces"]}
    assert volumes["thyroid_gland"] == (17, pytest.approx(part.volume / 1000))
    for label, name in ((16, "trachea"), (220, "thyroid_nodule_1")):
        inside = labels.volume.array == label
        assert volumes[name] == (label, pytest.approx(inside.sum() * 4.5e-3, rel=0.01))
        centre = Volume(inside, labels.volume.ijk_to_ras).center_of_mass_ras()
        low, high = read_mesh(tmp_path / f"{name}.stl").bounds
        assert np.allclose((low + high) / 2, centre, atol=0.3)
    assert volumes["body"][1] == pytest.approx((labels.volume.array > 0).sum() * 4.5e-3, rel=0.01)
    assert read_mesh(tmp_path / "organs.glb").components().max() + 1 == 3


def test_meshes_stay_in_their_folder_whatever_the_name_of_a_structure_is(tmp_path) -> None:
    labels = neck()
    names = {**labels.names, 16: "../../outside", 220: "Arteria carotis / left"}

    write_organ_meshes(LabelMap(labels.volume, names), tmp_path / "phantom" / "meshes", MeshOptions(("stl",)))

    document = json.loads((tmp_path / "phantom" / "meshes" / "meshes.json").read_text())
    files = {each["name"]: each["file"] for each in document["surfaces"]}
    assert files["Arteria carotis / left"] == "Arteria_carotis_left"
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {f"phantom/meshes/{name}.stl" for name in files.values()} | {"phantom/meshes/meshes.json"}


def test_organs_are_remeshed_and_filled_with_tetrahedra(tmp_path) -> None:
    for package in ("gpytoolbox", "tetgen", "meshio"):
        pytest.importorskip(package, reason=f"{package} {WITHOUT}")
    options = MeshOptions(("ply",), edge_length_mm=3.0, tetrahedra=("vtu", "msh"))

    written = write_organ_meshes(neck(), tmp_path, options, first=("thyroid",), left_out=frozenset({"soft_tissue"}))

    assert {"organs.vtu", "organs.msh", "body.ply"} < {path.name for path in written}
    document = json.loads((tmp_path / "meshes.json").read_text())
    assert all(each["least_quality"] >= 0.3 for each in document["surfaces"])
    assert document["tetrahedra"]["least_scaled_jacobian"] >= 0.02
    filled = {each["name"]: each["volume_ml"] for each in document["tetrahedra"]["regions"]}
    volumes = {each["name"]: each["volume_ml"] for each in document["surfaces"]}
    assert filled["trachea"] == pytest.approx(volumes["trachea"], rel=1e-6)


def test_the_parts_of_a_thyroid_are_filled_as_a_whole_and_each_tetrahedron_has_its_part(tmp_path) -> None:
    for package in ("gpytoolbox", "tetgen", "meshio"):
        pytest.importorskip(package, reason=f"{package} {WITHOUT}")
    labels = neck()
    array = labels.volume.array.copy()
    array[array == 220] = 17
    right = np.zeros(array.shape, bool)
    right[:, :, :18] = True
    array[(array == 17) & right] = 210
    names = {16: "trachea", 17: "thyroid_left_lobe", 210: "thyroid_right_lobe", 200: "soft_tissue"}
    options = MeshOptions(edge_length_mm=2.0, tetrahedra=("vtu",))

    write_organ_meshes(
        LabelMap(Volume(array, labels.volume.ijk_to_ras), names),
        tmp_path,
        options,
        first=("thyroid",),
        divided=(17, 210),
        left_out=frozenset({"soft_tissue"}),
    )

    document = json.loads((tmp_path / "meshes.json").read_text())
    filled = {each["name"]: each["volume_ml"] for each in document["tetrahedra"]["regions"]}
    for label, name in ((17, "thyroid_left_lobe"), (210, "thyroid_right_lobe")):
        assert filled[name] == pytest.approx((array == label).sum() * 4.5e-3, rel=0.04)
    assert "thyroid" not in " ".join(document["tetrahedra"]["left_out"])


def test_islands_are_left_out_of_even_surfaces_and_a_thyroid_that_is_too_thin_is_refused(tmp_path) -> None:
    pytest.importorskip("gpytoolbox", reason=f"gpytoolbox {WITHOUT}")
    labels = neck()
    array = labels.volume.array.copy()
    array[15, 33, 20] = array[12, 33, 20] = 204  # Islands of the airway,
    array[15, 7, 20] = 16  # and of the trachea.
    labels = LabelMap(Volume(array, labels.volume.ijk_to_ras), labels.names | {204: "airway"})

    write_organ_meshes(labels, tmp_path, MeshOptions(("ply",), edge_length_mm=3.0), first=("thyroid",))

    document = json.loads((tmp_path / "meshes.json").read_text())
    assert list(document["left_out"]) == ["airway"] and not (tmp_path / "airway.ply").exists()
    assert read_mesh(tmp_path / "trachea.ply").components().max() == 0

    with pytest.raises(OutputError, match="thyroid_gland are smaller"):
        write_organ_meshes(neck(), tmp_path / "b", MeshOptions(("stl",), edge_length_mm=20.0), first=("thyroid",))


def test_a_nodule_that_is_too_small_is_left_out_with_a_warning(tmp_path, caplog) -> None:
    pytest.importorskip("gpytoolbox", reason=f"gpytoolbox {WITHOUT}")

    write_organ_meshes(neck(), tmp_path, MeshOptions(("ply",), edge_length_mm=9.0), first=("thyroid",))

    assert "thyroid_nodule_1 are smaller than a cube" in caplog.text
    assert "thyroid_nodule_1" in json.loads((tmp_path / "meshes.json").read_text())["left_out"]
    assert (tmp_path / "thyroid_gland.ply").exists()


def test_values_of_the_vertices_follow_to_an_even_surface(tmp_path) -> None:
    pytest.importorskip("gpytoolbox", reason=f"gpytoolbox {WITHOUT}")
    heights = BALL.vertices[:, 2]

    write_meshes(BALL, tmp_path, "a", MeshOptions(("ply",), "RAS", 2.0), scalars={"height": heights})

    content = (tmp_path / "a.ply").read_bytes().partition(b"end_header\n")[2]
    count = len(read_mesh(tmp_path / "a.ply").vertices)
    values = np.frombuffer(content, "<f4", 4 * count).reshape(-1, 4)
    assert np.allclose(values[:, 3], values[:, 2], atol=1.5)


@pytest.mark.parametrize(
    ("options", "package"),
    [
        ({"formats": ("glb",)}, "trimesh"),
        ({"formats": ("stl",), "edge_length_mm": 2.0}, "gpytoolbox"),
        ({"tetrahedra": ("vtu",), "edge_length_mm": 2.0}, "tetgen"),
        ({"tetrahedra": ("msh",), "edge_length_mm": 2.0}, "meshio"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_computed(monkeypatch, options, package) -> None:
    for each in {"gpytoolbox", "tetgen", "meshio", "trimesh"} - {package}:
        monkeypatch.setitem(sys.modules, each, sys)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"needs the package {package}.*pip install 'thyroidsynth\\[simulation\\]'"):
        MeshOptions(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"mesh_formats": ("vtk",)},
        {"tetrahedra": ("stl",)},
        {"tetrahedra": ("vtu",)},
        {"edge_length_mm": 0.0},
        {"mesh_space": "MNI"},
    ],
)
def test_impossible_options_are_refused(options) -> None:
    with pytest.raises(OutputError):
        FileOptions(**options)


def test_an_open_surface_has_no_even_triangles(tmp_path) -> None:
    pytest.importorskip("gpytoolbox", reason=f"gpytoolbox {WITHOUT}")
    opened = Surface(BALL.vertices, BALL.faces[1:])
    assert write_meshes(opened, tmp_path, "a", MeshOptions(("ply",), edge_length_mm=2.0)) == []
    assert list(tmp_path.iterdir()) == []
