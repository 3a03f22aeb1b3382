"""Reading and writing of files; a file is replaced as a whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import OutputError, ThyroidSynthError
from .processes import start_time
from .text_files import LARGEST_JSON, parse_json, read_text

STAGING_FOLDER = ".thyroidsynth-new"
"""The hidden folder in which `staging` collects the files of a result."""
_STEM = 40
_PARTIAL = re.compile(r"\.(?P<pid>\d+)-(?P<host>[0-9a-f]{8})\.thyroidsynth\.partial")
# Blanks separate the names of files in manifests; the others lead to another folder, or are forbidden somewhere.
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")
_LONGEST_NAME = 50
# Disk full, quota used up, file larger than the file system or a limit allows.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the block ends without an exception.

    The temporary name has the suffixes of `path` (such as ``.nii.gz``), by which image writers choose the format. If
    the block raises, `path` is unchanged and the temporary file is removed. The content is on the disk before the file
    takes its name, so that a power failure leaves no empty file.

    Raises
    ------
    OutputError
        The file cannot be written, or the block raises an error of this library that names the temporary file.
    """
    path = temporary = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before, after = _partial_name(path)
        handle, name = tempfile.mkstemp(prefix=before, suffix=after, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            # mkstemp and some writers create private files; results have the user's usual permissions.
            temporary.chmod(0o666 & ~_umask())
            sync(temporary)
            _replace(temporary, path)
            sync(path.parent)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
    except OSError as error:
        raise unwritable(path, error) from error
    except ThyroidSynthError as error:
        if str(temporary) not in str(error) or temporary == path:
            raise
        raise OutputError(str(error).replace(str(temporary), str(path))) from error


def unwritable(path: Path, error: OSError) -> OutputError:
    """Return the error for a file or folder that could not be written, with its cause and the remedy."""
    path = _shown(path)
    if error.errno in _NO_ROOM:
        return OutputError(
            f"{path} cannot be written: the disk is full. Free space, or choose a folder on another disk."
        )
    return OutputError(f"{path} cannot be written ({error.strerror or error}). Choose a writable folder.")


def _shown(path: Path) -> Path:
    """Return the path that a user knows: a file's place, not where it is written first."""
    if is_partial_file(path):
        path = path.parent
    return Path(*(part for part in path.parts if part != STAGING_FOLDER))


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows writes folders by itself.
        return
    try:
        # Windows flushes only files that are open for writing.
        descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    except PermissionError:  # A folder in which files may be written but not listed.
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network drives cannot sync folders.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def remove_partial_files(folder: Path, *, of: Path | None = None) -> None:
    """Remove the temporary files of `atomic_path` that killed processes of this machine left in a folder.

    By default all of them are removed, else those of the file `of`.
    """
    stem = "." if of is None else _partial_name(of)[0]
    with suppress(OSError):
        for path in folder.iterdir():
            found = _PARTIAL.search(path.name)
            if found is None or not path.name.startswith(stem) or found["host"] != _host():
                continue
            if start_time(int(found["pid"])) is None:
                path.unlink(missing_ok=True)


def is_partial_file(path: Path) -> bool:
    """Check whether a file has a name that `atomic_path` gives to temporary files."""
    return path.name.startswith(".") and _PARTIAL.search(path.name) is not None


def _partial_name(path: Path) -> tuple[str, str]:
    """Return how the names of the temporary files of a file begin and end; they identify this process."""
    stem, suffixes = _split_suffixes(path.name)
    # Shortened, because a file system limits names to some 255 bytes.
    return f".{stem[:_STEM]}.", f".{os.getpid()}-{_host()}.thyroidsynth.partial{suffixes[-_STEM:]}"


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _replace(source: Path, target: Path) -> None:
    for pause in (0.01, 0.05, 0.2) if os.name == "nt" else ():
        try:
            source.replace(target)
            return
        except PermissionError:  # On Windows a file cannot be replaced while it is being read.
            time.sleep(pause)
    source.replace(target)


def write_text(path: Path | str, text: str) -> None:
    r"""Write text (UTF-8) to `path`, replacing it in one step.

    Names of files may have bytes that are not UTF-8, which Python holds as surrogates. They are written as ``\udcfc``,
    which JSON reads as the same surrogate.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path | str, value: Any) -> None:
    """Write a value as indented JSON to `path`, replacing it in one step; `ValueError` for NaN, which JSON lacks."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def stated_code(code: Iterable[float]) -> list[float]:
    """Return a latent code as JSON documents state it: nine digits represent a single-precision number exactly."""
    return [float(f"{value:.9g}") for value in code]


def read_json(path: Path | str) -> Any:
    """Read a JSON file; `InputError` if it is missing or is not JSON."""
    return parse_json(read_text(path, largest=LARGEST_JSON), path)


def absolute_path(path: Path | str) -> Path:
    """Return the absolute path; symbolic links keep their names, unless the path leads through a parent (``..``)."""
    path = Path(path)
    return path.resolve() if ".." in path.parts else path.absolute()


def real_path(path: Path | str) -> Path:
    """Return the absolute path without links; unlike `Path.resolve`, also of a link that leads to itself."""
    return Path(os.path.realpath(path))


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


def names_for_files(names: Iterable[str]) -> dict[str, str]:
    """Return a name for the file of each thing by the name of that, without a suffix.

    Letters, digits and ``_``, ``-``, ``+`` and ``.`` within it are kept. The names differ also where upper and lower
    case are the same.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = free = _NOT_IN_NAMES.sub("_", name)[:_LONGEST_NAME].strip("._") or "unnamed"
        number = 1
        while free.casefold() in taken:
            number += 1
            free = f"{plain}_{number}"
        taken.add(free.casefold())
        found[name] = free
    return found


def shown_name(path: Path) -> str:
    """Return the name of a file or case folder, without the folders in which it lies."""
    path = absolute_path(path)
    name = path.parent.name if path.name == "segmentations" else path.name
    # A name that is not UTF-8 is written with the codes of its bytes.
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def checksums_of(paths: Iterable[Path | None]) -> list[dict[str, str]]:
    """Return name and checksum of each file among some paths, each once."""
    files = dict.fromkeys(absolute_path(path) for path in paths if path is not None and path.is_file())
    return [{"name": shown_name(path), "sha256": sha256_of(path)} for path in files]
