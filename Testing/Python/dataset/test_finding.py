"""Finding cases in folders of any layout, the ids that they get, and what is passed over with which reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from support.dicom_files import THYROID_CODE, TRACHEA_CODE, ct_series, write_seg
from support.mask_files import affine, caret_xml, two_masks, write_case, write_nifti
from support.sitk_images import write_by_sitk
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.case_sources import find_cases, search_cases
from ThyroidSynthLib.dataset.cases import read_case
from ThyroidSynthLib.dataset.finding.layouts import (
    ARCHIVES,
    IMAGES,
    MASKS_USED,
    NEITHER,
    NO_NAMES,
    OTHER_FILES,
    OTHER_STRUCTURES,
    SAME_NAME,
    UNREAD_FORMATS,
)
from ThyroidSynthLib.dataset.finding.listing import case_listing, listing_text
from ThyroidSynthLib.dataset.finding.tree import (
    BROKEN_LINK,
    EMPTY_FOLDER,
    SAME_FILES,
    SEARCHED_ALREADY,
    SPECIAL_FILE,
    SYSTEM_FILES,
)
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.imaging.volume_files import write_volume

THYROID, TRACHEA = two_masks()
RAS = affine(degrees=8.0)
LABELS = {3: "thyroid_gland", 9: "trachea", 17: "liver"}


def masks(folder: Path, thyroid: str = "thyroid_gland.nii.gz", trachea: str = "trachea.nii.gz") -> Path:
    write_nifti(folder / thyroid, THYROID, RAS)
    write_nifti(folder / trachea, TRACHEA, RAS)
    return folder


def label_map(path: Path, names: dict[int, str] | None = LABELS, ras: np.ndarray = RAS) -> Path:
    extensions = [(0, caret_xml(names))] if names else []
    return write_nifti(path, (THYROID * 3 + TRACHEA * 9).astype(np.uint8), ras, extensions=extensions)


def passed_over(found) -> dict[str, set[str]]:
    """Names by reason, relative to the folder of the entry."""
    names: dict[str, set[str]] = {}
    for entry in found.passed_over:
        names.setdefault(entry.reason, set()).update(entry.names)
        assert entry.count == len(entry.names)
    return names


def check_read(source) -> None:
    case = read_case(source)
    assert case.thyroid.array.sum() == THYROID.sum() and case.trachea.array.sum() == TRACHEA.sum()


def test_cases_of_all_layouts_are_found_side_by_side_at_any_depth(tmp_path: Path) -> None:
    write_case(tmp_path / "s0001", THYROID, TRACHEA, RAS)
    masks(tmp_path / "pat 07" / "seg")
    masks(tmp_path / "deep" / "a" / "b" / "c" / "segmentations")
    label_map(tmp_path / "p1" / "segmentations.nii.gz")
    label_map(tmp_path / "p2.nii.gz")
    seg = {"thyroid": THYROID, "trachea": TRACHEA}
    images = ct_series(THYROID.shape, affine())
    codes = {"thyroid": THYROID_CODE, "trachea": TRACHEA_CODE}
    study = tmp_path / "PAT3" / "1.2.840.1.5" / "1.2.840.1.6"
    study.mkdir(parents=True)
    write_seg(study / "1.2.840.1.7", seg, images, codes_of=codes)
    for number, image in enumerate(images[:3]):
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
        image.save_as(study / f"IM{number}", enforce_file_format=True)
    found = search_cases([tmp_path])
    kinds = {source.id: source.kind for source in found.cases}
    assert kinds == {"s0001": "masks", "pat 07": "masks", "c": "masks", "p1": "labels", "p2": "labels", "PAT3": "dicom"}
    for source in found.cases:
        check_read(source)
    assert passed_over(found) == {
        IMAGES: {f"PAT3/1.2.840.1.5/1.2.840.1.6/IM{number}" for number in range(3)},
    }


@pytest.mark.parametrize("name", ["thyroid.nrrd", "Glnd_Thyroid.mha", "Thyroid.nii"])
def test_masks_of_any_format_and_name_are_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "p").mkdir()
    write_by_sitk(Volume(THYROID, RAS), tmp_path / "p" / name)
    write_volume(Volume(TRACHEA, RAS), tmp_path / "p" / "Trachea.nrrd")
    (source,) = find_cases(tmp_path)
    assert source.id == "p"
    check_read(source)


def test_lobes_in_two_files_are_joined_with_a_note(tmp_path: Path) -> None:
    middle = THYROID.shape[2] // 2
    left, right = THYROID.copy(), THYROID.copy()
    left[:, :, :middle], right[:, :, middle:] = 0, 0
    write_nifti(tmp_path / "p" / "thyroid_left.nii.gz", left, RAS)
    write_nifti(tmp_path / "p" / "thyroid_right.nii.gz", right, RAS)
    write_nifti(tmp_path / "p" / "trachea.nii.gz", TRACHEA, RAS)
    (source,) = find_cases(tmp_path)
    check_read(source)
    assert "joined" in read_case(source).notes[0]
    # The whole gland is used where it is there too.
    masks(tmp_path / "p")
    (source,) = find_cases(tmp_path)
    check_read(source)
    assert "ignored" in read_case(source).notes[0]


def test_two_files_that_may_be_the_gland_make_the_case_unreadable_and_name_both(tmp_path: Path) -> None:
    masks(tmp_path / "p", "thyroid.nii.gz")
    write_nifti(tmp_path / "p" / "Glnd_Thyroid.nii.gz", THYROID, RAS)
    (source,) = find_cases(tmp_path)
    with pytest.raises(InputError, match=r"Glnd_Thyroid\.nii\.gz and thyroid\.nii\.gz"):
        read_case(source)


def test_a_flat_folder_with_names_of_cases_and_structures(tmp_path: Path) -> None:
    masks(tmp_path, "p1_thyroid.nii.gz", "p1_trachea.nii.gz")
    masks(tmp_path, "p2-x_thyroid_gland_mask.nii.gz", "p2-x_trachea_mask.nii.gz")
    masks(tmp_path, "thyroid_gland_p4.nii.gz", "trachea_p4.nii.gz")
    write_nifti(tmp_path / "p3_thyroid_cartilage.nii.gz", THYROID, RAS)
    masks(tmp_path, "PRV_thyroid.nii.gz", "PRV_trachea.nii.gz")
    found = search_cases([tmp_path])
    assert [source.id for source in found.cases] == ["p1", "p2-x", "p4"]
    for source in found.cases:
        check_read(source)
    assert passed_over(found) == {
        OTHER_STRUCTURES: {"p3_thyroid_cartilage.nii.gz", "PRV_thyroid.nii.gz", "PRV_trachea.nii.gz"}
    }


def test_one_folder_for_each_structure(tmp_path: Path) -> None:
    for case_id in ("p1", "p2"):
        write_nifti(tmp_path / "thyroid" / f"{case_id}.nii.gz", THYROID, RAS)
        write_nifti(tmp_path / "trachea" / f"{case_id}.nii.gz", TRACHEA, RAS)
    write_nifti(tmp_path / "thyroid" / "p3.nii.gz", THYROID, RAS)
    masks(tmp_path / "p4", "thyroid/thyroid.nii.gz", "trachea/trachea.nii.gz")
    found = search_cases([tmp_path])
    assert [source.id for source in found.cases] == ["p1", "p2", "p4"]
    for source in found.cases:
        check_read(source)
    assert passed_over(found) == {NO_NAMES: {"p3.nii.gz"}}


def test_other_masks_of_the_same_scan_are_no_second_case(tmp_path: Path) -> None:
    masks(tmp_path / "p1")
    masks(tmp_path / "p1", "thyroid_v2.nii.gz", "trachea_v2.nii.gz")
    found = search_cases([tmp_path])
    assert [source.id for source in found.cases] == ["p1"]
    assert passed_over(found) == {MASKS_USED: {"thyroid_v2.nii.gz", "trachea_v2.nii.gz"}}


def test_a_mask_that_repeats_another_is_passed_over_once(tmp_path: Path) -> None:
    write_nifti(masks(tmp_path / "p1") / "thyroid.nii.gz", THYROID, RAS)
    found = search_cases([tmp_path])
    check_read(found.cases[0])
    assert passed_over(found) == {SAME_NAME: {"thyroid.nii.gz"}}


def test_of_two_files_of_one_name_the_one_that_can_be_opened_is_used(tmp_path: Path) -> None:
    label_map(tmp_path / "p1.nii.gz")
    (tmp_path / "p1.nii").write_bytes(b"damaged")
    found = search_cases([tmp_path])
    check_read(found.cases[0])
    assert passed_over(found) == {SAME_NAME: {"p1.nii"}}


def test_one_dicom_seg_or_slicer_segmentation_for_each_structure(tmp_path: Path) -> None:
    images = ct_series(THYROID.shape, affine())
    write_seg(tmp_path / "p1" / "thyroid.dcm", {"thyroid": THYROID}, images, codes_of={"thyroid": THYROID_CODE})
    write_seg(tmp_path / "p1" / "trachea.dcm", {"trachea": TRACHEA}, images, codes_of={"trachea": TRACHEA_CODE})
    flat = tmp_path / "flat"
    write_seg(flat / "case_01_OAR_Glnd_Thyroid.dcm", {"x": THYROID}, images, codes_of={"x": THYROID_CODE})
    write_seg(flat / "case_01_OAR_Trachea.dcm", {"y": TRACHEA}, images, codes_of={"y": TRACHEA_CODE})
    sources = find_cases(tmp_path)
    assert [(source.id, source.kind) for source in sources] == [("case_01", "masks"), ("p1", "masks")]
    for source in sources:
        check_read(source)


def test_the_masks_of_a_patient_are_used_before_a_label_map_of_the_same_scan(tmp_path: Path) -> None:
    write_case(tmp_path / "s1", THYROID, TRACHEA, RAS)
    label_map(tmp_path / "s1" / "labels_total.nii.gz")
    elsewhere = RAS.copy()
    elsewhere[2, 3] += 40
    label_map(tmp_path / "s1" / "other patient.nii.gz", ras=elsewhere)
    write_nifti(tmp_path / "s1" / "ct.nii.gz", THYROID, RAS)
    found = search_cases([tmp_path])
    assert {source.id: source.kind for source in found.cases} == {"s1": "masks", "other patient": "labels"}
    assert passed_over(found) == {MASKS_USED: {"labels_total.nii.gz"}, IMAGES: {"s1/ct.nii.gz"}}


@pytest.mark.parametrize("own", ["thyroid", "trachea"])
def test_a_structure_without_a_mask_is_taken_from_a_label_map_of_the_same_scan(tmp_path: Path, own: str) -> None:
    write_nifti(tmp_path / "p1" / f"{own}.nii.gz", THYROID if own == "thyroid" else TRACHEA, RAS)
    label_map(tmp_path / "p1" / "total.nii.gz")
    label_map(tmp_path / "p1" / "second.nii.gz")
    found = search_cases([tmp_path])
    (source,) = found.cases
    assert source.id == "p1" and source.kind == "masks"
    check_read(source)
    assert passed_over(found) == {MASKS_USED: {"total.nii.gz"}}
    listed = case_listing(source)
    assert listed["trachea"] == ["second.nii.gz" if own == "thyroid" else "trachea.nii.gz"]


def test_a_parser_that_fails_keeps_the_file_as_a_case_to_report(tmp_path: Path, monkeypatch) -> None:
    label_map(tmp_path / "p1.nii.gz")

    def damaged(path, *, labels=None):
        raise KeyError("x")

    monkeypatch.setattr("ThyroidSynthLib.dataset.finding.layouts.open_segmentation", damaged)
    monkeypatch.setattr("ThyroidSynthLib.dataset.finding.listing.open_segmentation", damaged)
    (source,) = find_cases(tmp_path)
    assert (
        case_listing(source)["error"] == f"{tmp_path / 'p1.nii.gz'} is damaged or of an unknown form. Export it again."
    )


def test_the_mask_of_one_structure_alone_is_refused_with_the_way_to_give_both(tmp_path: Path) -> None:
    masks(tmp_path)
    with pytest.raises(InputError, match="Give the folder of both masks"):
        search_cases([tmp_path / "thyroid_gland.nii.gz", tmp_path / "trachea.nii.gz"])


def test_files_without_names_need_labels_which_files_with_names_do_not(tmp_path: Path) -> None:
    label_map(tmp_path / "own.nii.gz", None)
    label_map(tmp_path / "CT" / "named.nii.gz", {9: "thyroid", 3: "trachea"})
    ct = np.where(THYROID > 0, 60, -1000).astype(np.int16)
    write_nifti(tmp_path / "scan of p1.nii.gz", ct, RAS)
    write_volume(Volume(ct, RAS), tmp_path / "scan of p2.nrrd")
    without = search_cases([tmp_path])
    assert [source.id for source in without.cases] == ["named"]
    assert passed_over(without) == {NO_NAMES: {"own.nii.gz", "scan of p1.nii.gz", "scan of p2.nrrd"}}
    found = search_cases([tmp_path], labels={3: "thyroid", 9: "trachea"})
    assert [source.id for source in found.cases] == ["named", "own"]
    check_read(found.cases[1])
    # In the other file the numbers are exchanged, and its names say so.
    assert read_case(found.cases[0]).thyroid.array.sum() == TRACHEA.sum()
    assert passed_over(found) == {IMAGES: {"scan of p1.nii.gz", "scan of p2.nrrd"}}


def test_everything_else_is_passed_over_with_its_reason(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_case(root / "s1", THYROID, TRACHEA, RAS)
    write_nifti(root / "s1" / "segmentations" / "liver.nii.gz", THYROID, RAS)
    masks(root / "s2", "liver.nii.gz", "spleen.nii.gz")
    label_map(root / "s3" / "lungs.nii.gz", {3: "lung_upper_lobe_left", 9: "heart"})
    label_map(root / "s4.nii.gz")
    label_map(root / "s4.nii")
    (root / "empty").mkdir()
    for name in (
        ".hidden",
        "__MACOSX/x.nii.gz",
        "Thumbs.db",
        "s1/._ct.nii.gz",
        "notes.txt",
        "meta.csv",
        "more.zip",
        "s.stl",
    ):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    (root / "gone").symlink_to(root / "nowhere")
    (root / "loop").symlink_to(root)
    (root / "again").symlink_to(root / "s1")
    os.mkfifo(root / "pipe.nii.gz")
    found = search_cases([root])
    assert [source.id for source in found.cases] == ["s1", "s4"]
    assert passed_over(found) == {
        OTHER_STRUCTURES: {"s1/segmentations/liver.nii.gz"},
        NO_NAMES: {"liver.nii.gz", "spleen.nii.gz"},
        NEITHER: {"lungs.nii.gz"},
        SAME_NAME: {"s4.nii.gz"},
        EMPTY_FOLDER: {"empty"},
        SYSTEM_FILES: {".hidden", "__MACOSX", "Thumbs.db", "s1/._ct.nii.gz"},
        OTHER_FILES: {"notes.txt", "meta.csv"},
        ARCHIVES: {"more.zip"},
        UNREAD_FORMATS: {"s.stl"},
        BROKEN_LINK: {"gone"},
        SEARCHED_ALREADY: {"again", "loop"},
        SPECIAL_FILE: {"pipe.nii.gz"},
    }


@pytest.mark.parametrize("kind", ["pipe", "broken link", "device"])
def test_a_mask_that_is_no_regular_file_makes_its_case_unreadable(tmp_path: Path, kind: str) -> None:
    write_nifti(tmp_path / "p" / "trachea.nii.gz", TRACHEA, RAS)
    path = tmp_path / "p" / "thyroid_gland.nii.gz"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    found = search_cases([tmp_path])
    assert passed_over(found) == {}
    with pytest.raises(InputError, match=r"thyroid_gland\.nii\.gz (is a pipe, a socket or a device|does not exist)"):
        read_case(found.cases[0])


def test_a_folder_that_cannot_be_opened_is_passed_over(tmp_path: Path, monkeypatch) -> None:
    masks(tmp_path / "p1")
    masks(tmp_path / "p2")
    scandir = os.scandir

    def refused(path):
        if Path(path).name == "p2":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    found = search_cases([tmp_path])
    assert [source.id for source in found.cases] == ["p1"]
    assert passed_over(found) == {"folder that cannot be opened (Permission denied)": {"p2"}}


def test_masks_with_names_of_other_organs_and_images_are_not_opened(tmp_path: Path, monkeypatch) -> None:
    folder = write_case(tmp_path / "s1", THYROID, TRACHEA, RAS) / "segmentations"
    for name in ("liver", "vertebrae_C7", "heart", "lung_upper_lobe_left"):
        (folder / f"{name}.nii.gz").write_bytes(b"never opened")
    (tmp_path / "s1" / "ct.nii.gz").write_bytes(b"never opened")
    opened = "ThyroidSynthLib.dataset.finding.layouts.open_segmentation"
    monkeypatch.setattr(opened, lambda path, **_: pytest.fail(f"{path} was opened"))
    assert [source.id for source in find_cases(tmp_path)] == ["s1"]


def test_files_beside_each_other_are_named_by_their_own_names(tmp_path: Path) -> None:
    for name in ("segmentations.nii.gz", "second.nii.gz", "0001.nii.gz"):
        label_map(tmp_path / "p1" / name)
    label_map(tmp_path / "p2" / "0001.nii.gz")
    assert [source.id for source in find_cases(tmp_path)] == ["p1_0001", "p1_segmentations", "p2_0001", "second"]


def test_several_sources_are_searched_once_each(tmp_path: Path) -> None:
    masks(tmp_path / "a" / "p1")
    masks(tmp_path / "b" / "p1")
    label_map(tmp_path / "x.nii.gz")
    found = search_cases([tmp_path / "a", tmp_path / "b", tmp_path / "x.nii.gz", tmp_path / "a", tmp_path / "x.nii.gz"])
    assert [source.id for source in found.cases] == ["a_p1", "b_p1", "x"]
    assert passed_over(found) == {SEARCHED_ALREADY: {"."}, SAME_FILES: {"x.nii.gz"}}
    # A file in a folder that is searched, too, in any order; and one that is a link.
    (tmp_path / "alias.nii.gz").symlink_to(tmp_path / "x.nii.gz")
    for sources in ([tmp_path, tmp_path / "x.nii.gz"], [tmp_path / "x.nii.gz", tmp_path]):
        found = search_cases(sources)
        assert len(found.cases) == 3 and len(passed_over(found)[SAME_FILES]) == 2


def test_a_folder_without_cases_says_what_it_holds(tmp_path: Path) -> None:
    masks(tmp_path, "liver.nii.gz", "spleen.nii.gz")
    with pytest.raises(InputError, match=r"holds no cases \(no thyroid or trachea by name.*: liver.nii.gz, spleen.nii"):
        find_cases(tmp_path)


def test_a_cohort_as_the_source_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "cohort.json").write_text("{}")
    with pytest.raises(InputError, match="is a cohort already"):
        find_cases(tmp_path)


def test_names_that_are_not_utf_8_give_readable_ids(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/M\xfcller"
    masks(Path(os.fsdecode(folder)))
    (source,) = find_cases(tmp_path)
    assert source.id == "Müller"
    check_read(source)


def test_the_listing_names_kind_files_and_where_the_structures_come_from(tmp_path: Path) -> None:
    label_map(tmp_path / "p1.nii.gz")
    write_case(tmp_path / "p2", THYROID, None, RAS)
    (tmp_path / "p3.nii.gz").write_bytes(b"damaged")
    (tmp_path / "notes.txt").write_text("x")
    found = search_cases([tmp_path])
    first, second, third = (case_listing(source) for source in found.cases)
    assert (first["id"], first["kind"], first["files"]) == ("p1", "label map", [str(tmp_path / "p1.nii.gz")])
    assert (first["thyroid_gland"], first["trachea"]) == (["label 3 (thyroid_gland)"], ["label 9 (trachea)"])
    assert (second["thyroid_gland"], second["trachea"]) == (["thyroid_gland.nii.gz"], [])
    assert "p3.nii.gz" in third["error"]
    text = listing_text([first, second, third], found.passed_over)
    assert "p1: label map" in text and "trachea: missing" in text and f"{OTHER_FILES}: notes.txt" in text
