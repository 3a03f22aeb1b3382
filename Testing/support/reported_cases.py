"""Small inputs of the kinds on which users reported faults, made from a synthetic case; no patient data.

Each function writes one into a folder and returns the path to give to a command.
"""

from __future__ import annotations

import gzip
import json
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from ThyroidSynthLib.dataset.synthetic.case import build_case, plan_cases

from .mask_files import caret_xml, with_header, write_nifti

_TERMINOLOGY = "TerminologyEntry:Segmentation category and type~SCT^123037004^Anatomical Structure~{}~Anatomic~^^~^^|"


@dataclass(frozen=True)
class SyntheticCase:
    """Thyroid and trachea [k, j, i] (uint8) of one example case, and their affine (RAS)."""

    thyroid: np.ndarray
    trachea: np.ndarray
    ras: np.ndarray

    @property
    def right_half(self) -> np.ndarray:
        """Return which voxels lie to the patient's right of the trachea's middle; bool [k, j, i]."""
        r = self._positions()[..., 0]
        return r > r[self.trachea > 0].mean()

    @property
    def heights_mm(self) -> np.ndarray:
        """Return the superior coordinate of each voxel [k, j, i]."""
        return self._positions()[..., 2]

    def _positions(self) -> np.ndarray:
        kji = np.moveaxis(np.indices(self.thyroid.shape), 0, -1)
        return kji[..., ::-1] @ self.ras[:3, :3].T + self.ras[:3, 3]


@lru_cache
def synthetic_case(number: int = 0) -> SyntheticCase:
    """Build a valid case of the example cohort."""
    masks = build_case(plan_cases(10, 0, 0.0)[number], with_ct=False).masks
    thyroid, trachea = masks["thyroid_gland"], masks["trachea"]
    return SyntheticCase(thyroid.array, trachea.array, thyroid.ijk_to_ras)


def write_masks(folder: Path, masks: Mapping[str, np.ndarray], ras: np.ndarray) -> Path:
    """Write masks [k, j, i] as NIfTI files of these names."""
    for name, mask in masks.items():
        write_nifti(folder / f"{name}.nii.gz", mask.astype(np.uint8), ras)
    return folder


def whole(folder: Path, *, number: int = 0) -> Path:
    """Write the case without a fault."""
    case = synthetic_case(number)
    return write_masks(folder, {"thyroid_gland": case.thyroid, "trachea": case.trachea}, case.ras)


