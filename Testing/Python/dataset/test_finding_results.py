"""Results of ThyroidSynth in a source are no cases, and hide no cases beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from support.mask_files import affine, caret_xml, two_masks, write_case, write_nifti
from ThyroidSynthLib.dataset.case_sources import find_cases, search_cases
from ThyroidSynthLib.dataset.finding.layouts import OWN_RESULTS

THYROID, TRACHEA = two_masks()


def label_map(path: Path) -> Path:
    extension = (0, caret_xml({3: "thyroid_gland", 9: "trachea"}))
    return write_nifti(path, (THYROID * 3 + TRACHEA * 9).astype(np.uint8), affine(), extensions=[extension])


def ids_in(folder: Path) -> list[str]:
    return [source.id for source in find_cases(folder)]


def passed_over(folder: Path) -> dict[str, set[str]]:
    return {entry.reason: set(entry.names) for entry in search_cases([folder]).passed_over}


def test_own_results_in_a_source_are_no_cases(tmp_path: Path) -> None:
    write_case(tmp_path / "p1", THYROID, TRACHEA, affine())
    for folder, names in {"cohort": ["prepare.json"], "thyroids": ["manifest.json", "manifest.csv"]}.items():
        for name in names:
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).write_text("{}")
    label_map(tmp_path / "thyroids" / "merged" / "t1.nii.gz")
    label_map(tmp_path / "edited" / "merged.nii.gz")
    (tmp_path / "edited" / "edit.json").write_text('{"kind": "edit", "files": ["merged.nii.gz"]}')
    assert ids_in(tmp_path) == ["p1"]
    thyroids = {f"thyroids/{name}" for name in ("manifest.csv", "manifest.json", "merged")}
    assert passed_over(tmp_path) == {OWN_RESULTS: {"cohort", "edited/edit.json", "edited/merged.nii.gz", *thyroids}}
    # A result that is named as the source is read.
    assert ids_in(tmp_path / "edited") == ["merged"]


def test_phantoms_are_no_cases(tmp_path: Path) -> None:
    write_case(tmp_path / "p1", THYROID, TRACHEA, affine())
    label_map(tmp_path / "made" / "phantom_0001" / "labels.nii.gz")
    listed = '{"kind": "phantom", "files": [{"path": "labels.nii.gz", "sha256": "0"}]}'
    (tmp_path / "made" / "phantom_0001" / "phantom.json").write_text(listed)
    label_map(tmp_path / "made" / "nnunet" / "labelsTr" / "phantom_0001.nii.gz")
    (tmp_path / "made" / "manifest.json").write_text("{}")
    (tmp_path / "made" / "manifest.csv").write_text("")
    assert ids_in(tmp_path) == ["p1"]
    # A phantom that is named as the source is read.
    assert ids_in(tmp_path / "made" / "phantom_0001") == ["phantom_0001"]


def test_cases_beside_own_results_are_found(tmp_path: Path) -> None:
    write_case(tmp_path / "p1" / "segmentations", THYROID, TRACHEA, affine())
    label_map(tmp_path / "p1" / "completions" / "00.nii.gz")
    write_nifti(tmp_path / "p1" / "thyroid.nii.gz", THYROID, affine())
    (tmp_path / "p1" / "fit.json").write_text('{"kind": "fit", "files": ["thyroid.nii.gz", "completions/00.nii.gz"]}')
    label_map(tmp_path / "merged" / "t1.nii.gz")
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "manifest.csv").write_text("")
    label_map(tmp_path / "p2.nii.gz")
    label_map(tmp_path / "p3" / "seg.nii.gz")
    (tmp_path / "p3" / "edit.json").write_text('{"kind": "my own", "files": ["seg.nii.gz"]}')
    assert ids_in(tmp_path) == ["p1", "p2", "p3"]
    fitted = {f"p1/{name}" for name in ("fit.json", "thyroid.nii.gz", "completions/00.nii.gz")}
    assert passed_over(tmp_path)[OWN_RESULTS] == {"manifest.csv", "manifest.json", "merged", *fitted}
