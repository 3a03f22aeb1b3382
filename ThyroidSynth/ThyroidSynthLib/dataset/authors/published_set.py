"""Read the set of thyroids that the authors of the paper published.

Zenodo 15100852 holds::

    ply/NNNNN.ply   surfaces
    sdf/NNNNN.npz   `points` (50000, 3) and `sdf` (50000, 1), positive inside; the first four fifths on the surface
    features.csv    id, volume, isthmus_area, symmetry, in any order of the rows

All coordinates are in the set's own axes and in units, see `units`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.reading import reading
from ThyroidSynthLib.common.text_files import number_of, rows_of_table
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.geometry.sampling import SURFACE_SHARE, signed_distance
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.meshes.any_mesh import outward
from ThyroidSynthLib.imaging.meshes.any_ply import read_any_ply

MESHES, SAMPLES, TABLE = "ply", "sdf", "features.csv"
COLUMNS = ("volume", "isthmus_area", "symmetry")

_EXPECTED = f"Choose one with the folders {MESHES}/ and {SAMPLES}/ and the file {TABLE}, as Zenodo 15100852 holds them."
_REMEDY = "Download the set again."
# The set lies in the given folder or in one of those below it, such as the one that an archive unpacks to.
_DEPTH = 2
# Largest coordinate in units: shapes lie within 1, samples scatter by a few tenths.
_LARGEST_UNIT = 5.0
# Largest distance of a sample that counts as on the surface, and the share of those stored as such that are.
_ON_SURFACE, _MOST = 1e-3, 0.99
# Points at which the samples are compared with the surface, and the largest median difference.
_COMPARED, _AGREES = 200, 0.01
_LARGEST_FILE = 1 << 30


@dataclass(frozen=True)
class PublishedSet:
    """The files of the published set.

    Attributes
    ----------
    folder : Path
        The folder that holds ``ply/`` and ``sdf/``.
    ids : tuple of str
        All cases that have a mesh or samples, sorted.
    trained_ids : tuple of str
        The cases in the order in which the authors' training numbers them: the sorted names of the samples.
    published : mapping of str to ndarray (3,)
        Volume, isthmus area and symmetry in units by id; NaN where the table has no number.
    table_ids : tuple of str
        The ids in the order of the table.
    notes : tuple of str
        Remarks on the set as a whole.
    """

    folder: Path
    ids: tuple[str, ...]
    trained_ids: tuple[str, ...]
    published: Mapping[str, np.ndarray]
    table_ids: tuple[str, ...]
    notes: tuple[str, ...]

    def mesh_file(self, case_id: str) -> Path:
        """Return the path of a case's surface."""
        return self.folder / MESHES / f"{case_id}.ply"

    def sample_file(self, case_id: str) -> Path:
        """Return the path of a case's samples."""
        return self.folder / SAMPLES / f"{case_id}.npz"

    def surface(self, case_id: str) -> Surface:
        """Read the surface of a case, in the axes of the set; `InputError` if it is missing, damaged or too large."""
        path = self.mesh_file(case_id)
        ply = read_any_ply(path)
        if not len(ply.triangles):
            raise InputError(f"{path} has no triangles. {_REMEDY}")
        if np.abs(ply.points).max() > _LARGEST_UNIT:
            raise InputError(
                f"{path} reaches to {np.abs(ply.points).max():.3g}, but the shapes of the set are normalised to 1. "
                "Prepare meshes in millimetres with --trachea-centre."
            )
        return outward(Surface(ply.points, ply.triangles))[0]

    def samples(self, case_id: str, surface: Surface) -> np.ndarray:
        """Read the samples of a case.

        Parameters
        ----------
        surface : Surface
            The surface of the case, with which the samples are compared.

        Returns
        -------
        ndarray of float64, shape (n, 4)
            Position in the axes of the set and signed distance, **negative inside**.

        Raises
        ------
        InputError
            The file is missing, damaged, of another form, or not of this surface.
        """
        path = self.sample_file(case_id)
        with reading(path, "samples", _REMEDY):
            if path.stat().st_size > _LARGEST_FILE:
                raise InputError(f"{path} is larger than any file of samples. {_REMEDY}")
            with np.load(path, allow_pickle=False) as arrays:
                missing = [name for name in ("points", "sdf") if name not in arrays]
                if missing:
                    raise InputError(f"{path} has no array '{missing[0]}'. {_REMEDY}")
                points, sdf = (np.asarray(arrays[name]) for name in ("points", "sdf"))
        if points.ndim != 2 or points.shape[1] != 3 or sdf.shape not in ((len(points), 1), (len(points),)):
            raise InputError(
                f"{path} holds points {list(points.shape)} and sdf {list(sdf.shape)} instead of (n, 3) and (n, 1). "
                "Only samples of one structure can be used."
            )
        if points.dtype.kind not in "fiu" or sdf.dtype.kind not in "fiu" or not len(points):
            raise InputError(f"{path} holds no numbers. {_REMEDY}")
        # The authors' distances are positive inside.
        samples = np.column_stack([points, -sdf.reshape(-1)]).astype(np.float64)
        if not np.isfinite(samples).all() or np.abs(samples).max() > _LARGEST_UNIT:
            raise InputError(f"{path} holds impossible positions or distances. {_REMEDY}")
        _check_samples(path, samples, surface)
        return samples


