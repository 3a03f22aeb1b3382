"""The card of a cohort of phantoms: what it is, how it was made, what it is for and what not, and how to cite it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.common.files import read_json, write_text
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.export.cohort.manifest import MANIFEST_JSON
from ThyroidSynthLib.export.phantom.phantom_cohort import PHANTOMS
from ThyroidSynthLib.export.phantom.phantom_folder import PHANTOM_FILE

if TYPE_CHECKING:
    from ThyroidSynthLib.model.trained_model import TrainedModel

_FEATURES = {"volume_ml": "volume (mL)", "isthmus_area_mm2": "isthmus area (mm²)", "symmetry": "symmetry"}
_FILES = {
    "labels.": "label map, with the names of the labels in its header",
    "fractions/": "share of each voxel that each material fills",
    "materials.": "properties of the material of each label, each number with its source",
    "ct_synthetic.": "CT that follows the thyroid and its nodules; its header says that it is synthetic",
    "ct_dicom/": "the same as a DICOM series",
    "meshes/": "surfaces of the organs in one frame, and tetrahedra; `meshes.json` lists them",
    "simulators/": "folders that simulators run",
    "phantom.json": "true features, targets, random seed, latent code, nodules, neighbours, sources and checksums",
}
_CITATION = """\
- ThyroidSynth contributors. {software}. Its file `CITATION.cff` has the entry for reference managers.
- B. de Wilde, M. T. Rietberg et al. *Steerable Anatomical Shape Synthesis with Implicit Neural Representations*, whose
  method it implements.
- The source of the neck, and the data that the model was trained on."""


def write_dataset_card(path: Path, model: TrainedModel) -> None:
    """Write the card of the cohort in the folder of `path`, whose manifest lists all its phantoms."""
    manifest = read_json(path.parent / MANIFEST_JSON)
    entries = manifest[PHANTOMS]
    first = read_json(path.parent / entries[0]["id"] / PHANTOM_FILE) if entries else {}
    write_text(path, "\n\n".join(_sections(manifest, entries, first, model)) + "\n")


def _sections(
    manifest: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], first: Mapping[str, Any], model: TrainedModel
) -> Iterable[str]:
    spec = manifest["specification"]
    nodules = sum(entry["nodules"] for entry in entries)
    painted = "ct" in first
    yield "# Dataset card: phantoms of the neck with modelled thyroids"
    yield f"> {manifest['notice']}"
    yield "## What it is"
    yield (
        f"{counted(len(entries), 'phantom')} of one neck for imaging simulation. In each, every voxel has a label and "
        f"every label a material, and the thyroid has known features. {counted(nodules, 'nodule')} in all"
        + (", modelled by rules, not learned from patients." if nodules else ".")
        + (" A CT follows each thyroid; it is synthetic where the gland and its neighbours changed." if painted else "")
    )
    yield "## How it was made"
    yield _table(("", ""), _making(manifest, spec, first, model))
    yield "## What it holds"
    yield _table(("file of each phantom", "content"), _files(entries))
    yield (
        "`manifest.csv` and `manifest.json` list targets, features, codes and files of every phantom with their "
        "SHA-256 checksums."
    )
    if "labels" in first:
        yield "Labels of the first phantom; nodules differ from phantom to phantom:"
        rows = [(each["label"], each["name"], each["material"], f"{each['volume_ml']:.2f}") for each in first["labels"]]
        yield _table(("label", "name", "material", "mL"), rows)
    yield "## Features"
    yield _table(("measured on the label map", "least", "median", "largest"), _features(entries))
    yield _outcome(entries)
    yield "## What it is for"
    yield (
        "Simulation of imaging (X-ray, ultrasound, light, particles), tests of measurements and of segmentation "
        "against a known truth, and augmentation of training data where the result is tested on real patients."
    )
    yield "## What it is not for"
    yield (
        "Not for diagnosis, treatment or any other clinical use. Not as evidence about anatomy: frequencies and "
        "extremes follow from the targets. Not in place of patients in a test that decides on clinical use. All "
        "phantoms share one neck, so that they are no sample of patients."
        + (" Nodules are not a model of disease." if nodules else "")
    )
    yield "## Licences"
    licence = model.provenance.get("licence") or "not stated in its file; ask its authors"
    yield (
        f"- Model: {licence}.\n- Neck ({_source(first)}): the licence of its source applies to the label maps"
        + (", the CTs" if painted else "")
        + " and what is derived of them. A patient's data needs consent or another legal basis to be passed on.\n"
        "- Values of materials: facts from the publications that `materials.csv` names."
    )
    yield "## How to cite"
    yield _CITATION.format(software=manifest["software"])


def _making(
    manifest: Mapping[str, Any], spec: Mapping[str, Any], first: Mapping[str, Any], model: TrainedModel
) -> Iterable[tuple[str, str]]:
    cohort = manifest["model"].get("cohort") or {}
    stated = [cohort.get("statement"), cohort.get("source"), cohort.get("part")]
    trained = "; ".join(str(each).rstrip(".") for each in stated if each) or f"{cohort.get('cases', 'unknown')} cases"
    yield "software", manifest["software"]
    yield "thyroids", str(spec.get("gland"))
    yield "model", f"{manifest['model']['variant']}, checksum {manifest['model']['checksum']}"
    yield "its training cohort", trained + (" (synthetic)" if model.synthetic else "")
    yield "neck", _source(first)
    yield "body", str(spec.get("body") or "not stated")
    yield "soft neighbours", {"yield": "give way by a smooth motion", "keep": "keep their voxels"}[spec["neighbours"]]
    yield "random seed", str(spec.get("seed"))
    for key in ("targets", "distribution", "table"):
        if spec.get(key):
            value = spec[key]
            named = isinstance(value, Mapping)
            yield key, ", ".join(f"{name} {each}" for name, each in value.items()) if named else str(value)


def _source(first: Mapping[str, Any]) -> str:
    return str((first.get("source") or {}).get("patient", "not stated"))


def _files(entries: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    inside = {file["path"].partition("/")[2] for entry in entries for file in entry["files"]}
    for begin, content in _FILES.items():
        found = sorted(name for name in inside if name.startswith(begin))
        if found:
            yield f"`{begin}`" if begin.endswith("/") else ", ".join(f"`{name}`" for name in found), content


def _features(entries: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, ...]]:
    for key, name in _FEATURES.items():
        values = [entry["written"][key] for entry in entries]
        if values:
            yield name, *(f"{value:.3g}" for value in (np.min(values), np.median(values), np.max(values)))


def _outcome(entries: Sequence[Mapping[str, Any]]) -> str:
    steered = [entry for entry in entries if entry["met"] is not None]
    unmet = [entry["id"] for entry in steered if not entry["met"]]
    overlapping = [entry["id"] for entry in entries if any(volume > 0 for volume in entry["overlap_mm3"].values())]
    lines = [
        f"Targets are met on the label map in {len(steered) - len(unmet)} of {len(steered)} phantoms with targets."
    ]
    if unmet:
        lines.append(f"Not met in {', '.join(unmet)}.")
    if overlapping:
        lines.append(f"Voxels of rigid structures in the place of the thyroid were kept in {', '.join(overlapping)}.")
    return " ".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