def _in_a_large_scan(case: SyntheticCase) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both masks with 80 layers added below and 53 on each other side, and the affine."""
    pad = ((80, 0), (53, 53), (53, 53))
    ras = case.ras.copy()
    ras[:3, 3] = case.ras[:3, :3] @ [-53, -53, -80] + case.ras[:3, 3]
    return np.pad(case.thyroid, pad), np.pad(case.trachea, pad), ras


def thyroid_island(folder: Path) -> Path:
    """Write an island of 0.15 mL far from the gland."""
    thyroid, trachea, ras = _in_a_large_scan(synthetic_case())
    thyroid[4:7, 4:7, 4:9] = 1
    return write_masks(folder, {"thyroid_gland": thyroid, "trachea": trachea}, ras)


def trachea_island(folder: Path) -> Path:
    """Write an island of 0.9 mL far from the trachea."""
    thyroid, trachea, ras = _in_a_large_scan(synthetic_case())
    trachea[4:11, 4:11, 4:9] = 1
    return write_masks(folder, {"thyroid_gland": thyroid, "trachea": trachea}, ras)


def _lobes(case: SyntheticCase) -> tuple[np.ndarray, np.ndarray]:
    """Return the right and the left half of the gland."""
    return case.thyroid & case.right_half, case.thyroid & ~case.right_half


def lobes_in_dicom_seg(folder: Path) -> Path:
    """Write the lobes as two segments with the code of the thyroid."""
    from .dicom_files import THYROID_CODE, TRACHEA_CODE, ct_series, write_seg

    case = synthetic_case()
    right, left = _lobes(case)
    names = ("Right lobe of thyroid gland", "Left lobe of thyroid gland", "Trachea")
    masks = dict(zip(names, (right, left, case.trachea), strict=True))
    types = dict(zip(names, (THYROID_CODE, THYROID_CODE, TRACHEA_CODE), strict=True))
    return write_seg(folder / "lr.dcm", masks, ct_series(case.thyroid.shape, case.ras), codes_of=types)


def lobes_in_slicer_segmentation(folder: Path) -> Path:
    """Write the lobes as two segments with one code and modifiers of laterality."""
    case = synthetic_case()
    right, left = _lobes(case)
    types = {
        "right thyroid": "SCT^69748006^Thyroid~SCT^24028007^Right",
        "left thyroid": "SCT^69748006^Thyroid~SCT^7771000^Left",
        "trachea": "SCT^44567001^Trachea~^^",
    }
    tags = {name: _TERMINOLOGY.format(code) for name, code in types.items()}
    return write_seg_nrrd(folder / "lr.seg.nrrd", right + 2 * left + 3 * case.trachea, case.ras, tags)


def lobes_in_files(folder: Path) -> Path:
    """Write the lobes as two mask files."""
    case = synthetic_case(9)
    right, left = _lobes(case)
    return write_masks(folder, {"thyroid_right": right, "thyroid_left": left, "trachea": case.trachea}, case.ras)


def sheared(folder: Path) -> Path:
    """Write a case with its CT, sheared by 0.05 degrees as in some cases of the TotalSegmentator dataset."""
    case = synthetic_case()
    ras = case.ras.copy()
    ras[:3, 2] += np.tan(np.radians(0.05)) * np.linalg.norm(ras[:3, 2]) * ras[:3, 1] / np.linalg.norm(ras[:3, 1])
    write_nifti(folder / "ct.nii.gz", np.where(case.thyroid > 0, 100, -1000).astype(np.int16), ras)
    return write_masks(folder, {"thyroid_gland": case.thyroid, "trachea": case.trachea}, ras)


def own_labels(folder: Path) -> Path:
    """Write a label map with numbers of the user's own and without names."""
    case = synthetic_case(9)
    return write_nifti(folder / "seg.nii.gz", case.thyroid + 2 * case.trachea, case.ras)


def label_map_nrrd(folder: Path) -> Path:
    """Write a label map as Slicer exports it."""
    case = synthetic_case()
    return _write_nrrd(folder / "Segmentation-label.nrrd", case.thyroid + 2 * case.trachea, case.ras)


def nnunet_dataset(folder: Path) -> Path:
    """Write a training dataset of nnU-Net, whose labels are in its `dataset.json`."""
    own_labels(folder / "labelsTr")
    (folder / "labelsTr" / "seg.nii.gz").rename(folder / "labelsTr" / "c_001.nii.gz")
    labels = {"background": 0, "thyroid": 1, "trachea": 2}
    about = {"labels": labels, "file_ending": ".nii.gz", "channel_names": {"0": "CT"}, "numTraining": 1}
    (folder / "dataset.json").write_text(json.dumps(about))
    return folder


def one_file_per_patient(folder: Path) -> Path:
    """Write a multi-label file with names of TotalSegmentator into the folder of each patient."""
    for patient, number in (("p1", 9), ("p2", 0)):
        case = synthetic_case(number)
        names = (0, caret_xml({16: "trachea", 17: "thyroid_gland"}))
        labels = 16 * case.trachea + 17 * case.thyroid
        write_nifti(folder / patient / "segmentations.nii.gz", labels, case.ras, extensions=[names])
    return folder


def radiotherapy_names(folder: Path) -> Path:
    """Write masks named as in AAPM TG-263."""
    case = synthetic_case(9)
    return write_masks(folder, {"Glnd_Thyroid": case.thyroid, "Trachea": case.trachea}, case.ras)


def rtstruct(folder: Path) -> Path:
    """Write the outlines of both structures in each slice as RTSTRUCT, without a CT."""
    from .rtstruct_files import write_rtstruct

    case = synthetic_case()
    return write_rtstruct(
        folder / "segmentations.dcm", {"Glnd_Thyroid": case.thyroid, "Trachea": case.trachea}, case.ras
    )


