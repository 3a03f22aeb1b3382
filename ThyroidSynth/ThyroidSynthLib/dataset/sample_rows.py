"""Draw the samples of a cohort into one file, with one row per shape, in parallel and resumably."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ThyroidSynthLib.common.errors import CohortError, InputError, OutputError
from ThyroidSynthLib.common.files import sync
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check
from ThyroidSynthLib.common.workers import WorkerFailure, Workers
from ThyroidSynthLib.geometry.sampling import sample_sdf
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.ply import read_ply

from .cohort import SAMPLES_FILE, sample_checksum

LEDGER_FILE = "samples.rows"
_STEP_VERSION = 1  # Increase when the samples of a shape change, so that no old row is kept.
_DIGEST_BYTES = 32
_BYTES_PER_SAMPLE = 16


class Sampling(Protocol):
    """How the samples of a shape are drawn; an object of it travels to a worker process."""

    def depends_on(self) -> list[Any]:
        """Return what the samples depend on beside the surface and the seed, for a JSON file."""

    def draw(self, surface_mm: Surface, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw samples of a surface in `trachea_mm`: float32, shape (count, 4), in the `unit` frame."""


@dataclass(frozen=True)
class WholeSampling:
    """The samples of a thyroid, all of which is known: see `sample_sdf`; `scale_mm` (3) is that of the frame."""

    scale_mm: tuple[float, ...]

    def depends_on(self) -> list[Any]:
        """See `Sampling`."""
        return [list(self.scale_mm)]

    def draw(self, surface_mm: Surface, count: int, rng: np.random.Generator) -> np.ndarray:
        """See `Sampling`."""
        unit = surface_mm.moved(surface_mm.vertices / np.array(self.scale_mm))
        return sample_sdf(unit, count=count, rng=rng)


@dataclass(frozen=True)
class RowShape:
    """The shape of a row: the case's id, its surface file relative to the folder, the checksum of it, and sampling."""

    id: str
    surface: str
    surface_sha256: str
    sampling: Sampling


@dataclass(frozen=True)
class RowFiles:
    """The files of samples and of the ledger that a cohort folder holds, by their names relative to it."""

    samples: str = SAMPLES_FILE
    ledger: str = LEDGER_FILE


@dataclass(frozen=True)
class GivenSamples:
    """Samples that a published set holds already.

    Attributes
    ----------
    scale_mm : ndarray, shape (3,)
        Scale of the `unit` frame in which they are.
    of_case : callable
        Returns the samples of a case by its id: ndarray of float32, shape (samples per shape, 4), x, y, z and signed
        distance in `unit`, negative inside.
    """

    scale_mm: np.ndarray
    of_case: Callable[[str], np.ndarray]


