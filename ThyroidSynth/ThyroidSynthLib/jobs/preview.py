"""How one training case came out lately: a small file through which a running training is looked at."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ThyroidSynthLib.common.errors import JobError
from ThyroidSynthLib.common.files import atomic_path
from ThyroidSynthLib.geometry.surface import Surface


@dataclass(frozen=True)
class Preview:
    """A training case and what the model makes of it.

    Attributes
    ----------
    case_id : str
        The case.
    epoch : int
        Epochs done when it was made.
    truth, made : Surface
        The case and its reconstruction, in `trachea_mm`.
    """

    case_id: str
    epoch: int
    truth: Surface
    made: Surface


def write_preview(path: Path | str, preview: Preview) -> None:
    """Write a preview in single precision, replacing `path` in one step."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            case_id=np.array(preview.case_id),
            epoch=np.array(preview.epoch),
            truth_vertices=preview.truth.vertices.astype(np.float32),
            truth_faces=preview.truth.faces.astype(np.int32),
            made_vertices=preview.made.vertices.astype(np.float32),
            made_faces=preview.made.faces.astype(np.int32),
        )


def read_preview(path: Path | str) -> Preview | None:
    """Read what `write_preview` wrote; None while there is none.

    Raises
    ------
    JobError
        The file is damaged.
    """
    try:
        # Read at once: while a file is open on Windows the training cannot replace it.
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as values:
            return Preview(
                case_id=str(values["case_id"]),
                epoch=int(values["epoch"]),
                truth=Surface(values["truth_vertices"], values["truth_faces"]),
                made=Surface(values["made_vertices"], values["made_faces"]),
            )
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise JobError(f"{path} is damaged ({error}). Delete it; the training writes another.") from error
