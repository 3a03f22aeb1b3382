"""Write the organs of a cohort: their features and samples, in a box around the glands of all cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ThyroidSynthLib.common.errors import CohortError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, part_of
from ThyroidSynthLib.common.workers import WorkerFailure, Workers
from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.imaging.ply import read_ply

from .organs.organ_samples import ORGAN_SAMPLES, OrganSampling, is_seen
from .organs.organ_shapes import ORGAN_FEATURES, ORGANS_FOLDER, OrganShape, features_document, measure_organ
from .sample_rows import RowFiles, RowShape, draw_rows


def write_organs(
    folder: Path,
    organs: Mapping[str, Mapping[str, OrganShape]],
    frame: Frame,
    workers: Workers,
    *,
    seed: int,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    """Measure the organs of a cohort and draw their samples; rows that exist already are kept.

    Parameters
    ----------
    organs : mapping of str to mapping of str to OrganShape
        For each organ, the shapes of the cases that have it.
    frame : Frame
        See `organs.organ_frame`.

    Returns
    -------
    dict
        The entry ``organs`` of ``cohort.json``.

    Raises
    ------
    CohortError
        No case has one of the organs near the gland.
    """
    document = {}
    for number, (name, shapes) in enumerate(organs.items()):
        part = part_of(progress, number / len(organs), (number + 1) / len(organs))
        document[name] = _write_organ(folder, name, shapes, frame, workers, seed, part, should_stop)
    return document


def _write_organ(
    folder: Path,
    name: str,
    shapes: Mapping[str, OrganShape],
    frame: Frame,
    workers: Workers,
    seed: int,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    features = _measured(folder, name, shapes, frame, workers, should_stop)
    if not features:
        raise CohortError(
            f"No accepted case of {folder} has the organ '{name}' near the gland. Write its name as in the "
            "segmentations, such as esophagus or common_carotid_artery_left, or leave it out of the organs."
        )
    ids = sorted(features)
    (folder / ORGANS_FOLDER / name).mkdir(parents=True, exist_ok=True)
    files = RowFiles(f"{ORGANS_FOLDER}/{name}/samples.npy", f"{ORGANS_FOLDER}/{name}/samples.rows")
    rows = [
        RowShape(each, shapes[each].surface, shapes[each].surface_sha256, OrganSampling(frame, shapes[each].seen))
        for each in ids
    ]
    checksums = draw_rows(
        folder,
        rows,
        workers,
        per_shape=ORGAN_SAMPLES,
        seed=seed,
        files=files,
        progress=lambda share, text: progress(share, f"{name}: {text}"),
        should_stop=should_stop,
    )
    return {
        "frame": frame.to_json(),
        "feature_names": list(ORGAN_FEATURES),
        "samples": {"file": files.samples, "per_shape": ORGAN_SAMPLES, "seed": seed, "sign": "negative inside"},
        "cases": [
            {
                "id": case_id,
                "features": features_document(features[case_id]),
                "surface": shapes[case_id].surface,
                "surface_sha256": shapes[case_id].surface_sha256,
                "seen_shape": shapes[case_id].seen_shape,
                "seen_to_trachea": shapes[case_id].seen_to_trachea,
                "samples_sha256": checksum,
            }
            for case_id, checksum in zip(ids, checksums, strict=True)
        ],
    }


@dataclass(frozen=True)
class _Task:
    case_id: str
    path: Path
    shape: OrganShape
    frame: Frame


def _measured(
    folder: Path,
    name: str,
    shapes: Mapping[str, OrganShape],
    frame: Frame,
    workers: Workers,
    should_stop: ShouldStop,
) -> dict[str, np.ndarray]:
    """Return the features of an organ by case, without the cases in which too little of it is seen."""
    tasks: Sequence[_Task] = [_Task(each, folder / shape.surface, shape, frame) for each, shape in shapes.items()]
    found = {}
    for task, result in workers.run(_measure, tasks, should_stop=should_stop):
        if isinstance(result, WorkerFailure):
            raise CohortError(
                f"The process that measured the {name} of {task.case_id} ended without a result (out of memory?). "
                "Prepare again with fewer workers, or exclude this case."
            )
        if result is not None:
            found[task.case_id] = result
    return found


def _measure(task: _Task) -> np.ndarray | None:
    surface = read_ply(task.path)
    if not is_seen(surface, task.shape.seen, task.frame):
        return None
    return measure_organ(surface, task.frame, task.shape.seen)
