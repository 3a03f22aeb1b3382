"""Finding and reading cases of all kinds of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.mask_files import affine, caret_xml, two_masks, with_header, write_case, write_nifti
from support.sitk_images import write_by_sitk
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.case_sources import SYNTHETIC_MARK, find_cases, synthetic_statement
from ThyroidSynthLib.dataset.cases import case_from_volumes, read_case
from ThyroidSynthLib.dataset.finding.listing import case_listing
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.masks import read_mask
from ThyroidSynthLib.imaging.segmentations.class_maps import class_map_labels

REAL_CASE = Path(__file__).resolve().parents[2] / "Data" / "totalsegmentator_s0327"
THYROID, TRACHEA = two_masks()
RAS = affine(degrees=8.0)


def _check(case, ras=RAS):
    """Check that a case has the two masks at their positions in the patient."""
    for mask, array in ((case.thyroid_mask, THYROID), (case.trachea_mask, TRACHEA)):
        whole = Volume(array, ras)
        assert mask.volume.array.sum() == array.sum()
        assert np.allclose(mask.volume.center_of_mass_ras(), whole.center_of_mass_ras(), atol=1e-3)
        assert mask.volume_ml == pytest.approx(array.sum() * whole.voxel_volume_ml, rel=1e-5)
        assert mask.scan.shape == array.shape
        assert np.allclose(mask.scan.ijk_to_ras, ras, atol=1e-4)


def test_a_training_dataset_gives_its_cases_sorted_by_id(tmp_path):
    for name in ("s0010", "s0002"):
        write_case(tmp_path / name, THYROID, TRACHEA, RAS)
    (tmp_path / "s0002" / "ct.nii.gz").write_bytes(b"never opened")
    (tmp_path / "meta.csv").write_text("image_id;age\n")
    (tmp_path / "empty").mkdir()
    found = find_cases(tmp_path)
    assert [source.id for source in found] == ["s0002", "s0010"]
    case = read_case(found[0])
    assert case.ct_path == tmp_path / "s0002" / "ct.nii.gz"
    assert read_case(found[1]).ct_path is None
    _check(case)


def test_a_single_case_of_a_dataset_can_be_given(tmp_path, monkeypatch):
    folder = write_case(tmp_path / "s0001", THYROID, TRACHEA, RAS)
    monkeypatch.chdir(folder)
    for path in (folder, "."):
        (source,) = find_cases(path)
        assert source.id == "s0001"
        _check(read_case(source))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
@pytest.mark.parametrize("name", ["thyroid_gland", "thyroid"])
def test_one_or_several_output_folders_are_read(tmp_path, suffix, name):
    for case_id in ("a", "b"):
        write_nifti(tmp_path / case_id / f"{name}{suffix}", THYROID, RAS)
        write_nifti(tmp_path / case_id / f"trachea{suffix}", TRACHEA, RAS)
        write_nifti(tmp_path / case_id / f"thyroid_cartilage{suffix}", 1 - THYROID, RAS)
    assert [source.id for source in find_cases(tmp_path)] == ["a", "b"]
    (source,) = find_cases(tmp_path / "a")
    _check(read_case(source))


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_multi_label_file_is_read_by_the_names_in_its_header(tmp_path, second, order):
    labels = (THYROID * 3 + TRACHEA * 9).astype(np.int16)
    labels[0, 0, 0] = 17
    names = caret_xml({3: "thyroid_gland", 9: "trachea", 17: "liver"})
    path = tmp_path / "patient.nii.gz"
    write_nifti(path, labels, RAS, second=second, order=order, extensions=[(6, b"x"), (0, names)])
    (source,) = find_cases(path)
    assert (source.id, source.kind) == ("patient", "labels")
    _check(read_case(source))


def test_a_label_map_can_be_given_for_each_of_two_structures(tmp_path):
    path = write_nifti(tmp_path / "both.nii.gz", THYROID + 2 * TRACHEA, RAS)
    labels = {1: "thyroid", 2: "trachea"}
    _check(read_case(find_cases(thyroid=path, trachea=path, labels=labels)[0]))
    with pytest.raises(InputError, match="more than one label"):
        read_case(find_cases(thyroid=path, trachea=path)[0])


def test_a_multi_label_file_without_names_needs_a_class_map(tmp_path):
    path = write_nifti(tmp_path / "x.nii.gz", (THYROID * 17 + TRACHEA * 16).astype(np.uint8), RAS)
    with pytest.raises(InputError, match="total-v2"):
        find_cases(path)
    _check(read_case(find_cases(path, labels=class_map_labels("total-v2"))[0]))


def test_a_folder_of_label_files_omits_cts_and_keeps_damaged_files(tmp_path):
    names = caret_xml({3: "thyroid", 9: "trachea"})
    write_nifti(tmp_path / "b.nii.gz", THYROID * 3 + TRACHEA * 9, RAS, extensions=[(0, names)])
    write_nifti(tmp_path / "ct.nii.gz", THYROID.astype(np.int16), RAS)
    (tmp_path / "a.nii.gz").write_bytes(b"damaged")
    found = find_cases(tmp_path)
    assert [source.id for source in found] == ["a", "b"]
    _check(read_case(found[1]))
    with pytest.raises(InputError, match=r"a\.nii\.gz"):
        read_case(found[0])


@pytest.mark.parametrize("name", ["thyroid.nrrd", "thyroid.nii", "thyroid.mha"])
def test_two_mask_files_of_any_format_make_a_case(tmp_path, name):
    folder = tmp_path / "patient7"
    folder.mkdir()
    write_by_sitk(Volume(THYROID, RAS), folder / name)
    write_nifti(folder / "windpipe.nii.gz", TRACHEA, RAS)
    (source,) = find_cases(thyroid=folder / name, trachea=folder / "windpipe.nii.gz")
    assert source.id == "patient7"
    _check(read_case(source))


def test_lps_and_ras_files_of_a_mask_have_the_same_position(tmp_path):
    def nrrd(space: str, flip: np.ndarray) -> Path:
        matrix = flip @ RAS
        vectors = " ".join("({},{},{})".format(*matrix[:3, axis]) for axis in range(3))
        header = (
            f"NRRD0004\ntype: uchar\ndimension: 3\nspace: {space}\nsizes: {' '.join(map(str, THYROID.shape[::-1]))}\n"
            f"space directions: {vectors}\nkinds: domain domain domain\nendian: little\nencoding: raw\n"
            "space origin: ({},{},{})\n\n".format(*matrix[:3, 3])
        )
        path = tmp_path / f"{space}.nrrd"
        path.write_bytes(header.encode() + THYROID.tobytes())
        return path

    expected = Volume(THYROID, RAS).center_of_mass_ras()
    for space, flip in (("right-anterior-superior", np.eye(4)), ("left-posterior-superior", np.diag([-1, -1, 1, 1]))):
        assert np.allclose(read_mask(nrrd(space, flip)).volume.center_of_mass_ras(), expected, atol=1e-3)


def test_the_position_does_not_depend_on_the_direction_of_the_axes(tmp_path):
    for flips in np.ndindex(2, 2, 2):
        array, matrix = THYROID, RAS.copy()
        for axis, flip in enumerate(flips):
            if flip:
                count = array.shape[2 - axis]
                array = np.flip(array, 2 - axis)
                matrix[:3, 3] += matrix[:3, axis] * (count - 1)
                matrix[:3, axis] *= -1
        path = write_nifti(tmp_path / "m.nii", np.ascontiguousarray(array), matrix)
        mask = read_mask(path).volume
        assert np.allclose(mask.center_of_mass_ras(), Volume(THYROID, RAS).center_of_mass_ras(), atol=1e-3)


def test_affines_may_differ_by_rounding_only(tmp_path):
    slightly, clearly = RAS + 4.6e-5, RAS.copy()
    clearly[2, 3] += 2.0
    thyroid = write_nifti(tmp_path / "t.nii.gz", THYROID, RAS)
    near = write_nifti(tmp_path / "near.nii.gz", TRACHEA, slightly)
    far = write_nifti(tmp_path / "far.nii.gz", TRACHEA, clearly)
    assert read_case(find_cases(thyroid=thyroid, trachea=near)[0]).notes == ()
    with pytest.raises(InputError, match=r"2\.00 mm apart") as caught:
        read_case(find_cases(thyroid=thyroid, trachea=far)[0])
    assert "t.nii.gz" in str(caught.value) and "far.nii.gz" in str(caught.value)


def test_masks_on_different_grids_are_each_placed_by_their_geometry(tmp_path):
    thyroid = write_nifti(tmp_path / "t.nii.gz", THYROID, RAS)
    cut = RAS.copy()
    cut[:3, 3] += RAS[:3, 2] * 2
    trachea = write_nifti(tmp_path / "w.nii.gz", np.ascontiguousarray(TRACHEA[2:]), cut)
    case = read_case(find_cases(thyroid=thyroid, trachea=trachea)[0])
    assert np.allclose(case.placement().origin_ras, Volume(TRACHEA, RAS).center_of_mass_ras(), atol=1e-3)
    assert "different grids" in case.notes[0]
    cut[2, 3] += 500
    elsewhere = write_nifti(tmp_path / "e.nii.gz", np.ascontiguousarray(TRACHEA[2:]), cut)
    with pytest.raises(InputError, match="one patient and one scan"):
        read_case(find_cases(thyroid=thyroid, trachea=elsewhere)[0])


def test_masks_of_one_scan_may_have_axes_that_point_the_other_way(tmp_path):
    # As after a conversion from DICOM, or to the nearest RAS axes.
    thyroid = write_nifti(tmp_path / "t.nii.gz", THYROID, RAS)
    turned = RAS.copy()
    turned[:3, :2] *= -1
    turned[:3, 3] = (RAS @ [THYROID.shape[2] - 1, THYROID.shape[1] - 1, 0, 1])[:3]
    trachea = write_nifti(tmp_path / "w.nii.gz", np.ascontiguousarray(TRACHEA[:, ::-1, ::-1]), turned)
    case = read_case(find_cases(thyroid=thyroid, trachea=trachea)[0])
    assert np.allclose(case.placement().origin_ras, Volume(TRACHEA, RAS).center_of_mass_ras(), atol=1e-3)
    assert "different grids" in case.notes[0]


@pytest.mark.parametrize("value", [1, 255])
@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64, np.int16])
def test_a_mask_may_have_any_type_and_the_value_1_or_255(tmp_path, kind, value):
    path = write_nifti(tmp_path / "m.nii.gz", (THYROID * kind(value)).astype(kind), RAS)
    mask = read_mask(path)
    assert mask.volume.array.dtype == np.uint8 and mask.volume.array.sum() == THYROID.sum()


def test_files_that_are_not_masks_are_refused(tmp_path):
    labels = write_nifti(tmp_path / "labels.nii.gz", THYROID + 2 * TRACHEA, RAS)
    with pytest.raises(InputError, match="more than one label"):
        read_mask(labels)
    soft = write_nifti(tmp_path / "soft.nii.gz", (THYROID * 0.7 + TRACHEA).astype(np.float32), RAS)
    with pytest.raises(InputError, match="fractional"):
        read_mask(soft)
    undefined = THYROID.astype(np.float32)
    undefined[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="no numbers"):
        read_mask(write_nifti(tmp_path / "nan.nii.gz", undefined, RAS))


def test_a_missing_structure_gives_a_note_and_no_error(tmp_path):
    folder = write_case(tmp_path / "s1", THYROID, None, RAS)
    case = read_case(find_cases(folder)[0])
    assert case.trachea_mask.is_empty and not case.thyroid_mask.is_empty
    assert "trachea" in case.notes[0]
    with pytest.raises(InputError, match="no trachea"):
        case.placement()


def test_an_all_zero_file_is_an_empty_mask(tmp_path):
    mask = read_mask(write_nifti(tmp_path / "m.nii.gz", np.zeros_like(THYROID), RAS))
    assert mask.is_empty and mask.volume_ml == 0 and mask.scan.shape == THYROID.shape


def test_the_distance_to_the_border_is_the_number_of_empty_layers(tmp_path):
    array = np.zeros((10, 12, 14), dtype=np.uint8)
    array[4:6, 5:7, 3:10] = 1
    assert read_mask(write_nifti(tmp_path / "m.nii", array, RAS)).border_distance_voxels == 3
    array[4, 5, 13] = 1
    assert read_mask(write_nifti(tmp_path / "m.nii", array, RAS)).border_distance_voxels == 0


def test_a_case_is_made_of_volumes_in_memory():
    _check(case_from_volumes("scene", Volume(THYROID * 7, RAS), Volume(TRACHEA > 0, RAS)))


def test_paths_without_cases_are_reported_with_what_is_expected(tmp_path):
    with pytest.raises(InputError, match="holds no cases"):
        find_cases(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        find_cases(tmp_path / "nowhere")
    with pytest.raises(InputError, match="both"):
        find_cases(thyroid=tmp_path / "t.nii.gz")
    other = tmp_path / "notes.txt"
    other.write_text("x")
    with pytest.raises(InputError, match="neither a NIfTI"):
        find_cases(other)


def test_the_statement_of_a_synthetic_dataset_is_found_from_its_cases(tmp_path):
    folder = write_case(tmp_path / "s1", THYROID, TRACHEA, RAS)
    assert synthetic_statement(folder) is None
    (tmp_path / SYNTHETIC_MARK).write_text("Software input,\nnot anatomy.\n\nMore about the files.\n")
    assert synthetic_statement(tmp_path) == synthetic_statement(folder) == "Software input, not anatomy."


def test_the_real_case_has_its_volume_and_touches_the_border():
    (source,) = find_cases(REAL_CASE)
    case = read_case(source)
    assert case.thyroid_mask.volume_ml == pytest.approx(38.36, abs=0.005)
    assert int(case.thyroid.array.sum()) == 11365
    assert case.thyroid_mask.scan.shape == (429, 166, 222)
    assert case.thyroid_mask.border_distance_voxels == 0
    # The thyroid lies anterior to the trachea and above the centre of its visible part.
    gland = case.placement().to_trachea(case.thyroid.center_of_mass_ras())
    assert gland[1] > 0 and gland[2] > 0 and abs(gland[0]) < 15


def test_a_mask_whose_header_holds_two_placements_is_noted(tmp_path):
    folder = write_case(tmp_path / "s0001", THYROID, TRACHEA, RAS)
    path = folder / "segmentations" / "trachea.nii.gz"
    with_header(path, 252, "h", 1)  # A qform without rotation, at the origin.
    (source,) = find_cases(folder)
    case = read_case(source)
    _check(case)
    (note,) = case.notes
    assert "trachea.nii.gz holds two placements" in note
    assert "mm apart (sform and qform); the sform is used" in note


def test_the_listing_takes_the_masks_that_reading_takes(tmp_path):
    for case, names in (("p1", ("thyroid", "thyroid_left")), ("p2", ("thyroid_gt", "thyroid_pred"))):
        for name in names:
            write_nifti(tmp_path / case / f"{name}.nii.gz", THYROID, RAS)
        write_nifti(tmp_path / case / "trachea.nii.gz", TRACHEA, RAS)
    whole, twice = find_cases(tmp_path)
    _check(read_case(whole))
    assert case_listing(whole)["thyroid_gland"] == ["thyroid.nii.gz"]
    with pytest.raises(InputError, match="several segmentations that may be the thyroid") as refused:
        read_case(twice)
    assert case_listing(twice)["error"] == str(refused.value)