def open_published_set(folder: Path | str) -> PublishedSet:
    """Find the files of the published set in a folder, or in one below it, and read its table of features.

    Raises
    ------
    InputError
        The folder does not hold the set, or holds it several times, or the table is damaged.
    """
    root = Path(folder)
    if not root.is_dir():
        fault = "does not exist" if not root.exists() else "is not a folder; archives must be extracted first"
        raise InputError(f"{root} {fault}. {_EXPECTED}")
    found = _set_folders(root)
    if not found:
        raise InputError(f"{root} does not hold the published set. {_EXPECTED}")
    if len(found) > 1:
        raise InputError(
            f"{root} holds the set {len(found)} times: {', '.join(map(str, found[:3]))}. Give one of them."
        )
    place = found[0]
    meshes, samples = _names(place / MESHES, ".ply"), _names(place / SAMPLES, ".npz")
    if not meshes or not samples:
        held = f"{counted(len(meshes), 'mesh', 'meshes')} and {counted(len(samples), 'file')} of samples"
        raise InputError(f"{place} holds {held}. {_EXPECTED}")
    ids = tuple(sorted(meshes | samples))
    published, table_ids, notes = _table(place / TABLE, ids)
    return PublishedSet(place, ids, tuple(sorted(samples)), published, table_ids, notes)


def _set_folders(root: Path) -> list[Path]:
    level = [root]
    for _ in range(_DEPTH + 1):
        found = [folder for folder in level if (folder / MESHES).is_dir() and (folder / SAMPLES).is_dir()]
        if found:
            return sorted(found)
        try:
            level = [
                path for folder in level for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._"
            ]
        except OSError as error:
            raise InputError(f"{error.filename} cannot be opened ({error.strerror}). Check its permissions.") from error
    return []


def _names(folder: Path, suffix: str) -> set[str]:
    # Some programs that unpack archives leave hidden files such as ._00001.ply.
    return {path.stem for path in folder.iterdir() if path.suffix == suffix and not path.name.startswith(".")}


def _table(path: Path, ids: tuple[str, ...]) -> tuple[dict[str, np.ndarray], tuple[str, ...], tuple[str, ...]]:
    """Return features by id, the ids in the order of the table, and notes."""
    if not path.is_file():
        return {}, (), (f"{path} is missing; the features are those measured on the surfaces",)
    columns, rows = rows_of_table(path)
    missing = [name for name in ("id", *COLUMNS) if name not in columns]
    if missing:
        raise InputError(f"{path} has no column '{missing[0]}' (it has {', '.join(columns)}). {_REMEDY}")
    # A spreadsheet or pandas drops the zeros at the beginning of an id.
    by_number = {int(case_id): case_id for case_id in ids if case_id.isdecimal()}
    published: dict[str, np.ndarray] = {}
    unknown = []
    for line, row in rows:
        case_id = row["id"]
        if case_id not in ids:
            case_id = by_number.get(int(case_id), case_id) if case_id.isdecimal() else case_id
        if case_id in published:
            raise InputError(f"{path}, line {line}, has the case {case_id} a second time. Remove one of the rows.")
        if case_id not in ids:
            unknown.append(case_id)
        published[case_id] = np.array([_number(path, line, row[name]) for name in COLUMNS])
    notes = (
        [f"no mesh is named in {counted(len(unknown), 'row')} of {path.name}, such as {unknown[0]}"] if unknown else []
    )
    without = [case_id for case_id in ids if case_id not in published]
    if without:
        notes.append(f"there is no row in {path.name} for {counted(len(without), 'case')}, such as {without[0]}")
    return published, tuple(published), tuple(notes)


def _number(path: Path, line: int, text: str) -> float:
    if text.lower() in ("", "nan"):
        return float("nan")
    try:
        return number_of(text)
    except ValueError as error:
        raise InputError(f"{path}, line {line}: {error} {_REMEDY}") from None


def _check_samples(path: Path, samples: np.ndarray, surface: Surface) -> None:
    """Raise `InputError` if samples are not of a surface, or not in the order of the published ones."""
    on_surface = round(len(samples) * SURFACE_SHARE)
    if np.quantile(np.abs(samples[:on_surface, 3]), _MOST) > _ON_SURFACE:
        raise InputError(
            f"{path} holds samples of another order: the first four fifths are not on the surface. {_REMEDY}"
        )
    off = samples[on_surface:]
    some = off[:: max(1, len(off) // _COMPARED)]
    expected = signed_distance(surface, some[:, :3])
    if len(some) and np.median(np.abs(some[:, 3] - expected)) > _AGREES:
        inverted = np.median(np.abs(some[:, 3] + expected)) <= _AGREES
        fault = "its distances are negative inside" if inverted else f"its distances are not those to {path.stem}.ply"
        raise InputError(f"{path} does not belong to the published set: {fault}. {_REMEDY}")
