"""The preview of a running training: the latest reconstruction of one training case, in a small file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import JobError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.common.reading import checked_file
from ThyroidSynthLib.geometry.surface import Surface

# Two surfaces have some 10 MB.
_LARGEST = 1 << 28


@dataclass(frozen=True)
class Preview:
    """A training case and its reconstruction after an epoch, as surfaces in `trachea_mm`."""

    case_id: str
    epoch: int
    original: Surface
    reconstruction: Surface


def write_preview(path: Path | str, preview: Preview) -> None:
    """Write a preview in single precision, replacing `path` atomically."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            case_id=np.array(preview.case_id),
            epoch=np.array(preview.epoch),
            original_vertices=preview.original.vertices.astype(np.float32),
            original_faces=preview.original.faces.astype(np.int32),
            reconstruction_vertices=preview.reconstruction.vertices.astype(np.float32),
            reconstruction_faces=preview.reconstruction.faces.astype(np.int32),
        )


def read_preview(path: Path | str) -> Preview | None:
    """Read the file of `write_preview`; None if it does not exist yet, `JobError` if it is damaged."""
    path = Path(path)
    try:
        if path.exists() and checked_file(path) > _LARGEST:
            raise ValueError("it is too large")
        # Read in one go: on Windows the training cannot replace a file that is open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as values:
            return Preview(
                case_id=str(values["case_id"]),
                epoch=int(values["epoch"]),
                original=Surface(values["original_vertices"], values["original_faces"]),
                reconstruction=Surface(values["reconstruction_vertices"], values["reconstruction_faces"]),
            )
    except FileNotFoundError:
        return None
    except Exception as error:  # A damaged archive raises errors of many kinds.
        raise JobError(f"{path} is damaged. Remove it; the training writes a new one.") from error