def srt_codes(folder: Path) -> Path:
    """Write segments that only their SRT codes name."""
    import highdicom as hd

    from .dicom_files import ct_series, write_seg

    case = synthetic_case()
    types = {
        "Segment_1": hd.sr.CodedConcept("T-B6000", "SRT", "Thyroid"),
        "Segment_2": hd.sr.CodedConcept("T-25000", "SRT", "Trachea"),
    }
    masks = {"Segment_1": case.thyroid, "Segment_2": case.trachea}
    return write_seg(folder / "srt.dcm", masks, ct_series(case.thyroid.shape, case.ras), codes_of=types)


def units_metre(folder: Path) -> Path:
    """Write two cases, one of which states that its millimetres are metres."""
    whole(folder / "good")
    metre = whole(folder / "metre", number=9)
    for path in metre.glob("*.nii.gz"):
        with_header(path, 123, "B", 1)
    return folder


def slab_of_trachea(folder: Path) -> Path:
    """Write a trachea of which only 9 mm are segmented, far below the gland."""
    case = synthetic_case()
    heights = case.heights_mm
    lowest = heights[case.trachea > 0].min()
    slab = case.trachea & (heights < lowest + 8.9)
    return write_masks(folder, {"thyroid_gland": case.thyroid, "trachea": slab}, case.ras)


def hole_of_one_voxel(folder: Path) -> Path:
    """Write a gland of 3 mm voxels, of which one inside is missing."""
    case = synthetic_case()
    thyroid, trachea = (mask[::2, ::2, ::2].copy() for mask in (case.thyroid, case.trachea))
    thyroid[tuple(np.argwhere(ndimage.binary_erosion(thyroid))[0])] = 0
    ras = case.ras @ np.diag([2.0, 2.0, 2.0, 1.0])
    return write_masks(folder, {"thyroid_gland": thyroid, "trachea": trachea}, ras)


def one_lobe(folder: Path) -> Path:
    """Write a gland without its right lobe and isthmus."""
    case = synthetic_case()
    r = np.moveaxis(np.indices(case.thyroid.shape), 0, -1)[..., ::-1] @ case.ras[0, :3] + case.ras[0, 3]
    left = case.thyroid & (r < r[case.trachea > 0].mean() - 4.0)
    return write_masks(folder, {"thyroid_gland": left, "trachea": case.trachea}, case.ras)


def own_label_values(folder: Path) -> Path:
    """Write a Slicer segmentation of two layers with label values of the user's own."""
    case = synthetic_case()
    behind = np.roll(case.trachea, -13, axis=1) & ~(case.trachea | case.thyroid)
    first = 170 * case.thyroid + 160 * case.trachea + 15 * behind
    nodule = ndimage.binary_erosion(case.thyroid, iterations=3)
    segments = {"thyroid": (170, 0), "trachea": (160, 0), "esophagus": (15, 0), "nodule": (1, 1)}
    lines = []
    for number, (name, (value, layer)) in enumerate(segments.items()):
        own = {"ID": name, "LabelValue": value, "Layer": layer, "Name": name}
        lines += [f"Segment{number}_{key}:={text}" for key, text in own.items()]
    layers = np.stack([first, nodule.astype(np.uint8)], axis=-1)
    return _write_nrrd(folder / "m.seg.nrrd", layers, case.ras, lines)


def write_seg_nrrd(path: Path, labels: np.ndarray, ras: np.ndarray, tags: Mapping[str, str]) -> Path:
    """Write a label map [k, j, i] as Slicer segmentation: segment number n is label n, by name and tags."""
    lines = []
    for number, (name, tag) in enumerate(tags.items()):
        own = {"ID": f"Segment_{number + 1}", "LabelValue": number + 1, "Layer": 0, "Name": name, "Tags": tag}
        lines += [f"Segment{number}_{key}:={text}" for key, text in own.items()]
    return _write_nrrd(path, labels, ras, lines)


