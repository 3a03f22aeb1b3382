"""A written thyroid of a generated cohort: its files, its entry in the manifest and its row in the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.files import stated_code
from ThyroidSynthLib.export.merging import changes_in
from ThyroidSynthLib.export.organ_files import ORGAN_FOLDER, write_organ_files
from ThyroidSynthLib.export.thyroid_files import (
    LABEL_FOLDER,
    MERGED_FOLDER,
    MESH_FOLDER,
    FileOptions,
    WrittenFiles,
    write_thyroid_files,
)
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.geometry.targets import misfit

from .cohort_kind import CohortKind, WrittenMember, rounded
from .manifest import THYROIDS

if TYPE_CHECKING:
    from ThyroidSynthLib.export.surroundings import Surroundings
    from ThyroidSynthLib.export.written_measure import WrittenMeasure
    from ThyroidSynthLib.generation.organs.organ_set import OrganMaker
    from ThyroidSynthLib.generation.thyroid import GeneratedThyroid
    from ThyroidSynthLib.geometry.frame import Placement

COLUMNS = (
    "id",
    "seed",
    "index",
    *(f"target_{name}" for name in FEATURE_NAMES),
    *FEATURE_NAMES,
    "measured_on",
    *(f"written_{name}" for name in FEATURE_NAMES),
    *(f"error_{name}" for name in FEATURE_NAMES),
    "valid",
    "closed",
    "components",
    "touches_box",
    "met",
    "distance",
    "attempts",
    "within_grid",
    "label_volume_ml",
    *(f"map_{name}" for name in FEATURE_NAMES),
    "overlap_ml",
    "overlap_removed",
    "merged_overlap_ml",
    "merged_changes",
    "organs",
    "files",
    "sha256",
    "code",
)


@dataclass(frozen=True)
class ThyroidWriter:
    """Places thyroids at the trachea frame of a patient and writes their files into a folder.

    Overlap with the patient's surroundings, if there are any, is measured or removed. `measure` measures thyroids as
    they will be written. With `organs`, the organs around each thyroid are drawn and written, too.
    """

    folder: Path
    placement: Placement
    options: FileOptions
    surroundings: Surroundings | None = None
    organs: OrganMaker | None = None

    @cached_property
    def measure(self) -> WrittenMeasure:
        """Measures thyroids as this writer writes them."""
        # Loads PyTorch, which Slicer may lack when it only reads a cohort.
        from ThyroidSynthLib.export.written_measure import WrittenMeasure

        return WrittenMeasure(self.placement, self.options, self.surroundings)

    def in_folder(self, folder: Path) -> ThyroidWriter:
        """Return the same writer for another folder."""
        return replace(self, folder=folder)

    def write(self, generated: GeneratedThyroid, number: int) -> WrittenMember:
        """Write the files of thyroid number `number`, counted from 1; if one cannot be written, none is left.

        Whether a steered thyroid meets its targets is judged on what was written. `SynthesisError` if removing the
        overlap leaves nothing of the thyroid.
        """
        if not self.folder.is_dir():
            # A worker of a cluster may still run when the command that uses it was killed.
            raise OutputError(f"{self.folder} does not exist: the command that makes these thyroids has ended.")
        name = f"t{number:05d}"
        drawn = generated.thyroid
        shared: dict[str, float] = {}
        if self.surroundings is not None:
            thyroid, shared = self.surroundings.applied_to(drawn, self.placement)
            generated = replace(generated, thyroid=thyroid)
        written = write_thyroid_files(generated.thyroid, name, self.folder, self.placement, self.options)
        if generated.met is not None:
            values = written.as_written.as_dict()
            errors = (misfit(key, values[key], target) for key, target in generated.targets.as_dict().items())
            generated = replace(generated, met=all(error <= 1.0 for error in errors))
        entry = self._entry(generated, name, written, shared, overlap_removed=generated.thyroid is not drawn)
        if self.organs is not None:
            entry |= self._with_organs(generated, name, entry["files"])
        names = None if written.merged is None else dict(written.merged.labels.names)
        return WrittenMember(entry, row_of(entry), names)

    def _with_organs(self, generated: GeneratedThyroid, name: str, files: list[dict[str, str]]) -> dict[str, Any]:
        """Write the organs around a thyroid; return their entries. If they cannot be written, none of it is left."""
        assert self.organs is not None
        try:
            written = write_organ_files(generated, self.organs, name, self.folder, self.placement, self.options)
        except BaseException:
            for file in files:
                (self.folder / file["path"]).unlink(missing_ok=True)
            raise
        return {
            "organs": written.entry,
            "organ_map_ml": written.map_volumes_ml,
            "files": [*files, *self._listed(written.checksums)],
        }

    def _listed(self, checksums: Mapping[Path, str]) -> list[dict[str, str]]:
        return [
            {"path": path.relative_to(self.folder).as_posix(), "sha256": checksum}
            for path, checksum in checksums.items()
        ]

    def _entry(
        self,
        generated: GeneratedThyroid,
        name: str,
        written: WrittenFiles,
        shared: Mapping[str, float],
        *,
        overlap_removed: bool,
    ) -> dict[str, Any]:
        thyroid = generated.thyroid
        as_written = {key: float(value) for key, value in written.as_written.as_dict().items()}
        return {
            "id": name,
            "seed": generated.seed,
            "index": generated.index,
            "attempts": generated.attempts,
            "targets": asdict(generated.targets),
            "measured": {key: float(value) for key, value in thyroid.measured.as_dict().items()},
            "measured_on": written.measured_on,
            "written": as_written,
            "error": {key: as_written[key] - target for key, target in generated.targets.as_dict().items()},
            "validity": {"ok": thyroid.validity.ok, **asdict(thyroid.validity)},
            "met": generated.met,
            "distance": generated.distance,
            "within_grid": written.within_grid,
            "label_volume_ml": written.label_volume_ml,
            "map": None if written.on_map is None else written.on_map.as_dict(),
            "overlap_ml": dict(shared),
            "overlap_removed": overlap_removed,
            "merged": None if written.merged is None else written.merged.to_json(),
            "files": self._listed(written.checksums),
            "code": stated_code(thyroid.code),
        }


def row_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of the table for an entry of the JSON file."""
    overlap = sum(entry["overlap_ml"].values()) if entry["overlap_ml"] else None
    merged = entry["merged"]
    merged_overlap = None if merged is None else sum(overlap["volume_ml"] for overlap in merged["overlaps"])
    return {
        **{key: entry[key] for key in ("id", "seed", "index", "attempts", "within_grid", "met", "overlap_removed")},
        **{f"target_{key}": value for key, value in entry["targets"].items()},
        **{key: rounded(value) for key, value in entry["measured"].items()},
        "measured_on": entry["measured_on"],
        **{f"written_{key}": rounded(value) for key, value in entry["written"].items()},
        **{f"error_{key}": rounded(entry["error"].get(key), 4) for key in FEATURE_NAMES},
        "valid": entry["validity"]["ok"],
        **{key: entry["validity"][key] for key in ("closed", "components", "touches_box")},
        "distance": rounded(entry["distance"], 4),
        "label_volume_ml": rounded(entry["label_volume_ml"]),
        **{f"map_{key}": rounded((entry["map"] or {}).get(key)) for key in FEATURE_NAMES},
        "overlap_ml": rounded(overlap),
        "merged_overlap_ml": rounded(merged_overlap),
        "merged_changes": "; ".join(changes_in(merged)) if merged else None,
        "organs": "; ".join(f"{name}: {organ['source']}" for name, organ in entry.get("organs", {}).items()) or None,
        "files": " ".join(file["path"] for file in entry["files"]),
        "sha256": " ".join(file["sha256"] for file in entry["files"]),
        "code": " ".join(f"{value:.9g}" for value in entry["code"]),
    }


def _counts(entry: Mapping[str, Any]) -> dict[str, int]:
    """Return what a thyroid adds to the numbers of `GeneratedCohort`."""
    return {
        "count": 1,
        "valid": int(entry["validity"]["ok"]),
        "cut_by_grid": int(entry["within_grid"] is False),
        "attempts": entry["attempts"],
        "unmet": int(entry["met"] is False),
        "overlapping": int(any(volume > 0 for volume in entry["overlap_ml"].values())),
        "changing": int(bool((entry["merged"] or {}).get("changes"))),
        "empty": int(entry["written"]["volume_ml"] == 0),
    }


def _named_like_thyroids(folder: Path) -> Iterator[Path]:
    for name in (LABEL_FOLDER, MESH_FOLDER, MERGED_FOLDER, ORGAN_FOLDER):
        yield from (folder / name).glob("t[0-9]*")


GENERATED_THYROIDS = CohortKind("generated cohort", THYROIDS, COLUMNS, row_of, _counts, _named_like_thyroids)
"""Thyroids with their label maps and meshes."""
