"""Slicer segmentation files are read in the right place, and their segments are identified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.mask_files import affine, two_masks
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.case_sources import find_cases
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.labels import THYROID, TRACHEA
from ThyroidSynthLib.imaging.seg_nrrd import read_segments
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation
from ThyroidSynthLib.imaging.segments import Segment, named_by_user, structures_among
from ThyroidSynthLib.imaging.volume_files import read_grid, read_volume

GLAND, WINDPIPE = two_masks()
RAS = affine(degrees=8.0)
ENTRY = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure~"
    "SCT^{}^x~^^~Anatomic codes - DICOM master list~^^~^^"
)


def _write(path: Path, layers: list[np.ndarray], keys: dict[str, str], *, ras: np.ndarray = RAS) -> Path:
    """Write a .seg.nrrd without a library: one 3-D image, or a list of them as Slicer stores overlapping segments."""
    lps = np.diag([-1, -1, 1, 1]) @ ras
    vectors = " ".join("({},{},{})".format(*lps[:3, axis]) for axis in range(3))
    sizes = " ".join(map(str, layers[0].shape[::-1]))
    shape = (
        f"dimension: 3\nspace: left-posterior-superior\nsizes: {sizes}\nspace directions: {vectors}\n"
        "kinds: domain domain domain\n"
        if len(layers) == 1
        else f"dimension: 4\nspace: left-posterior-superior\nsizes: {len(layers)} {sizes}\n"
        f"space directions: none {vectors}\nkinds: list domain domain domain\n"
    )
    header = "NRRD0004\ntype: uchar\n" + shape + "endian: little\nencoding: raw\n"
    header += "space origin: ({},{},{})\n".format(*lps[:3, 3])
    header += "".join(f"{key}:={value}\n" for key, value in keys.items())
    path.write_bytes(header.encode() + b"\n" + np.stack(layers, axis=-1).astype(np.uint8).tobytes())
    return path


def _keys(*segments: dict[str, object]) -> dict[str, str]:
    return {f"Segment{n}_{key}": str(value) for n, segment in enumerate(segments) for key, value in segment.items()}


def _reference(shape: tuple[int, ...], offset: tuple[int, int, int]) -> dict[str, str]:
    matrix = ";".join(str(value) for value in RAS.ravel())
    extent = ";".join(f"0;{n - 1}" for n in shape[::-1])
    return {
        "Segmentation_ConversionParameters": f"Reference image geometry|{matrix};{extent};|Where it lies.&Other|1|&",
        "Segmentation_ReferenceImageExtentOffset": " ".join(map(str, offset[::-1])),
    }


def test_segments_of_one_layer_are_found_by_code_id_or_name(tmp_path):
    for segments in (
        (
            {"ID": "a", "Name": "Schilddrüse", "Tags": f"TerminologyEntry:{ENTRY.format('69748006')}|"},
            {"Name": "Trachea"},
        ),
        (
            {"ID": "thyroid_gland", "Name": "x"},
            {"ID": "b", "Tags": f"k:v|TerminologyEntry:{ENTRY.format('44567001')}||"},
        ),
    ):
        keys = _keys({**segments[0], "LabelValue": 2, "Layer": 0}, {**segments[1], "LabelValue": 5, "Layer": 0})
        path = _write(tmp_path / "x.seg.nrrd", [GLAND * 2 + WINDPIPE * 5], keys)
        found, _ = open_segmentation(path).masks()
        assert found[THYROID].volume.array.sum() == GLAND.sum()
        assert found[TRACHEA].volume.array.sum() == WINDPIPE.sum()
        place = Volume(GLAND, RAS).center_of_mass_ras()
        assert np.allclose(found[THYROID].volume.center_of_mass_ras(), place, atol=1e-3)


def test_overlapping_segments_are_read_from_layers_or_from_an_image_each(tmp_path):
    overlapping = np.maximum(WINDPIPE, GLAND)
    segments = {"Name": "thyroid"}, {"Name": "trachea"}
    layered = _keys({**segments[0], "LabelValue": 1, "Layer": 1}, {**segments[1], "LabelValue": 1, "Layer": 0})
    old = _keys(segments[1], segments[0])
    for keys in (layered, old):
        found, _ = open_segmentation(_write(tmp_path / "x.seg.nrrd", [overlapping, GLAND], keys)).masks()
        assert found[THYROID].volume.array.sum() == GLAND.sum()
        assert found[TRACHEA].volume.array.sum() == overlapping.sum()


def test_the_border_is_that_of_the_scan_not_of_the_cropped_file(tmp_path):
    first, last = np.argwhere(GLAND | WINDPIPE).min(axis=0), np.argwhere(GLAND | WINDPIPE).max(axis=0) + 1
    cut = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    moved = RAS.copy()
    moved[:3, 3] = Volume(GLAND, RAS).to_ras(first[::-1])
    keys = _keys({"Name": "thyroid", "LabelValue": 1, "Layer": 0}, {"Name": "trachea", "LabelValue": 2, "Layer": 0})
    keys |= _reference(GLAND.shape, tuple(first))
    path = _write(tmp_path / "x.seg.nrrd", [(GLAND + 2 * WINDPIPE)[cut]], keys, ras=moved)
    case = read_case(find_cases(path)[0])
    assert case.thyroid_mask.scan.shape == GLAND.shape
    assert np.allclose(case.thyroid_mask.scan.ijk_to_ras, RAS, atol=1e-3)
    assert case.thyroid_mask.border_distance_voxels > 5


def test_a_code_has_priority_over_an_id_and_an_id_over_a_name():
    coded = Segment("Segment_1", "first one", 1, 0, ENTRY.format("69748006"))
    named = Segment("Segment_2", "thyroid", 2, 0, "")
    by_id = Segment("thyroid_gland", "y", 3, 0, "")
    assert structures_among("f", [named, by_id, coded])[0][THYROID] == (coded,)
    chosen, notes = structures_among("f", [named, by_id])
    assert chosen[THYROID] == (by_id,)
    assert notes == ("y was taken as the thyroid; thyroid may be one, too",)
    other = Segment("Segment_3", "second one", 4, 0, ENTRY.format("69748006"))
    with pytest.raises(InputError, match=r"first one \(label 1\) and second one \(label 4\)"):
        structures_among("f", [coded, other])


def test_a_segment_that_was_renamed_is_what_its_name_says():
    renamed, trachea = Segment("trachea", "Thyroid", 1), Segment("Segment_2", "Trachea", 2)
    assert structures_among("f", [renamed, trachea])[0] == {THYROID: (renamed,), TRACHEA: (trachea,)}


def test_a_segment_whose_code_and_name_disagree_is_refused_if_it_is_needed():
    # A copy of the trachea that was renamed, and another gland.
    copy, trachea = (
        Segment(name, name, n, 0, ENTRY.format("44567001")) for n, name in ((1, "Thyroid"), (2, "Trachea"))
    )
    with pytest.raises(InputError, match=r"segment Thyroid \(label 1\) has the terminology code of the trachea"):
        structures_among("f", [copy, trachea])
    assert structures_among("f", [copy, trachea], [TRACHEA])[0] == {TRACHEA: (trachea,)}
    gland = Segment("Segment_3", "thyroid gland", 3)
    assert structures_among("f", [copy, trachea, gland])[0] == {THYROID: (gland,), TRACHEA: (trachea,)}
    named = named_by_user("f", [copy, trachea], {1: "thyroid"})
    assert [s.label for s in structures_among("f", named)[0][THYROID]] == [1]


def test_the_message_lists_the_segments_of_a_file_without_thyroid_and_trachea(tmp_path):
    path = _write(tmp_path / "x.seg.nrrd", [GLAND], _keys({"Name": "thyroid cartilage", "LabelValue": 1, "Layer": 0}))
    with pytest.raises(InputError, match="thyroid cartilage"):
        open_segmentation(path).masks()
    with pytest.raises(InputError, match="has no segments"):
        open_segmentation(_write(tmp_path / "y.seg.nrrd", [GLAND], {})).masks()
    broken = tmp_path / "z.seg.nrrd"
    broken.write_bytes(b"NRRD0004\nnonsense\n\n")
    with pytest.raises(InputError, match=r"z\.seg\.nrrd"):
        open_segmentation(broken).masks()


def test_a_segmentation_that_is_no_binary_label_map_is_refused(tmp_path):
    keys = _keys({"Name": "thyroid", "LabelValue": 1, "Layer": 0})
    for kind, fault in (("Fractional labelmap", True), ("Binary labelmap", False)):
        path = _write(tmp_path / "x.seg.nrrd", [GLAND], {**keys, "Segmentation_MasterRepresentation": kind})
        if fault:
            with pytest.raises(InputError, match=r"x\.seg\.nrrd stores a 'Fractional labelmap'"):
                open_segmentation(path).masks()
        else:
            assert open_segmentation(path).masks()[0][THYROID].volume.array.sum() == GLAND.sum()


def test_a_segmentation_that_slicer_wrote_is_read_in_place(tmp_path):
    slicer = pytest.importorskip("slicer")
    import vtk
    from vtkmodules.util.numpy_support import numpy_to_vtk

    def matrix_of(ras: np.ndarray) -> vtk.vtkMatrix4x4:
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(ras.ravel())
        return matrix

    def segment(name: str, array: np.ndarray) -> object:
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(*array.shape[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
        image.SetImageToWorldMatrix(matrix_of(RAS))
        result = slicer.vtkSegment()
        result.SetName(name)
        result.AddRepresentation("Binary labelmap", image)
        return result

    scene = slicer.vtkMRMLScene()
    ct = slicer.vtkMRMLScalarVolumeNode()
    image = vtk.vtkImageData()
    image.SetDimensions(*GLAND.shape[::-1])
    image.AllocateScalars(vtk.VTK_SHORT, 1)
    ct.SetAndObserveImageData(image)
    ct.SetIJKToRASMatrix(matrix_of(RAS))
    scene.AddNode(ct)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "S")
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    node.GetSegmentation().SetSourceRepresentationName("Binary labelmap")
    gland = segment("Drüse", GLAND)
    gland.SetTag("TerminologyEntry", ENTRY.format("69748006") + "|")
    node.GetSegmentation().AddSegment(gland, "Segment_1")
    node.GetSegmentation().AddSegment(segment("Trachea", WINDPIPE), "Segment_2")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / "real.seg.nrrd"))
    storage.SetCropToMinimumExtent(True)
    assert storage.WriteData(node)

    case = read_case(find_cases(tmp_path / "real.seg.nrrd")[0])
    assert case.id == "real"
    for mask, array in ((case.thyroid_mask, GLAND), (case.trachea_mask, WINDPIPE)):
        assert mask.volume.array.sum() == array.sum()
        assert mask.scan.shape == array.shape
        assert np.allclose(mask.volume.center_of_mass_ras(), Volume(array, RAS).center_of_mass_ras(), atol=1e-3)


def test_the_grid_of_a_segmentation_is_that_of_the_scan_that_was_segmented(tmp_path):
    first, shape = (3, 4, 5), tuple(n + 12 for n in GLAND.shape)
    keys = _keys({"Name": "thyroid", "LabelValue": 1, "Layer": 0}) | _reference(shape, first)
    grid = read_grid(_write(tmp_path / "x.seg.nrrd", [GLAND], keys))
    assert grid.shape == shape
    np.testing.assert_allclose(grid.to_ras(np.array(first[::-1])), RAS[:3, 3], atol=1e-9)


@pytest.mark.parametrize(
    "keys",
    [
        {"Segment0_LabelValue": "1.0"},
        {"Segment0_LabelValue": "abc"},
        {"Segment0_Layer": "-1"},
        _reference((50, 50, 50), (0, 0, 0)) | {"Segmentation_ReferenceImageExtentOffset": "a b c"},
    ],
)
def test_damaged_keys_are_refused_whatever_the_file_is_read_for(tmp_path, keys):
    path = _write(tmp_path / "x.seg.nrrd", [GLAND], _keys({"Name": "thyroid"}) | keys)
    for read in (read_grid, read_segments, read_volume):
        with pytest.raises(InputError, match=r"x\.seg\.nrrd is damaged .* whole number"):
            read(path)
