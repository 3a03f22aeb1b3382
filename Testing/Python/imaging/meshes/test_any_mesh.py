"""Meshes and point clouds of other programs are read right, whatever their form, or refused by name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from vtkmodules.vtkCommonCore import vtkStringArray
from vtkmodules.vtkIOLegacy import vtkPolyDataWriter
from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.polydata import polydata_of
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.mesh_files import write_mesh
from ThyroidSynthLib.imaging.meshes import read_any_ply, read_mesh_file, read_points

SQUARES = "0 0 0\n9 0 0\n9 9 0\n0 9 0\n0 0 9\n9 0 9\n9 9 9\n0 9 9\n"
CUBE = [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [2, 3, 7, 6], [1, 2, 6, 5], [0, 4, 7, 3]]


@pytest.fixture(scope="module")
def gland() -> Surface:
    return two_lobes(semi_axes_mm=(9.0, 8.0, 16.0), offset_mm=8.0, right_share=0.9)


def ply(header: str, body: bytes) -> bytes:
    return f"ply\n{header}\nend_header\n".encode() + body


def quads(length: str, index: str, order: str) -> bytes:
    return b"".join(np.array([4], order + length).tobytes() + np.array(face, order + index).tobytes() for face in CUBE)


@pytest.mark.parametrize(
    ("form", "number", "index"),
    [("binary_little_endian", "double", "uint"), ("binary_big_endian", "float", "int"), ("ascii", "float32", "int32")],
)
def test_a_cube_of_quadrilaterals_is_read(tmp_path: Path, form: str, number: str, index: str) -> None:
    header = (
        f"format {form} 1.0\r\ncomment SPACE=RAS\r\nelement vertex 8\r\nproperty {number} x\r\nproperty {number} y\r\n"
        f"property {number} z\r\nproperty uchar red\r\nelement face 6\r\nproperty list uchar {index} vertex_index\r"
    )
    points = np.array(SQUARES.split(), dtype=float).reshape(8, 3)
    if form == "ascii":
        body = "".join(f"{x} {y} {z} 7\r\n" for x, y, z in points) + "".join(
            f"4 {a} {b} {c} {d}\n" for a, b, c, d in CUBE
        )
        content = body.encode()
    else:
        order = "<" if "little" in form else ">"
        kind = order + ("f8" if number == "double" else "f4")
        content = b"".join(point.astype(kind).tobytes() + b"\7" for point in points)
        content += quads("u1", "u4" if index == "uint" else "i4", order)
    (tmp_path / "cube.ply").write_bytes(ply(header, content))
    mesh = read_mesh_file(tmp_path / "cube.ply")

    assert mesh.space == "RAS" and mesh.notes == ()
    assert mesh.surface.is_closed() and mesh.surface.volume == pytest.approx(729)


def test_polygons_of_different_lengths_and_other_elements_are_read(tmp_path: Path) -> None:
    header = (
        "format binary_little_endian 1.0\nelement camera 1\nproperty float zoom\nelement vertex 5\nproperty float x\n"
        "property float y\nproperty float z\nelement face 2\nproperty list uchar int vertex_indices\n"
        "property uchar flag"
    )
    body = np.float32(3).tobytes() + np.arange(15, dtype="<f4").tobytes()
    body += (
        b"\3" + np.array([0, 1, 2], "<i4").tobytes() + b"\1" + b"\4" + np.array([1, 2, 3, 4], "<i4").tobytes() + b"\0"
    )
    (tmp_path / "a.ply").write_bytes(ply(header, body))

    assert read_any_ply(tmp_path / "a.ply").triangles.tolist() == [[0, 1, 2], [1, 2, 3], [1, 3, 4]]


def test_meshes_of_vtk_are_read_with_the_axes_they_state(tmp_path: Path, gland: Surface) -> None:
    for name, writer, space in (("a.vtp", vtkXMLPolyDataWriter(), "RAS"), ("a.vtk", vtkPolyDataWriter(), "LPS")):
        polydata = polydata_of(gland)
        field = vtkStringArray()
        field.SetName("SPACE")
        field.InsertNextValue(space)
        polydata.GetFieldData().AddArray(field)
        writer.SetFileName(os.fspath(tmp_path / name))
        writer.SetInputData(polydata)
        writer.Write()
        mesh = read_mesh_file(tmp_path / name, space="RAS" if space == "LPS" else "LPS")

        assert mesh.space == space, name
        expected = gland.vertices if space == "RAS" else gland.vertices * [-1, -1, 1]
        np.testing.assert_allclose(mesh.surface.bounds, Surface(expected, gland.faces).bounds, atol=1e-3)
        assert mesh.surface.is_closed() and mesh.surface.volume == pytest.approx(gland.volume, rel=1e-5)


@pytest.mark.parametrize("mode", ["Ascii", "Binary", "Appended"])
@pytest.mark.parametrize("compressor", ["ZLib", "LZMA", None])
@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("big", [True, False])
def test_every_form_of_vtp_is_read(
    tmp_path: Path, gland: Surface, mode: str, compressor: str | None, encoded: bool, big: bool
) -> None:
    writer = vtkXMLPolyDataWriter()
    writer.SetFileName(os.fspath(tmp_path / "a.vtp"))
    writer.SetInputData(polydata_of(gland))
    getattr(writer, f"SetDataModeTo{mode}")()
    getattr(writer, f"SetCompressorTypeTo{compressor or 'None'}")()
    writer.SetEncodeAppendedData(encoded)
    (writer.SetByteOrderToBigEndian if big else writer.SetByteOrderToLittleEndian)()
    writer.SetHeaderTypeToUInt32() if big else writer.SetHeaderTypeToUInt64()
    writer.Write()

    surface = read_mesh_file(tmp_path / "a.vtp", space="RAS").surface
    assert surface.faces.tolist() == gland.faces.tolist()
    np.testing.assert_allclose(surface.vertices, gland.vertices, atol=1e-5)


def test_a_vtp_that_states_more_than_it_holds_is_refused_at_once(tmp_path: Path, gland: Surface) -> None:
    writer = vtkXMLPolyDataWriter()
    writer.SetFileName(os.fspath(tmp_path / "a.vtp"))
    writer.SetInputData(polydata_of(gland))
    writer.Write()
    content = (tmp_path / "a.vtp").read_bytes()
    start = content.index(b"_", content.index(b"<AppendedData")) + 1
    for at in (start, start + 4, start + 8):
        (tmp_path / "b.vtp").write_bytes(content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :])
        with pytest.raises(InputError, match=r"b\.vtp"):
            read_mesh_file(tmp_path / "b.vtp")
    strips = b'<VTKFile type="PolyData"><PolyData><Piece NumberOfStrips="1"></Piece></PolyData></VTKFile>'
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><VTKFile type="PolyData">&b;</VTKFile>'
    for wrong in (strips, bomb, b'<VTKFile type="ImageData"></VTKFile>'):
        (tmp_path / "b.vtp").write_bytes(wrong)
        with pytest.raises(InputError, match=r"b\.vtp"):
            read_mesh_file(tmp_path / "b.vtp")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("v 0 0 0\nv 9 0 0\nv 0 9 0\nf 1 2 4\n", "does not exist"),
        ("v 0 0 0\nv 9 0 0\nv 0 9 0\nf 1 2 0\n", "line 4"),
        ("v 0 0 0\nv 9 0 0\nv 0 9 0\nf 1 2 -4\n", "does not exist"),
        ("v 0 0\n", "line 1"),
    ],
)
def test_an_obj_with_impossible_corners_is_refused(tmp_path: Path, lines: str, fault: str) -> None:
    (tmp_path / "a.obj").write_text(lines)
    with pytest.raises(InputError, match=fault):
        read_mesh_file(tmp_path / "a.obj")


def test_an_obj_with_normals_textures_and_relative_corners_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(
        "# SPACE=RAS\nmtllib a.mtl\no gland\nv 0 0 0 1 0 0\nv 9 0 0\nv 9 9 0\nv 0 9 0\nvn 0 0 1\nvt 0 0\n"
        "g one\nf 1/1/1 2/1/1 3//1 4\nf -4 -3 -2\nl 1 2\n"
    )
    mesh = read_mesh_file(tmp_path / "a.obj")

    assert len(mesh.surface.faces) == 3
    assert mesh.surface.bounds[1].tolist() == [9, 9, 0]


def test_a_vtk_file_that_states_more_than_it_holds_is_refused_at_once(tmp_path: Path) -> None:
    head = "# vtk DataFile Version 3.0\ntext\nASCII\nDATASET POLYDATA\n"
    for rest in ("POINTS 99999999999 float\n0 0 0\n", "POINTS 1 float\n0 0 9\nPOLYGONS 1 99999999999\n3 0 0 0\n"):
        (tmp_path / "a.vtk").write_text(head + rest)
        with pytest.raises(InputError, match="cut short"):
            read_mesh_file(tmp_path / "a.vtk")
    (tmp_path / "a.vtk").write_text(head + "POINTS 3 float\n0 0 0 9 0 0 0 9 0\nPOLYGONS 1 4\n3 0 1 7\n")
    with pytest.raises(InputError, match="does not exist"):
        read_mesh_file(tmp_path / "a.vtk")


def test_axes_that_a_file_does_not_state_are_noted(tmp_path: Path, gland: Surface) -> None:
    gland.to_trimesh().export(tmp_path / "a.ply")
    lps, ras = read_mesh_file(tmp_path / "a.ply"), read_mesh_file(tmp_path / "a.ply", space="RAS")

    np.testing.assert_allclose(ras.surface.bounds, gland.bounds, atol=1e-5)
    np.testing.assert_allclose(lps.surface.bounds[0][2], gland.bounds[0][2], atol=1e-5)
    np.testing.assert_allclose(lps.surface.bounds[0][0], -gland.bounds[1][0], atol=1e-5)
    assert "was read as LPS" in lps.notes[0]


@pytest.mark.parametrize("suffix", ["ply", "stl", "obj", "vtp", "vtk"])
@pytest.mark.parametrize("damage", ["empty", "cut", "text", "absent", "folder"])
def test_damaged_meshes_are_refused_by_name(
    tmp_path: Path, gland: Surface, suffix: str, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"mesh.{suffix}"
    if damage == "folder":
        path.mkdir()
    elif damage != "absent":
        if suffix in ("vtp", "vtk"):
            writer = vtkXMLPolyDataWriter() if suffix == "vtp" else vtkPolyDataWriter()
            writer.SetFileName(os.fspath(path))
            writer.SetInputData(polydata_of(gland))
            writer.Write()
        else:
            write_mesh(gland, path)
        content = path.read_bytes()
        half = content[: len(content) // 2] if suffix != "obj" else b"v 1 2 3\nv 2 3\nf 1 2 9\n"
        path.write_bytes({"empty": b"", "cut": half, "text": b"hello\n" * 9}[damage])
    with pytest.raises(InputError, match=r"mesh\."):
        read_mesh_file(path)
    assert capfd.readouterr().err == ""


def test_a_ply_with_impossible_counts_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "huge.ply"
    for form in ("ascii", "binary_little_endian"):
        path.write_bytes(ply(f"format {form} 1.0\nelement vertex 999999999999\nproperty float x", b"1\n2\n"))
        with pytest.raises(InputError, match="cut short"):
            read_any_ply(path)


@pytest.mark.parametrize("name", ["a.xyz", "a.csv", "a.npy", "a.ply", "a.txt"])
def test_point_clouds_are_read(tmp_path: Path, gland: Surface, name: str) -> None:
    path, points = tmp_path / name, gland.vertices[:200]
    if name == "a.npy":
        np.save(path, points)
    elif name == "a.ply":
        write_mesh(Surface(points, np.empty((0, 3))), path, space="RAS")
    elif name == "a.csv":
        path.write_text("x;y;z;n\n" + "".join(f"{x};{y};{z};1\n" for x, y, z in points))
    else:
        np.savetxt(path, points, header="a comment")

    np.testing.assert_allclose(read_points(path, space="RAS"), points, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.xyz", "1 2 3\n" * 60 + "4 5\n", "line 61"),
        ("a.xyz", "1 2 3\n" * 9, "9 points"),
        ("a.xyz", "nan 2 3\n" * 60, "finite"),
        ("a.xyz", "no numbers\n", "0 points"),
        ("a.npy", "text", "damaged"),
        ("a.pcd", "1 2 3\n", "known format"),
    ],
)
def test_damaged_point_clouds_are_refused_by_name(tmp_path: Path, name: str, content: str, fault: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=fault) as raised:
        read_points(tmp_path / name)
    assert name in str(raised.value)


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}] * 60, dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"a\.npy"):
        read_points(tmp_path / "a.npy")