def write_given_rows(
    folder: Path,
    ids: Sequence[str],
    given: GivenSamples,
    *,
    per_shape: int,
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> list[str]:
    """Write given samples into the samples file, in the order of the ids, and return the checksum of each row.

    All are read again in each run, because a published set is small.
    """
    data_offset = _make_files(folder, RowFiles(), len(ids), per_shape)
    # No row of a run that draws samples may be kept.
    (folder / LEDGER_FILE).write_bytes(bytes(len(ids) * 2 * _DIGEST_BYTES))
    checksums = []
    with (folder / SAMPLES_FILE).open("r+b") as stream:
        stream.seek(data_offset)
        for number, case_id in enumerate(ids, start=1):
            check(should_stop)
            samples = given.of_case(case_id)
            stream.write(samples.astype("<f4").tobytes())
            checksums.append(sample_checksum(samples))
            progress(number / len(ids), f"Samples of {case_id} ({number} of {len(ids)})")
    sync(folder / SAMPLES_FILE)
    return checksums


def draw_rows(
    folder: Path,
    shapes: Sequence[RowShape],
    workers: Workers,
    *,
    per_shape: int,
    seed: int,
    files: RowFiles = RowFiles(),
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> list[str]:
    """Draw the samples of all shapes into the samples file.

    A ledger file stores of each row a checksum of its inputs and one of its samples. Rows that match both
    are kept, so that an interrupted run is resumed.

    Parameters
    ----------
    shapes : sequence of RowShape
        In the order of the rows; surfaces in `trachea_mm`.
    seed : int
        Random seed, from which each shape derives its own by its id.

    Returns
    -------
    list of str
        Checksum of each row.
    """
    data_offset = _make_files(folder, files, len(shapes), per_shape)
    # After an interruption the ledger may not match the rows, so each row is compared with its checksum.
    ledger = np.fromfile(folder / files.ledger, dtype=np.uint8).reshape(len(shapes), 2, _DIGEST_BYTES)

    def tasks() -> Iterator[_Row]:
        for row, shape in enumerate(shapes):
            made_from = [_STEP_VERSION, shape.id, shape.surface_sha256, *shape.sampling.depends_on(), per_shape, seed]
            key = hashlib.sha256(json.dumps(made_from).encode()).digest()
            known = ledger[row, 1].tobytes().hex() if ledger[row, 0].tobytes() == key else ""
            at = data_offset + row * per_shape * _BYTES_PER_SAMPLE
            yield _Row(folder, files.samples, row, shape, per_shape, seed, at, key, known)

    checksums = [""] * len(shapes)
    done = 0
    with (folder / files.ledger).open("r+b") as stream:
        for row, checksum in workers.run(_fill_row, tasks(), should_stop=should_stop):
            if isinstance(checksum, WorkerFailure):
                raise CohortError(
                    f"The process that drew the samples of {row.shape.id} ended without a result (out of memory?). "
                    "Prepare again with fewer workers, or exclude this case."
                )
            if checksum != row.known:
                stream.seek(row.row * 2 * _DIGEST_BYTES)
                stream.write(row.key + bytes.fromhex(checksum))
                stream.flush()
            checksums[row.row] = checksum
            done += 1
            progress(done / len(shapes), f"Samples of {row.shape.id} ({done} of {len(shapes)})")
    # On the disk before ``cohort.json`` says that they are complete.
    sync(folder / files.samples)
    return checksums


@dataclass(frozen=True)
class _Row:
    folder: Path
    samples: str
    row: int
    shape: RowShape
    per_shape: int
    seed: int
    at: int
    key: bytes
    known: str


def _fill_row(row: _Row) -> str:
    """Write the samples of one shape to the file, unless they are there already; return their checksum."""
    size = row.per_shape * _BYTES_PER_SAMPLE
    with (row.folder / row.samples).open("r+b") as stream:
        stream.seek(row.at)
        if row.known and hashlib.sha256(stream.read(size)).hexdigest() == row.known:
            return row.known
        try:
            surface = read_ply(row.folder / row.shape.surface)
        except InputError as error:
            raise CohortError(f"{error} Prepare the cohort again.") from error
        samples = row.shape.sampling.draw(surface, row.per_shape, rng_of_case(row.seed, row.shape.id))
        stream.seek(row.at)
        try:
            stream.write(samples.astype("<f4").tobytes())
            stream.flush()
        except OSError as error:
            raise OutputError(f"{stream.name} cannot be written ({error.strerror}). Free space.") from error
    return sample_checksum(samples)


def rng_of_case(seed: int, case_id: str) -> np.random.Generator:
    """Return the random generator of a case, which does not depend on the other cases."""
    words = np.frombuffer(hashlib.sha256(case_id.encode()).digest(), dtype="<u4")
    return np.random.default_rng([seed, *words.tolist()])


def _make_files(folder: Path, files: RowFiles, rows: int, per_shape: int) -> int:
    """Create the samples file and its ledger, unless they exist; return the position in bytes of the first sample."""
    samples, ledger = folder / files.samples, folder / files.ledger
    shape, ledger_bytes = (rows, per_shape, 4), rows * 2 * _DIGEST_BYTES
    if ledger.is_file() and ledger.stat().st_size == ledger_bytes:
        offset = _offset_of(samples, shape)
        if offset is not None:
            return offset
    samples.unlink(missing_ok=True)
    needed, free = rows * per_shape * _BYTES_PER_SAMPLE, shutil.disk_usage(folder).free
    if free < needed:
        raise OutputError(
            f"{folder} needs {needed / 1e6:,.1f} MB for the samples, and {free / 1e6:,.1f} MB are free. "
            "Free disk space or choose another disk."
        )
    ledger.write_bytes(bytes(ledger_bytes))
    return np.lib.format.open_memmap(samples, mode="w+", dtype="<f4", shape=shape).offset


def _offset_of(samples: Path, shape: tuple[int, ...]) -> int | None:
    """Return the position of the data in an .npy file of float32, or None if there is no such file of this shape."""
    try:
        array = np.load(samples, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return array.offset if array.shape == shape and array.dtype == np.dtype("<f4") else None
