"""Writing files so that a reader never meets half of one."""

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
    """Give a temporary path beside `path` that replaces it when the block succeeds.

    The temporary name keeps the suffixes of `path` (such as ``.nii.gz``) because
    image writers choose the format by them. When the block raises, `path` is as
    it was and the temporary file is gone.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    stem, suffixes = _split_suffixes(path.name)
    handle, name = tempfile.mkstemp(prefix=f".{stem}.", suffix=f".partial{suffixes}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private, and so do some writers; results have the user's usual permissions.
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Replace `path` by `text` (UTF-8) in one step."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Replace `path` by `value` as indented JSON in one step. NaN is refused, as JSON has none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        The file is missing or is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Check the path.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}). Restore it or make it again.") from error


def sha256_of(path: Path | str) -> str:
    """Give the SHA-256 checksum of a file as hexadecimal text."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(stream)


def _digest(stream: Any) -> str:
    """Hash in pieces: `hashlib.file_digest` came with Python 3.11, and 3.10 is supported."""
    digest = hashlib.sha256()
    while piece := stream.read(1 << 20):
        digest.update(piece)
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
    """Give a file's name without its suffix, of which some are double, and in DICOM some are none."""
    name = path.name
    for suffix in (".nii.gz", ".seg.nrrd", ".nii", ".dcm", ".dicom"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name if path.suffix[1:].isdigit() else path.stem
