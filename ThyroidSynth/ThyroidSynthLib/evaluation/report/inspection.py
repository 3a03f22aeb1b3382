"""Descriptions of the files and folders that ThyroidSynth writes, without loading PyTorch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import read_json, sha256_of
from ThyroidSynthLib.dataset.cohort import COHORT_FILE, Cohort
from ThyroidSynthLib.evaluation import CROSS_VALIDATION_FILE, EVALUATION_FILE
from ThyroidSynthLib.evaluation.reader_study.candidates import REAL, SYNTHETIC
from ThyroidSynthLib.evaluation.reader_study.plan import STUDY_FILE, StudyPlan
from ThyroidSynthLib.evaluation.reader_study.ratings import ratings_files
from ThyroidSynthLib.export.cohort.manifest import MANIFEST_JSON
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.jobs.job import JobFolder
from ThyroidSynthLib.jobs.job_options import read_job_config
from ThyroidSynthLib.model.description import describe_model
from ThyroidSynthLib.model.library import evaluation_of
from ThyroidSynthLib.model.shipped import model_path

from .model_card import CardSection, card_text, model_card


def describe(path: Path | str) -> dict[str, Any]:
    """Describe a model file, cohort, training job, generated cohort, evaluation, cross-validation or reader study.

    Returns
    -------
    dict
        "kind", "path", and the properties of this kind.

    Raises
    ------
    InputError, ModelError, CohortError, JobError
        The path is none of these, or is damaged.
    """
    path = Path(path)
    if not path.exists():
        path = model_path(path)
    if path.is_file():
        return {"path": str(path), **_model(path)}
    if not path.exists():
        raise InputError(f"{path} does not exist. Check the path.")
    for file_name, describe_folder in (
        (COHORT_FILE, _cohort),
        (MANIFEST_JSON, _generated_cohort),
        (EVALUATION_FILE, _evaluation),
        (CROSS_VALIDATION_FILE, _cross_validation),
        (STUDY_FILE, _reader_study),
        ("config.json", _job),
    ):
        if (path / file_name).is_file():
            return {"path": str(path), **describe_folder(path)}
    if (path / "prepare.json").is_file():
        Cohort.open(path)  # Raises an error with the progress of the preparation.
    raise InputError(
        f"{path} was not written by ThyroidSynth. Give a model file or the folder of a cohort, a training job, "
        "generated thyroids, an evaluation, a cross-validation or a reader study."
    )


def feature_ranges(features: np.ndarray) -> dict[str, dict[str, float]]:
    """Return mean, SD and range of each feature (n, 3) in its unit."""
    return {
        name: {
            "mean": float(column.mean()),
            "sd": float(column.std()),
            "min": float(column.min()),
            "max": float(column.max()),
        }
        for name, column in zip(FEATURE_NAMES, np.asarray(features).T, strict=True)
    }


def _model(path: Path) -> dict[str, Any]:
    found = describe_model(path)
    return {
        "kind": "model",
        "variant": found.variant,
        "preset": found.preset,
        "epochs": found.epochs,
        "cases": found.cases,
        "held_out": found.held_out,
        "licence": found.licence,
        "synthetic": found.synthetic,
        "steerable": found.steerable,
        "organs": found.organs,
        "features": feature_ranges(found.features),
        "checksum": sha256_of(path),
        "notice": found.notice,
        "card": [asdict(section) for section in model_card(found, evaluation_of(path))],
    }


def _cohort(path: Path) -> dict[str, Any]:
    cohort = Cohort.open(path)
    refused = cohort.document.get("not_accepted", [])
    return {
        "kind": "cohort",
        "cases": len(cohort.ids),
        "refused": len(refused),
        "samples_per_shape": int(cohort.samples.shape[1]),
        "organs": {name: len(organ.ids) for name, organ in cohort.organs.items()},
        "synthetic": cohort.synthetic,
        "statement": cohort.statement,
        **({"lengths": cohort.lengths} if cohort.lengths else {}),
        "features": feature_ranges(cohort.features),
        "extents_mm": (cohort.frame.upper_mm - cohort.frame.lower_mm).round(1).tolist(),
        "checksum": cohort.checksum,
    }


def _job(path: Path) -> dict[str, Any]:
    job = JobFolder.open(path)
    state, config = job.read_state(), read_job_config(job)
    return {
        "kind": "training job",
        "status": state.status,
        "epoch": state.epoch,
        "epochs": state.epochs,
        "loss": state.loss,
        "eta_s": state.eta_s,
        "device": state.device,
        "message": state.message,
        "cohort": config["cohort"],
        "cases": state.cases or None,
        "held_out": state.held_out or None,
        "variant": config["settings"]["variant"],
        "preset": config["settings"]["preset"],
        "model": str(job.model_file) if state.status == "finished" and job.model_file.is_file() else None,
    }


def _generated_cohort(path: Path) -> dict[str, Any]:
    with _read(path / MANIFEST_JSON, "Generate the thyroids again.") as manifest:
        thyroids = manifest.pop("thyroids")
        # Manifests before November 2026 have the features of the surfaces only.
        entries = [thyroid.get("written") or thyroid["measured"] for thyroid in thyroids]
        measured = [[entry[name] for name in FEATURE_NAMES] for entry in entries]
        return {
            "kind": "generated cohort",
            "thyroids": manifest["count"],
            "complete": manifest["complete"],
            "valid": sum(thyroid["validity"]["ok"] for thyroid in thyroids),
            "synthetic": manifest["trained_on_synthetic_cohort"],
            "features": feature_ranges(np.array(measured)) if measured else {},
            "model_checksum": manifest["model"]["checksum"],
            "specification": manifest["specification"],
            "notice": manifest["notice"],
        }


def _evaluation(path: Path) -> dict[str, Any]:
    with _read(path / EVALUATION_FILE, "Evaluate the model again.") as found:
        return {
            "kind": "evaluation",
            "variant": found["model"]["variant"],
            "synthetic": found["synthetic_cohort"],
            "chamfer_mm": found["reconstruction"].get("chamfer_mm"),
            "chamfer_over_floor": found["reconstruction"].get("chamfer_over_floor"),
            "pcc_direct_sampling": {
                name: agreement["pcc"] for name, agreement in found["steering"]["direct_sampling"].items()
            },
            "valid_share": found["validity"]["share_of_draws"],
            "notice": found["notice"],
        }


def _cross_validation(path: Path) -> dict[str, Any]:
    with _read(path / CROSS_VALIDATION_FILE, "Cross-validate again.") as found:
        return {
            "kind": "cross-validation",
            "variant": found["plan"]["settings"]["variant"],
            "folds": found["plan"]["folds"],
            "runs": len(found["runs"]),
            "complete": found["complete"],
            "synthetic": found["synthetic_cohort"],
            "measures": {each["key"]: {"mean": each["mean"], "sd": each["sd"]} for each in found["measures"]},
            "notice": found["notice"],
        }


def _reader_study(path: Path) -> dict[str, Any]:
    plan = StudyPlan.open(path)
    kinds = [shape.kind for shape in plan.shapes]
    return {
        "kind": "reader study",
        "real": kinds.count(REAL),
        "synthetic": kinds.count(SYNTHETIC),
        "repeated": len(plan.repeated),
        "shown": plan.shown,
        "seed": plan.seed,
        "readers": len(ratings_files(path)),
        "notices": list(plan.notices),
    }


@contextmanager
def _read(file: Path, remedy: str) -> Iterator[Any]:
    """Read a JSON file; an entry that is missing in it or has the wrong type is reported as damage of the file."""
    document = read_json(file)
    try:
        yield document
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError) as error:
        which = f"the entry {error}" if isinstance(error, KeyError) else "an entry"
        raise InputError(
            f"{file} is damaged or was written by another version of ThyroidSynth: {which} is missing or of another "
            f"kind. {remedy}"
        ) from error


def as_text(description: dict[str, Any]) -> str:
    """Format a description as text, one entry per line."""
    lines = []
    for key, value in description.items():
        if key == "features":
            lines += [
                f"{name:<18} {spread['mean']:.4g} ± {spread['sd']:.3g} (mean ± SD), from {spread['min']:.4g} to "
                f"{spread['max']:.4g}"
                for name, spread in value.items()
            ]
        elif key == "measures":
            for name, spread in value.items():
                sd = "" if spread["sd"] is None else f" ± {spread['sd']:.3g}"
                lines.append(f"{name:<40} {spread['mean']:.4g}{sd}")
        elif key == "card":
            lines += ["", card_text(tuple(CardSection(**section) for section in value))]
        elif value not in (None, "", {}, []):
            shown = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
            lines.append(f"{key.replace('_', ' '):<18} {shown}")
    return "\n".join(lines)
