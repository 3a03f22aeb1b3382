"""Put all files of a new result in place at once, while an earlier result stays until they are complete.

The files are first written to a hidden folder beside their places. A journal in it lists what they replace; from the
moment it is written, a process that is killed has its work completed by the next one. Without a journal the next
process discards the hidden folder.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import InputError, OutputError
from .files import (
    STAGING_FOLDER,
    atomic_path,
    is_partial_file,
    read_json,
    real_path,
    remove_partial_files,
    sync,
    unwritable,
    write_json,
)
from .locks import LOCK_FILE, locked_folder

_MARK = ".made-by-thyroidsynth"
_JOURNAL = ".journal.json"

_log = logging.getLogger(__name__)


def _never(staging: Path) -> bool:
    return False


@contextmanager
def output_folder(folder: Path, *, resumes: Callable[[Path], bool] = _never) -> Iterator[bool]:
    """Own a folder while a command computes and writes its result: lock it, and tidy up after killed processes.

    Yields whether a process was killed that owned the folder before.

    Parameters
    ----------
    folder : Path
        Created if it does not exist; removed again if it is new and stays empty.
    resumes : callable, optional
        Checks whether the command continues the interrupted work in a staging folder, which is otherwise discarded.

    Raises
    ------
    OutputError
        Another process or thread writes to the folder, or it cannot be written.
    """
    check_folder_possible(folder)
    with locked_folder(folder) as lock:
        if lock.first:
            remove_partial_files(folder)
            try:
                _complete_or_discard(folder, resumes)
            except OSError as error:
                raise unwritable(folder, error) from error
        yield lock.interrupted


def check_folder_possible(folder: Path) -> None:
    """Raise `OutputError` if a folder cannot exist because it, or a folder above it, is a file."""
    for path in (folder, *folder.parents):
        if os.path.lexists(path):
            if not path.is_dir():
                what = "a file" if path.exists() else "a link that leads nowhere"
                raise OutputError(f"{path} is {what}, but a folder is needed. Choose another --out.")
            return


def files_of_others(folder: Path) -> list[Path]:
    """Return what is in a folder besides the lock, partial files and staging folder of ThyroidSynth."""
    if not folder.is_dir():
        return []
    own = (LOCK_FILE, STAGING_FOLDER)
    return [path for path in folder.iterdir() if path.name not in own and not is_partial_file(path)]


def make_staging(folder: Path) -> Path:
    """Return the staging folder of an `output_folder`, created if it does not exist."""
    staging = folder / STAGING_FOLDER
    try:
        if not _is_ours(staging):
            staging.mkdir(parents=True, exist_ok=True)
            (staging / _MARK).touch()
    except OSError as error:
        raise unwritable(folder, error) from error
    return staging


def discard_staging(folder: Path) -> None:
    """Remove the staging folder, if there is one."""
    staging = folder / STAGING_FOLDER
    if _is_ours(staging):
        # The mark goes last, so that an interrupted removal is continued.
        (staging / _JOURNAL).unlink(missing_ok=True)
        for path in staging.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != _MARK:
                path.unlink()
        (staging / _MARK).unlink(missing_ok=True)
        staging.rmdir()


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield an empty staging folder, and remove it at the end with whatever `publish` has not put in place."""
    discard_staging(folder)
    try:
        yield make_staging(folder)
    finally:
        with suppress(OSError):
            discard_staging(folder)


def publish(folder: Path, *, last: str, earlier: Iterable[Path] = ()) -> None:
    """Put the files in the staging folder in place, and remove the rest of an earlier result.

    Parameters
    ----------
    folder : Path
        An `output_folder`.
    last : str
        Name of the document that describes the result, which follows its other files.
    earlier : iterable of Path
        Files of the earlier result, which may be replaced.

    Raises
    ------
    OutputError
        A file would be replaced that is not part of the earlier result, or a file cannot be written.
    """
    staging = folder / STAGING_FOLDER
    known = {path.relative_to(folder).as_posix(): _stamp(path) for path in earlier if os.path.lexists(path)}
    _check_free(folder, _staged_files(staging, last), known)
    # Complete before the journal is valid: each file was synced by `atomic_path`, its name is here.
    for path in {staging / name for name in _staged_files(staging, last)}:
        sync(path.parent)
    new = set(_staged_files(staging, last))
    write_json(
        staging / _JOURNAL,
        {"last": last, "earlier": known, "remove": sorted(set(known) - new)},
    )
    try:
        _put_in_place(folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def _complete_or_discard(folder: Path, resumes: Callable[[Path], bool]) -> None:
    staging = folder / STAGING_FOLDER
    if not os.path.lexists(staging):
        return
    if not _is_ours(staging):
        if staging.is_dir() and not any(staging.iterdir()):
            staging.rmdir()  # Killed before it was marked.
            return
        raise OutputError(f"{staging} was not made by ThyroidSynth. Move it, or choose another output folder.")
    if (staging / _JOURNAL).is_file():
        _log.warning("%s: the result of an interrupted command was complete and is now in place.", folder)
        _put_in_place(folder)
    elif not resumes(staging):
        _log.warning("%s: the unfinished result of an interrupted command is discarded.", folder)
        discard_staging(folder)


def _is_ours(staging: Path) -> bool:
    return not staging.is_symlink() and (staging / _MARK).is_file()


def _put_in_place(folder: Path) -> None:
    """Carry out the journal; may be repeated after an interruption at any point."""
    staging = folder / STAGING_FOLDER
    journal = _read_journal(staging / _JOURNAL)
    names = _staged_files(staging, journal["last"])
    _check_free(folder, names, journal["earlier"])
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _move(staging / name, target)
    for parent in {(folder / name).parent for name in names}:
        sync(parent)
    for name in journal["remove"]:
        path = folder / name
        # Changed since: then it is no longer the file of the earlier result.
        if _inside(path, folder) and _stamp(path) == journal["earlier"].get(name):
            path.unlink(missing_ok=True)
            with suppress(OSError):  # Other files are in it.
                for parent in Path(name).parents:
                    if parent != Path():
                        (folder / parent).rmdir()
    discard_staging(folder)


def _read_journal(path: Path) -> dict[str, Any]:
    try:
        journal = read_json(path)
        return {"last": str(journal["last"]), "earlier": dict(journal["earlier"]), "remove": list(journal["remove"])}
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise OutputError(f"{path} is damaged ({error}). Delete the folder {path.parent}.") from error


def _check_free(folder: Path, names: Iterable[str], known: dict[str, Any]) -> None:
    for name in names:
        path = folder / name
        if os.path.lexists(path) and (path.is_dir() or _stamp(path) != known.get(name)):
            raise OutputError(
                f"{path} would be replaced, but is not part of the earlier result. Move it, or choose another --out."
            )


def _staged_files(staging: Path, last: str) -> list[str]:
    """Return the names of the files to put in place, relative to the folder, with `last` at the end."""
    own = (_MARK, _JOURNAL)
    names = [
        path.relative_to(staging).as_posix()
        for path in staging.rglob("*")
        if path.is_file() and path.name not in own and not is_partial_file(path)
    ]
    return sorted(names, key=lambda name: (name == last, name))


def _stamp(path: Path) -> list[int] | None:
    """Return what distinguishes a file from another that takes its place; None if there is none."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _inside(path: Path, folder: Path) -> bool:
    return real_path(path.parent).is_relative_to(real_path(folder))


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # A subfolder of the result is a link to another disk.
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
        source.unlink()
