"""Mesh files hold the surface that was written, and Slicer opens them in the right place."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

from support.disk import little_room
from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.geometry.polydata import surface_of
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging import mesh_files
from ThyroidSynthLib.imaging.mesh_files import MESH_FORMATS, SPACES, read_mesh, write_mesh

TETRAHEDRON = Surface(
    np.array([[10.0, 20.0, 30.0], [14.0, 20.0, 30.0], [10.0, 27.0, 30.0], [10.0, 20.0, 39.5]]),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
)


SLICER_FORMATS = [suffix for suffix in MESH_FORMATS if suffix != "glb"]
"""Formats that Slicer reads."""


def loaded(path: Path) -> trimesh.Trimesh:
    """Return a mesh as other software reads it, in the file's own axes."""
    if path.suffix == ".vtp":
        reader = vtkXMLPolyDataReader()
        reader.SetFileName(str(path))
        reader.Update()
        return surface_of(reader.GetOutput()).to_trimesh()
    return trimesh.load(path)


@pytest.mark.parametrize("suffix", SLICER_FORMATS)
def test_other_software_reads_the_same_solid_in_lps(tmp_path, suffix):
    write_mesh(TETRAHEDRON, tmp_path / f"gland.{suffix}")
    mesh = loaded(tmp_path / f"gland.{suffix}")
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(TETRAHEDRON.volume)
    assert np.allclose(mesh.bounds, [[-14, -27, 30], [-10, -20, 39.5]])


@pytest.mark.parametrize("space", SPACES)
def test_a_glb_stands_upright_in_metres_whatever_the_axes_of_its_vertices(tmp_path, space):
    """The format demands metres, +Y up and +Z to the front; a patient's left is then +X."""
    write_mesh(TETRAHEDRON, tmp_path / "gland.glb", space=space)
    scene = trimesh.load_scene(tmp_path / "gland.glb")
    mesh = scene.to_mesh()
    assert mesh.is_watertight and mesh.volume == pytest.approx(TETRAHEDRON.volume / 1e9)
    assert np.allclose(mesh.bounds * 1000, [[-14, 30, 20], [-10, 39.5, 27]], atol=1e-4)
    assert f'"SPACE":"{space}"'.encode() in (tmp_path / "gland.glb").read_bytes()
    assert "not for clinical use" in scene.metadata["note"]


def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(InputError, match=r"GLB needs the package trimesh.*pip install 'thyroidsynth\[simulation\]'"):
        write_mesh(TETRAHEDRON, tmp_path / "gland.glb")
    assert list(tmp_path.iterdir()) == []


def test_values_of_the_vertices_are_written_to_vtp(tmp_path):
    write_mesh(TETRAHEDRON, tmp_path / "gland.vtp", scalars={"uncertainty_mm": np.arange(4.0)})
    reader = vtkXMLPolyDataReader()
    reader.SetFileName(str(tmp_path / "gland.vtp"))
    reader.Update()
    values = reader.GetOutput().GetPointData().GetArray("uncertainty_mm")
    assert [values.GetValue(n) for n in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("suffix", SLICER_FORMATS)
def test_slicer_reads_a_mesh_into_ras(tmp_path, suffix):
    slicer = pytest.importorskip("slicer")
    path = tmp_path / f"gland.{suffix}"
    write_mesh(TETRAHEDRON, path)
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "gland")
    node.AddDefaultStorageNode(str(path))
    # With the storage node set to the wrong system, only the file's header can lead to the right place.
    node.GetStorageNode().SetCoordinateSystem(slicer.vtkMRMLStorageNode.CoordinateSystemRAS)
    assert node.GetStorageNode().ReadData(node)
    assert np.allclose(node.GetPolyData().GetBounds(), [10, 14, 20, 27, 30, 39.5], atol=1e-4)


def test_an_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"\.ply, \.stl, \.obj"):
        write_mesh(TETRAHEDRON, tmp_path / "gland.vtk")


@pytest.mark.parametrize("suffix", SLICER_FORMATS)
def test_a_mesh_in_ras_is_marked_and_opens_in_the_same_place(tmp_path, suffix):
    slicer = pytest.importorskip("slicer")
    path = tmp_path / f"gland.{suffix}"
    write_mesh(TETRAHEDRON, path, space="RAS")
    assert suffix == "vtp" or b"SPACE=RAS" in path.read_bytes()[:300]
    assert np.allclose(loaded(path).bounds, [[10, 20, 30], [14, 27, 39.5]])
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "gland")
    node.AddDefaultStorageNode(str(path))
    assert node.GetStorageNode().ReadData(node)
    assert np.allclose(node.GetPolyData().GetBounds(), [10, 14, 20, 27, 30, 39.5], atol=1e-4)


def test_an_unknown_space_is_refused(tmp_path):
    with pytest.raises(OutputError, match="LPS or RAS"):
        write_mesh(TETRAHEDRON, tmp_path / "gland.ply", space="MNI")


@pytest.mark.parametrize("suffix", MESH_FORMATS)
def test_a_mesh_reads_back_exactly_in_single_precision(tmp_path, suffix):
    surface = TETRAHEDRON.moved(TETRAHEDRON.vertices / 7 - 1000)

    write_mesh(surface, tmp_path / f"gland.{suffix}", space="RAS")

    expected = surface.vertices.astype(np.float32)[surface.faces]
    assert np.array_equal(read_mesh(tmp_path / f"gland.{suffix}").corners, expected)


@pytest.mark.parametrize("suffix", MESH_FORMATS)
def test_a_mesh_that_reads_back_differently_replaces_nothing(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(mesh_files, "read_mesh", lambda path: TETRAHEDRON)

    with pytest.raises(OutputError, match="reads back"):
        write_mesh(TETRAHEDRON, tmp_path / f"gland.{suffix}")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode elsewhere")
@pytest.mark.parametrize("suffix", MESH_FORMATS)
def test_a_mesh_is_written_in_a_folder_whose_name_is_not_utf8(tmp_path, suffix):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller"))
    write_mesh(TETRAHEDRON, folder / f"a.{suffix}")
    assert [each.name for each in folder.iterdir()] == [f"a.{suffix}"]
    assert len(read_mesh(folder / f"a.{suffix}").corners) == 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
@pytest.mark.parametrize("suffix", MESH_FORMATS)
def test_a_full_disk_is_reported_and_leaves_no_file(tmp_path, suffix, capfd):
    many = Surface(
        np.concatenate([TETRAHEDRON.vertices + 20 * shift for shift in range(500)]),
        np.concatenate([TETRAHEDRON.faces + 4 * shift for shift in range(500)]),
    )
    with little_room(5000), pytest.raises(OutputError, match="cannot be written: the disk is full"):
        write_mesh(many, tmp_path / f"gland.{suffix}")
    assert list(tmp_path.iterdir()) == [] and capfd.readouterr().err == ""
