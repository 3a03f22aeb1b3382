"""A thyroid of a generated cohort as it is written: its files, its entry in the manifest, its row in the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ThyroidSynthLib.export.thyroid_files import FileOptions, WrittenFiles, write_thyroid_files
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

if TYPE_CHECKING:
    from ThyroidSynthLib.export.surroundings import Surroundings
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
    from ThyroidSynthLib.geometry.frame import Placement

COLUMNS = (
    "id",
    "seed",
    "index",
    *(f"target_{name}" for name in FEATURE_NAMES),
    *FEATURE_NAMES,
    "valid",
    "closed",
    "components",
    "touches_box",
    "met",
    "distance",
    "attempts",
    "within_grid",
    "label_volume_ml",
    "overlap_ml",
    "overlap_removed",
    "merged_overlap_ml",
    "files",
    "sha256",
    "code",
)


@dataclass(frozen=True)
class WrittenThyroid:
    """What the manifest says of a thyroid whose files are written; small, whatever the surface is.

    Attributes
    ----------
    entry : dict
        For the JSON file.
    row : dict
        For the table, by `COLUMNS`.
    label_names : dict of int to str, or None
        Structures of the merged map by their label.
    """

    entry: dict[str, Any]
    row: dict[str, Any]
    label_names: dict[int, str] | None = None

    @property
    def files(self) -> list[str]:
        """Paths of the files, relative to the folder."""
        return [file["path"] for file in self.entry["files"]]


@dataclass(frozen=True)
class ThyroidWriter:
    """How every thyroid of a cohort is placed and written.

    Attributes
    ----------
    folder : Path
        Where its files go.
    placement : Placement
        The patient it is placed in.
    options : FileOptions
        Which files it gets.
    surroundings : Surroundings, optional
        Structures of the patient with which overlap is measured, or of which it is carved free.
    """

    folder: Path
    placement: Placement
    options: FileOptions
    surroundings: Surroundings | None = None

    def write(self, generated: GeneratedThyroid, number: int) -> WrittenThyroid:
        """Write the files of thyroid number `number`, counted from 1, or none of them.

        Raises
        ------
        OutputError
            A file cannot be written.
        SynthesisError
            Carving leaves nothing of it.
        """
        name = f"t{number:05d}"
        shared: dict[str, float] = {}
        drawn = generated.thyroid
        if self.surroundings is not None:
            thyroid, shared = self.surroundings.applied_to(drawn, self.placement)
            if thyroid is not drawn:
                # Targets that were met before overlap was removed need not be met after it.
                generated = replace(generated, thyroid=thyroid, met=None if generated.met else generated.met)
        written = write_thyroid_files(generated.thyroid, name, self.folder, self.placement, self.options)
        overlap_removed = generated.thyroid is not drawn
        entry, row = _describe(generated, name, self.folder, written, shared, overlap_removed=overlap_removed)
        return WrittenThyroid(entry, row, None if written.merged is None else dict(written.merged.labels.names))


def _describe(
    generated: GeneratedThyroid,
    name: str,
    folder: Path,
    written: WrittenFiles,
    shared: Mapping[str, float],
    *,
    overlap_removed: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give a thyroid's entry in the JSON file and its row in the table."""
    # Nine digits give a single-precision number back exactly.
    thyroid = generated.thyroid
    code = [float(f"{value:.9g}") for value in np.asarray(thyroid.code, dtype=np.float32)]
    validity = {
        "ok": bool(thyroid.validity.ok),
        "closed": bool(thyroid.validity.closed),
        "components": int(thyroid.validity.components),
        "touches_box": bool(thyroid.validity.touches_box),
    }
    files = [
        {"path": path.relative_to(folder).as_posix(), "sha256": checksum}
        for path, checksum in written.checksums.items()
    ]
    targets = asdict(generated.targets)
    measured, merged = thyroid.measured.as_dict(), written.merged
    entry = {
        "id": name,
        "seed": generated.seed,
        "index": generated.index,
        "attempts": generated.attempts,
        "targets": targets,
        "measured": {key: float(value) for key, value in measured.items()},
        "validity": validity,
        "met": generated.met,
        "distance": generated.distance,
        "within_grid": written.within_grid,
        "label_volume_ml": written.label_volume_ml,
        "overlap_ml": dict(shared),
        "overlap_removed": overlap_removed,
        "merged": merged.to_json() if merged is not None else None,
        "files": files,
        "code": code,
    }
    row = {
        **{key: entry[key] for key in ("id", "seed", "index", "attempts", "within_grid", "met", "overlap_removed")},
        **{f"target_{key}": value for key, value in targets.items()},
        **{key: f"{value:.6g}" for key, value in measured.items()},
        "valid": validity["ok"],
        **{key: validity[key] for key in ("closed", "components", "touches_box")},
        "distance": None if generated.distance is None else f"{generated.distance:.4g}",
        "label_volume_ml": None if written.label_volume_ml is None else f"{written.label_volume_ml:.6g}",
        "overlap_ml": f"{sum(shared.values()):.6g}" if shared else None,
        "merged_overlap_ml": f"{sum(each.volume_ml for each in merged.overlaps):.6g}" if merged is not None else None,
        "files": " ".join(file["path"] for file in files),
        "sha256": " ".join(file["sha256"] for file in files),
        "code": " ".join(f"{value:.9g}" for value in code),
    }
    return entry, row
