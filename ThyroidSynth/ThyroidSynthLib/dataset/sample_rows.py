"""Filling a cohort's samples file, one row a shape, by any number of workers and any number of attempts."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import CohortError, InputError, OutputError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, silent
from ThyroidSynthLib.common.workers import WorkerFailure, Workers
from ThyroidSynthLib.geometry.frame import Frame
from ThyroidSynthLib.geometry.sampling import sample_sdf
from ThyroidSynthLib.imaging.ply import read_ply

from .cohort import SAMPLES_FILE, sample_checksum

LEDGER_FILE = "samples.rows"
_STEP_VERSION = 1  # Raise when a shape's samples come out differently, so that no old row is kept.
_DIGEST_BYTES = 32
_BYTES_PER_SAMPLE = 16


def draw_rows(
    folder: Path,
    shapes: Sequence[tuple[str, str, str]],
    frame: Frame,
    workers: Workers,
    *,
    per_shape: int,
    seed: int,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> list[str]:
    """Draw the samples of every shape into the samples file.

    A ledger beside the file says of each row what it was made from and what it holds. A row that
    holds just that is kept, whoever killed the last attempt and when.

    Parameters
    ----------
    folder : Path
        The cohort folder.
    shapes : sequence of (id, surface file, checksum of it)
        In the order of the rows; surfaces in `trachea_mm`, paths relative to the folder.
    frame : Frame
        The cohort's frame.
    workers : Workers
        Who draws.
    per_shape : int
        Samples per shape.
    seed : int
        With a shape's id it gives the shape's own stream of random numbers.

    Returns
    -------
    list of str
        Checksum of each row.

    Raises
    ------
    CohortError
        A surface is gone or damaged, or a worker died over it.
    OutputError
        The disk is full.
    """
    data_offset = _make_files(folder, len(shapes), per_shape)
    # A preparation that was broken off may have left any mix of rows: the ledger is not trusted, a
    # row is kept only when it holds what the ledger says.
    ledger = np.fromfile(folder / LEDGER_FILE, dtype=np.uint8).reshape(len(shapes), 2, _DIGEST_BYTES)

    def tasks() -> Iterator[_Row]:
        for row, (case_id, surface, surface_sha256) in enumerate(shapes):
            made_from = [_STEP_VERSION, case_id, surface_sha256, frame.scale_mm.tolist(), per_shape, seed]
            key = hashlib.sha256(json.dumps(made_from).encode()).digest()
            known = ledger[row, 1].tobytes().hex() if ledger[row, 0].tobytes() == key else ""
            at = data_offset + row * per_shape * _BYTES_PER_SAMPLE
            yield _Row(str(folder), row, case_id, surface, tuple(frame.scale_mm), per_shape, seed, at, key, known)

    checksums = [""] * len(shapes)
    done = 0
    with (folder / LEDGER_FILE).open("r+b") as stream:
        for row, checksum in workers.run(_fill_row, tasks(), should_stop=should_stop):
            if isinstance(checksum, WorkerFailure):
                raise CohortError(
                    f"Drawing the samples of {row.id} ended without a result (out of memory?). "
                    "Prepare again with fewer workers, or refuse this case."
                )
            if checksum != row.known:
                stream.seek(row.row * 2 * _DIGEST_BYTES)
                stream.write(row.key + bytes.fromhex(checksum))
                stream.flush()
            checksums[row.row] = checksum
            done += 1
            progress(done / len(shapes), f"Samples of {row.id} ({done} of {len(shapes)})")
    return checksums


@dataclass(frozen=True)
class _Row:
    folder: str
    row: int
    id: str
    surface: str
    scale_mm: tuple[float, ...]
    per_shape: int
    seed: int
    at: int
    key: bytes
    known: str


def _fill_row(row: _Row) -> str:
    """Draw one shape's samples into its place in the file, unless they are there; give their checksum."""
    folder = Path(row.folder)
    size = row.per_shape * _BYTES_PER_SAMPLE
    with (folder / SAMPLES_FILE).open("r+b") as stream:
        stream.seek(row.at)
        if row.known and hashlib.sha256(stream.read(size)).hexdigest() == row.known:
            return row.known
        try:
            surface = read_ply(folder / row.surface)
        except InputError as error:
            raise CohortError(f"{error} Prepare the cohort again.") from error
        unit = surface.moved(surface.vertices / np.array(row.scale_mm))
        samples = sample_sdf(unit, count=row.per_shape, rng=rng_of_case(row.seed, row.id))
        stream.seek(row.at)
        try:
            stream.write(samples.astype("<f4").tobytes())
            stream.flush()
        except OSError as error:
            raise OutputError(f"{folder / SAMPLES_FILE} cannot be written ({error.strerror}). Make room.") from error
    return sample_checksum(samples)


def rng_of_case(seed: int, case_id: str) -> np.random.Generator:
    """Give a case's own stream of random numbers: the same whatever other cases there are."""
    words = np.frombuffer(hashlib.sha256(case_id.encode()).digest(), dtype="<u4")
    return np.random.default_rng([seed, *words.tolist()])


def _make_files(folder: Path, rows: int, per_shape: int) -> int:
    """Make the samples file and its ledger, unless they are there in the right size.

    Returns
    -------
    int
        Bytes before the first sample.
    """
    samples, ledger = folder / SAMPLES_FILE, folder / LEDGER_FILE
    header = _npy_header((rows, per_shape, 4))
    size = len(header) + rows * per_shape * _BYTES_PER_SAMPLE
    ledger_size = rows * 2 * _DIGEST_BYTES
    if samples.is_file() and ledger.is_file() and ledger.stat().st_size == ledger_size:
        with samples.open("rb") as stream:
            if samples.stat().st_size == size and stream.read(len(header)) == header:
                return len(header)
    samples.unlink(missing_ok=True)
    room = shutil.disk_usage(folder).free
    if room < size:
        raise OutputError(
            f"{folder} needs {size / 1e9:.1f} GB for the samples, and {room / 1e9:.1f} GB are free. "
            "Make room or choose another disk."
        )
    ledger.write_bytes(bytes(ledger_size))
    with samples.open("wb") as stream:
        stream.write(header)
        stream.truncate(size)
    return len(header)


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """Give the header of an .npy file of float32 (NumPy's format 1.0)."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    room = -(len(text) + 11) % 64
    text += " " * room + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("ascii")
