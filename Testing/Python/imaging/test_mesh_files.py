"""Meshes: the same surface comes back from file, and Slicer opens it in its place."""

import numpy as np
import pytest
import trimesh

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.mesh_files import MESH_FORMATS, write_mesh

TETRAHEDRON = Surface(
    np.array([[10.0, 20.0, 30.0], [14.0, 20.0, 30.0], [10.0, 27.0, 30.0], [10.0, 20.0, 39.5]]),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
)


@pytest.mark.parametrize("suffix", MESH_FORMATS)
def test_the_mesh_holds_the_same_solid_in_lps(tmp_path, suffix):
    write_mesh(TETRAHEDRON, tmp_path / f"gland.{suffix}")
    mesh = trimesh.load(tmp_path / f"gland.{suffix}")
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(TETRAHEDRON.volume)
    assert np.allclose(mesh.bounds, [[-14, -27, 30], [-10, -20, 39.5]])


@pytest.mark.parametrize("suffix", MESH_FORMATS)
def test_slicers_own_reader_puts_the_mesh_back_in_ras(tmp_path, suffix):
    slicer = pytest.importorskip("slicer")
    path = tmp_path / f"gland.{suffix}"
    write_mesh(TETRAHEDRON, path)
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "gland")
    node.AddDefaultStorageNode(str(path))
    # A storage node set to the wrong system shows that the file's own word decides.
    node.GetStorageNode().SetCoordinateSystem(slicer.vtkMRMLStorageNode.CoordinateSystemRAS)
    assert node.GetStorageNode().ReadData(node)
    assert np.allclose(node.GetPolyData().GetBounds(), [10, 14, 20, 27, 30, 39.5], atol=1e-4)


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"\.ply, \.stl, \.obj"):
        write_mesh(TETRAHEDRON, tmp_path / "gland.vtk")


@pytest.mark.parametrize("suffix", MESH_FORMATS)
def test_a_mesh_in_ras_says_so_and_opens_in_the_same_place(tmp_path, suffix):
    slicer = pytest.importorskip("slicer")
    path = tmp_path / f"gland.{suffix}"
    write_mesh(TETRAHEDRON, path, space="RAS")
    assert b"SPACE=RAS" in path.read_bytes()[:300]
    assert np.allclose(trimesh.load(path).bounds, [[10, 20, 30], [14, 27, 39.5]])
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "gland")
    node.AddDefaultStorageNode(str(path))
    assert node.GetStorageNode().ReadData(node)
    assert np.allclose(node.GetPolyData().GetBounds(), [10, 14, 20, 27, 30, 39.5], atol=1e-4)


def test_an_unknown_space_is_refused(tmp_path):
    with pytest.raises(OutputError, match="LPS or RAS"):
        write_mesh(TETRAHEDRON, tmp_path / "gland.ply", space="MNI")


@pytest.mark.parametrize("suffix", MESH_FORMATS)
def test_a_mesh_that_reads_back_differently_is_not_put_in_place(tmp_path, suffix, monkeypatch):
    from ThyroidSynthLib.imaging import mesh_files

    def spoilt(path):
        return mesh_files_readers[suffix](path) + 1

    mesh_files_readers = dict(mesh_files._READERS)
    monkeypatch.setitem(mesh_files._READERS, suffix, spoilt)
    with pytest.raises(OutputError, match="reads back"):
        write_mesh(TETRAHEDRON, tmp_path / f"gland.{suffix}")
    assert list(tmp_path.iterdir()) == []