def _write_nrrd(path: Path, array: np.ndarray, ras: np.ndarray, lines: list[str] | tuple[str, ...] = ()) -> Path:
    """Write an array [k, j, i] or [k, j, i, layer] as NRRD, gzipped, with further lines of the header."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ras
    vectors = ["(" + ",".join(repr(float(value)) for value in lps[:3, column]) + ")" for column in range(4)]
    layered = array.ndim == 4
    sizes = [*array.shape[3:], *array.shape[2::-1]]
    header = [
        "NRRD0004",
        "type: unsigned char",
        f"dimension: {array.ndim}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {'none ' if layered else ''}{' '.join(vectors[:3])}",
        f"kinds: {'list ' if layered else ''}domain domain domain",
        "encoding: gzip",
        f"space origin: {vectors[3]}",
        *lines,
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(header).encode() + b"\n\n"
    path.write_bytes(text + gzip.compress(np.ascontiguousarray(array, dtype=np.uint8).tobytes(), 1))
    return path


def _nifti(folder: Path, name: str) -> Path:
    case = synthetic_case()
    return write_nifti(folder / name, case.trachea, case.ras)


def _damaged_in_transfer(folder: Path) -> Path:
    path = _nifti(folder, "bitflip.nii.gz")
    whole = path.read_bytes()
    for place in range(len(whole) // 2, len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :]
        try:
            gzip.decompress(damaged)  # a few bits of a compressed file have no effect
        except (OSError, EOFError, zlib.error):
            break
    path.write_bytes(damaged)
    return path


def _nifti2_header_only(folder: Path) -> Path:
    header = bytearray(544)
    struct.pack_into("<i", header, 0, 540)
    header[4:12] = b"n+2\x00\r\n\x1a\n"
    struct.pack_into("<2h", header, 12, 2, 8)
    struct.pack_into("<8q", header, 16, 3, 10**15, 10**15, 1, 1, 1, 1, 1)
    path = folder / "nifti2.nii.gz"
    path.write_bytes(gzip.compress(bytes(header)))
    return path


def _nrrd_text(name: str, old: str, new: str) -> Callable[[Path], Path]:
    """Return a writer of a Slicer segmentation with a changed line in its header."""

    def write(folder: Path) -> Path:
        case = synthetic_case()
        path = write_seg_nrrd(folder / name, case.thyroid + 2 * case.trachea, case.ras, {"thyroid": "", "trachea": ""})
        content = path.read_bytes()
        assert old.encode() in content
        path.write_bytes(content.replace(old.encode(), new.encode(), 1))
        return path

    return write


def _far_frame(folder: Path) -> Path:
    import pydicom

    path = srt_codes(folder).rename(folder / "far.dcm")
    seg = pydicom.dcmread(path)
    seg.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient = [0.0, 0.0, 1e6]
    seg.save_as(path)
    return path


DAMAGED: dict[str, Callable[[Path], Path]] = {
    "damaged in transfer": _damaged_in_transfer,
    "32,767 voxels along each axis": lambda folder: with_header(
        _nifti(folder, "huge.nii.gz"), 40, "4h", 3, 32767, 32767, 32767
    ),
    "voxel offset not a number": lambda folder: with_header(_nifti(folder, "offset.nii.gz"), 108, "f", float("nan")),
    "NIfTI-2 of 1e30 voxels": _nifti2_header_only,
    "data in a system file": _nrrd_text("detached.seg.nrrd", "encoding: gzip", "encoding: raw\ndata file: /etc/passwd"),
    "label value 1.5": _nrrd_text("float.seg.nrrd", "Segment0_LabelValue:=1", "Segment0_LabelValue:=1.5"),
    "label value abc": _nrrd_text("text.seg.nrrd", "Segment0_LabelValue:=1", "Segment0_LabelValue:=abc"),
    "a frame 1 km away": _far_frame,
}
"""Writers of damaged images."""


def latin1_folder(folder: Path) -> Path:
    """Write the case into a folder whose name is in Latin-1 bytes, as older systems write them."""
    return whole(Path(os.fsdecode(os.fsencode(folder) + b"/M\xfcller")))
