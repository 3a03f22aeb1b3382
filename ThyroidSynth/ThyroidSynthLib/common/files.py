"""Reading and writing of files; a file is replaced as a whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block ends without an exception.

    The temporary name has the suffixes of `path` (such as ``.nii.gz``), by which image writers choose the format. If
    the block raises, `path` is unchanged and the temporary file is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    stem, suffixes = _split_suffixes(path.name)
    handle, name = tempfile.mkstemp(prefix=f".{stem}.", suffix=f".partial{suffixes}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp and some writers create private files; results have the user's usual permissions.
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write text (UTF-8) to `path`, replacing it in one step."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Write a value as indented JSON to `path`, replacing it in one step; `ValueError` for NaN, which JSON lacks."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file; `InputError` if it is missing or is not JSON."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Check the path.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}). Restore it or create it again.") from error


def sha256_of(path: Path | str) -> str:
    """Return the SHA-256 checksum of a file as hexadecimal text."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        # hashlib.file_digest does not exist in Python 3.10.
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _split_suffixes(name: str) -> tuple[str, str]:
    for double in (".nii.gz", ".seg.nrrd"):
        if name.lower().endswith(double):
            return name[: -len(double)], name[-len(double) :]
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix) if stem else (name, "")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix, such as ``.nii.gz``; the last part of a DICOM UID is not a suffix."""
    name = path.name
    for suffix in (".nii.gz", ".seg.nrrd", ".nii", ".dcm", ".dicom"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name if path.suffix[1:].isdigit() else path.stem
