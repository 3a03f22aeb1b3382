"""The files of a case that was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ThyroidSynthLib.imaging.labels import structure_called
from ThyroidSynthLib.imaging.segmentations.opening import Kind

SourceKind: TypeAlias = Literal["masks"] | Kind


@dataclass(frozen=True)
class CaseSource:
    """The files of one case, which are read by `cases.read_case`.

    Attributes
    ----------
    id : str
        Name of the case, valid as the name of a file.
    kind : str
        "masks" for one file per structure, or which `Kind` of segmentation its one file is.
    thyroid_paths, trachea_paths : tuple of Path
        The files of "masks": of the whole structure or one for each lobe; none for a missing structure.
    labels_path : Path, optional
        The file of the other kinds.
    ct_path : Path, optional
        The CT in the same folder.
    labels : mapping of int to str, optional
        Names of label numbers that the user gave, for a file without names.
    """

    id: str
    kind: SourceKind
    thyroid_paths: tuple[Path, ...] = ()
    trachea_paths: tuple[Path, ...] = ()
    labels_path: Path | None = None
    ct_path: Path | None = None
    labels: Mapping[int, str] | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files from which the masks are read."""
        alone = () if self.labels_path is None else (self.labels_path,)
        return (*self.thyroid_paths, *self.trachea_paths, *alone)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the id, for records."""
        return {
            "kind": self.kind,
            "files": [str(path) for path in self.files],
            "trachea_files": len(self.trachea_paths),
            "ct": None if self.ct_path is None else str(self.ct_path),
            "labels": labels_of_structures(self.labels),
        }

    @classmethod
    def from_json(cls, case_id: str, value: Mapping[str, Any]) -> CaseSource | None:
        """Return the case that a record describes; None if it has no files, such as one made of surfaces."""
        files = tuple(Path(name) for name in value.get("files", ()))
        if not files:
            return None
        labels = {int(label): str(name) for label, name in (value.get("labels") or {}).items()} or None
        source = cls(case_id, value["kind"], ct_path=Path(value["ct"]) if value.get("ct") else None, labels=labels)
        if source.kind != "masks":
            return replace(source, labels_path=files[0])
        first = len(files) - int(value.get("trachea_files", 1))
        return replace(source, thyroid_paths=files[:first], trachea_paths=files[first:])


def labels_of_structures(labels: Mapping[int, str] | None) -> dict[str, str] | None:
    """Return those given label names that are of the thyroid or the trachea, with the numbers as text for a record."""
    if labels is None:
        return None
    return {str(number): name for number, name in sorted(labels.items()) if structure_called(name)}
