"""What a search has found, for the user: each case with its kind, its files, and where its structures come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ThyroidSynthLib.common.errors import ThyroidSynthError
from ThyroidSynthLib.imaging.labels import STRUCTURES
from ThyroidSynthLib.imaging.segmentations.opening import open_segmentation

from .ids import readable
from .mask_names import whole_or_lobe_files
from .source import CaseSource
from .tree import PassedOver

KINDS = {
    "masks": "masks",
    "labels": "label map",
    "segmentation": "Slicer segmentation",
    "dicom": "DICOM SEG",
    "contours": "DICOM RTSTRUCT",
}
"""Names of the kinds of cases."""


def case_listing(source: CaseSource) -> dict[str, Any]:
    """Return the description of a case for JSON.

    Its keys are id, kind, files, ct, for each structure a list of where it comes from, and error, which is empty if
    the file can be opened. Voxels are not read.
    """
    where: dict[str, list[str]] = {structure.name: [] for structure in STRUCTURES}
    error = ""
    try:
        if source.labels_path is None:
            for structure, paths in zip(STRUCTURES, (source.thyroid_paths, source.trachea_paths), strict=True):
                used = whole_or_lobe_files(structure, paths)[0] if paths else ()
                where[structure.name] = [readable(path.name) for path in used]
        else:
            numbered = "label" if source.kind in ("labels", "segmentation") else "segment"
            chosen, _ = open_segmentation(source.labels_path, labels=source.labels).structures()
            for structure, segments in chosen.items():
                where[structure.name] = [f"{numbered} {segment.label} ({segment.name})" for segment in segments]
    except ThyroidSynthError as fault:
        error = readable(str(fault))
    except Exception:  # A damaged file can raise anything.
        error = f"{readable(str(source.labels_path))} is damaged or of an unknown form. Export it again."
    files = [readable(str(path)) for path in source.files]
    ct = None if source.ct_path is None else readable(str(source.ct_path))
    return {"id": source.id, "kind": KINDS[source.kind], "files": files, "ct": ct, **where, "error": error}


def passed_over_listing(entry: PassedOver) -> dict[str, Any]:
    """Return what was passed over in a folder for one reason, for JSON; `names` may be only the first of them."""
    names = [readable(name) for name in entry.names]
    return {"folder": readable(str(entry.path)), "reason": entry.reason, "count": entry.count, "names": names}


def listing_text(cases: Sequence[Mapping[str, Any]], passed_over: Sequence[PassedOver]) -> str:
    """Return the cases of `case_listing` and what was passed over as a text with a line or two for each."""
    lines = [f"Cases: {len(cases)}"]
    for case in cases:
        lines.append(f"  {case['id']}: {case['kind']}, {', '.join(case['files']) or 'no files'}")
        if case["error"]:
            lines.append(f"    cannot be read: {case['error']}")
            continue
        parts = [f"{s.name}: {', '.join(case[s.name]) or 'missing'}" for s in STRUCTURES]
        lines.append(f"    {'; '.join(parts)}" + (f"; CT: {case['ct']}" if case["ct"] else ""))
    lines.append(f"Passed over: {sum(entry.count for entry in passed_over) or 'nothing'}")
    lines += [f"  {readable(str(entry.path))}: {entry.reason}: {readable(entry.text())}" for entry in passed_over]
    return "\n".join(lines)
