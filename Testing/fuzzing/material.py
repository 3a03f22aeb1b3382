"""Good inputs of every kind, small, from which the bad ones are made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np


def write_material(folder: Path) -> None:
    """Write one file or folder of each kind that a command or the panel reads."""
    from support.authors_files import write_authors_set
    from support.dicom_files import THYROID_CODE, TRACHEA_CODE, ct_series, write_seg
    from support.kept_models import kept_model
    from support.lightning_files import AuthorsModule, save_checkpoint
    from support.mask_files import affine, caret_xml, two_masks, write_case, write_nifti
    from support.sitk_images import write_by_sitk
    from support.tiny_cohort import write_tiny_cohort
    from ThyroidSynthLib.geometry.volume import Volume
    from ThyroidSynthLib.imaging.volume_files import write_volume

    folder.mkdir(parents=True)
    thyroid, trachea = two_masks()
    ras = affine()
    write_nifti(folder / "thyroid.nii.gz", thyroid, ras)
    write_nifti(folder / "trachea.nii.gz", trachea, ras)
    write_nifti(folder / "gland.nii", thyroid, ras)
    write_case(folder / "case", thyroid, trachea, ras)
    labels = (17 * thyroid + 16 * trachea).astype(np.uint8)
    names = {16: "trachea", 17: "thyroid_gland"}
    write_nifti(folder / "labels.nii.gz", labels, ras, extensions=[(0, caret_xml(names))])
    write_nifti(folder / "ct.nii.gz", (labels * 7).astype(np.int16), ras)
    write_nifti(folder / "case" / "ct.nii.gz", (labels * 7).astype(np.int16), ras)
    write_volume(Volume(thyroid, ras), folder / "gland.nrrd")
    write_by_sitk(Volume(thyroid, ras), folder / "gland.mha")
    _write_seg_nrrd(folder / "both.seg.nrrd", {"trachea": trachea, "thyroid_gland": thyroid}, ras)
    masks = {"thyroid_gland": thyroid, "trachea": trachea}
    codes = {"thyroid_gland": THYROID_CODE, "trachea": TRACHEA_CODE}
    write_seg(folder / "both.dcm", masks, ct_series(thyroid.shape, ras), codes_of=codes)

    shutil.copy(kept_model("tiny"), folder / "model.safetensors")
    library = folder / "library"
    library.mkdir()
    shutil.copy(kept_model("tiny"), library / "good.safetensors")
    shutil.copy(kept_model("baseline"), library / "other.safetensors")
    write_tiny_cohort(folder / "cohort", cases=4, samples_per_shape=400)
    (folder / "targets.csv").write_text("volume_ml,symmetry\n14,0.7\n18,\n")
    (folder / "targets2.csv").write_text("Name;volume_ml;isthmus_area_mm2\na;14;20\nb;15;\n")
    (folder / "distribution.json").write_text('{"volume_ml": "normal(15, 3)", "symmetry": "cohort"}')
    (folder / "distribution.csv").write_text("feature,distribution\nvolume_ml,15\nsymmetry,cohort\n")
    made = write_authors_set(folder / "authors", cases=4, samples=100)
    features = np.array([made.units(made.features(case_id)) for case_id in made.ids])
    latent = [*(features[:, [column]] for column in range(3)), (len(features), 4)]
    save_checkpoint(AuthorsModule(latent), folder / "checkpoint.ckpt")
    _write_results(folder)


def _write_seg_nrrd(path: Path, masks: dict[str, np.ndarray], ras: np.ndarray) -> None:
    """Write a Slicer segmentation with one label map, raw."""
    space = np.diag([-1.0, -1.0, 1.0]) @ ras[:3]
    vectors = " ".join("(" + ",".join(f"{value:.6f}" for value in space[:, axis]) + ")" for axis in range(3))
    array = sum(number * mask for number, mask in enumerate(masks.values(), 1)).astype(np.uint8)
    lines = [
        "NRRD0004",
        "type: unsigned char",
        "dimension: 3",
        "space: left-posterior-superior",
        "sizes: " + " ".join(map(str, array.shape[::-1])),
        f"space directions: {vectors}",
        "kinds: domain domain domain",
        "encoding: raw",
        "space origin: (" + ",".join(f"{value:.6f}" for value in space[:, 3]) + ")",
        "Segmentation_MasterRepresentation:=Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset:=0 0 0",
    ]
    for number, name in enumerate(masks):
        lines += [f"Segment{number}_{key}:={value}" for key, value in _segment(number, name, array.shape)]
    path.write_bytes("\n".join([*lines, "", ""]).encode() + array.tobytes())


def _segment(number: int, name: str, shape: tuple[int, ...]) -> list[tuple[str, object]]:
    return [
        ("Color", "0.5 0.5 0.5"),
        ("Extent", f"0 {shape[2] - 1} 0 {shape[1] - 1} 0 {shape[0] - 1}"),
        ("ID", name),
        ("LabelValue", number + 1),
        ("Layer", 0),
        ("Name", name),
        ("Tags", ""),
    ]


def _write_results(folder: Path) -> None:
    """Write a result of every command that another one reads."""
    from ThyroidSynthLib.cli.main import main
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.jobs.job_options import JobOptions, job_for
    from ThyroidSynthLib.jobs.preview import Preview, write_preview
    from ThyroidSynthLib.model import shipped

    model = str(folder / "model.safetensors")
    files = ("--format", "none", "--quiet")
    assert main(["generate", model, "--count", "1", *files, "--out", str(folder / "generated")]) == 0
    masks = ["--thyroid", str(folder / "thyroid.nii.gz"), "--trachea", str(folder / "trachea.nii.gz")]
    prepared = ["--samples", "200", "--workers", "1", "--quiet", "--out", str(folder / "prepared")]
    main(["prepare", *masks, *prepared])
    (folder / "evaluation").mkdir()
    shutil.copy(shipped.SHIPPED_MODELS / "example.evaluation.json", folder / "evaluation" / "evaluation.json")
    job = job_for(folder / "job", JobOptions(folder / "cohort", epochs=2, device="cpu"))
    assert main(["train", "--job", str(job.path), "--quiet"]) == 0
    surface = Cohort.open(folder / "cohort").surface("tiny00")
    write_preview(job.preview_file, Preview("tiny00", 1, surface, surface))
    assert json.loads(job.state_file.read_text())["status"] == "finished"
