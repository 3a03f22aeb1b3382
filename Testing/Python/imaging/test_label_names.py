"""Label names in NIfTI and NRRD files, as TotalSegmentator and Slicer write and read them."""

import gzip
import struct
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.label_map_files import write_label_map, write_names_table
from ThyroidSynthLib.imaging.labels import names_in_extensions
from ThyroidSynthLib.imaging.nifti import read_header
from ThyroidSynthLib.imaging.volume_files import read_volume

NAMES = {1: "trachea", 2: "thyroid_gland", 7: "C & <D>", 300: "vertebra Ö"}


@pytest.fixture
def labels():
    array = np.zeros((9, 10, 11), dtype=np.uint16)
    array[1:8, 4:7, 4:7] = 1
    array[3:6, 2:4, 2:9] = 2
    array[0, 0, :5] = 7
    array[8, 9, 10] = 300
    matrix = np.diag([-1.5, -1.5, 2.0, 1.0])
    matrix[:3, 3] = [30.0, 40.0, -50.0]
    return Volume(array, matrix)


@pytest.mark.parametrize("suffix", ["nii.gz", "nii"])
def test_a_nifti_file_has_the_names_and_the_same_voxels(tmp_path, labels, suffix):
    path = tmp_path / f"map.{suffix}"
    write_label_map(labels, path, names=NAMES)

    header = read_header(path)
    assert names_in_extensions(header.extensions) == NAMES
    assert header.extensions[0][0] == 0
    assert np.array_equal(read_volume(path).array, labels.array)
    image = SimpleITK.ReadImage(str(path))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), labels.array)
    assert np.allclose(image.GetOrigin(), [-30.0, -40.0, -50.0])


def test_the_header_extension_complies_with_the_standard(tmp_path, labels):
    path = tmp_path / "map.nii.gz"
    write_label_map(labels, path, names=NAMES)

    content = gzip.decompress(path.read_bytes())
    size, code = struct.unpack_from("<2i", content, 352)
    (offset,) = struct.unpack_from("<f", content, 108)
    assert content[348:352] == b"\x01\x00\x00\x00"
    assert (size % 16, code) == (0, 0)
    assert offset == 352 + size
    assert content[360:].startswith(b"<?xml")
    assert len(content) == offset + labels.array.nbytes


def test_a_merged_nifti_is_a_case_that_prepare_reads(tmp_path, labels):
    path = tmp_path / "map.nii.gz"
    write_label_map(labels, path, names=NAMES)

    case = read_case(find_cases(path)[0])

    assert case.thyroid_mask.volume_ml == pytest.approx((labels.array == 2).sum() * 4.5e-3)
    assert case.trachea_mask.volume_ml == pytest.approx((labels.array == 1).sum() * 4.5e-3)


def test_a_seg_nrrd_opens_in_slicer_as_a_segmentation(tmp_path, labels):
    slicer = pytest.importorskip("slicer")
    path = tmp_path / "map.seg.nrrd"
    write_label_map(labels, path, names=NAMES)

    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "map")
    node.AddDefaultStorageNode(str(path))
    node.GetStorageNode().SetFileName(str(path))
    assert node.GetStorageNode().ReadData(node)
    content = node.GetSegmentation()
    segments = [content.GetNthSegment(index) for index in range(content.GetNumberOfSegments())]
    assert {each.GetLabelValue(): each.GetName() for each in segments} == NAMES
    assert "SCT^69748006^Thyroid" in content.GetSegment("thyroid_gland").GetTerminology()
    from ThyroidSynthLib.slicer.scene.volumes import volume_of_segment

    thyroid = volume_of_segment(node, "thyroid_gland")
    assert thyroid.array.sum() == (labels.array == 2).sum()
    np.testing.assert_allclose(
        thyroid.center_of_mass_ras(), Volume(labels.array == 2, labels.ijk_to_ras).center_of_mass_ras()
    )


def test_a_file_whose_names_read_back_differently_is_not_left(tmp_path, labels, monkeypatch):
    from ThyroidSynthLib.imaging import label_map_files as export

    monkeypatch.setattr(export, "names_in_extensions", lambda extensions: {})
    with pytest.raises(OutputError, match="label names"):
        write_label_map(labels, tmp_path / "map.nii.gz", names=NAMES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["mha", "mhd"])
def test_itk_reads_the_names_in_metaimage_as_metadata(tmp_path, labels, suffix):
    names = NAMES | {300: "vertebra C1"}  # ITK strips accents from the end of an entry.
    write_label_map(labels, tmp_path / f"map.{suffix}", names=names)

    image = SimpleITK.ReadImage(str(tmp_path / f"map.{suffix}"))

    assert {label: image.GetMetaData(f"LabelName_{label}") for label in names} == names
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), labels.array)


def test_the_same_label_map_is_written_with_the_same_bytes(tmp_path, labels):
    for name in ("a", "b"):
        write_label_map(labels, tmp_path / f"{name}.nii.gz", names=NAMES)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_the_names_are_written_as_a_table(tmp_path):
    write_names_table(NAMES, tmp_path / "names.csv")
    assert (tmp_path / "names.csv").read_text(encoding="utf-8").splitlines()[:2] == ["label,name", "1,trachea"]


def test_importing_the_writer_loads_no_heavy_package():
    program = "import sys, ThyroidSynthLib.imaging.label_map_files; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "SimpleITK", "scipy"} & set(result.stdout.split())
