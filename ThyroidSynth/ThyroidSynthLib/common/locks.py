"""Locks on output folders and files: one command writes at a time.

The operating system releases the lock of a process that ends, even if it is killed. Own code, because no library for
locks is part of Slicer.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .errors import OutputError
from .files import remove_partial_files, unwritable

LOCK_FILE = ".thyroidsynth.lock"
_CONTENT = b"ThyroidSynth writes here while this file is locked.\n"
# A lock of the system does not keep out other threads of the process, and is lost when one of them closes the file.
_held: dict[Path, tuple[int, int]] = {}  # thread and number of times by lock file
_guard = threading.Lock()


class Lock(NamedTuple):
    """A lock of this thread: whether it is new, and whether a process was killed while it held the lock before."""

    first: bool
    interrupted: bool


class InUseError(OutputError):
    """Another process or thread has locked an output."""


@contextmanager
def locked_folder(folder: Path) -> Iterator[Lock]:
    """Create a folder and lock it for this thread; a folder that is empty at the end is removed again if it was new.

    A thread may lock a folder again that it has locked.

    Raises
    ------
    InUseError
        Another process or thread has locked the folder.
    OutputError
        The folder cannot be written.
    """
    lock = folder.absolute() / LOCK_FILE
    with _locked(lock, folder, "Choose another --out, or wait until it has ended.") as found:
        yield found


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Lock the name of a file for this thread, and remove the partial files of killed processes; as `locked_folder`.

    Raises
    ------
    InUseError
        Another process or thread writes this file.
    OutputError
        The folder of the file cannot be written.
    """
    lock = path.absolute().with_name(f".{path.name[:80]}{LOCK_FILE}")
    with _locked(lock, path, "Choose another file, or wait until it has ended.") as found:
        if found.first:
            remove_partial_files(path.parent, of=path)
        yield


@contextmanager
def new_file(path: Path, *beside: Path) -> Iterator[None]:
    """Lock the name of a file that does not exist yet; `OutputError` if it does, or as for `locked_file`.

    The files `beside` it, which belong to it, must not exist either.
    """
    with locked_file(path):
        for each in (path, *beside):
            if os.path.lexists(each):
                raise OutputError(f"{each} exists already. Choose another name or delete it first.")
        yield


@contextmanager
def _locked(lock: Path, target: Path, remedy: str) -> Iterator[Lock]:
    key, thread = _key(lock), threading.get_ident()
    busy = f"Another ThyroidSynth process is writing {target}. {remedy}"
    with _guard:
        owner, times = _held.get(key, (thread, 0))
        if owner != thread:
            raise InUseError(busy)
        _held[key] = (thread, times + 1)
    stream, interrupted, created = None, False, list[Path]()
    try:
        if not times:
            stream, interrupted = _acquired(lock, target, busy, created)
        yield Lock(not times, interrupted)
    finally:
        if stream is not None:
            _release(stream, lock)
        for path in created:
            with suppress(OSError):  # It is not empty, or it is gone.
                path.rmdir()
        with _guard:
            remaining = _held.pop(key)[1] - 1
            if remaining:
                _held[key] = (thread, remaining)


def _key(lock: Path) -> Path:
    # resolve() fails where a folder is a loop of links; opening the file then reports it.
    with suppress(OSError, RuntimeError):
        return lock.resolve()
    return lock


def _acquired(lock: Path, target: Path, busy: str, created: list[Path]) -> tuple[BinaryIO, bool]:
    """Return the locked, open lock file, and whether a process that was killed has left it."""
    try:
        while True:
            _make_folder(lock.parent, created)
            if lock.is_symlink():
                raise OutputError(f"{lock} is a link, but the lock of an output is a file. Remove it.")
            try:
                stream = lock.open("a+b")
            except FileNotFoundError:
                if not lock.parent.is_dir():  # Another process removed the folder, which was empty.
                    continue
                raise
            except PermissionError:
                if os.name == "nt" and lock.exists():  # Another process is removing it.
                    raise InUseError(busy) from None
                raise
            try:
                if not _lock(stream):
                    raise InUseError(busy)
                # A process that ended meanwhile may have removed this file, and another may have locked a new one.
                if lock.exists() and os.path.samestat(os.fstat(stream.fileno()), lock.stat()):
                    return stream, _check_ours(stream, lock)
            except OSError:
                _release(stream, lock)  # The disk is full.
                raise
            except OutputError:
                stream.close()
                raise
            stream.close()
    except OSError as error:
        raise unwritable(target, error) from error


def _check_ours(stream: BinaryIO, lock: Path) -> bool:
    """Write the lock file, which also shows that the disk is not full, and return whether it was written before.

    `OutputError` if it is of another origin.
    """
    stream.seek(0)
    found = stream.read(len(_CONTENT) + 1)
    if not _CONTENT.startswith(found):
        raise OutputError(f"{lock} is not a lock of ThyroidSynth. Move it, or choose another output.")
    stream.write(_CONTENT[len(found) :])
    stream.flush()
    os.fsync(stream.fileno())
    return bool(found)


def _make_folder(folder: Path, created: list[Path]) -> None:
    """Create a folder, and note the folders that did not exist, innermost first."""
    missing = []
    for path in (folder, *folder.parents):
        if path.is_dir():
            break
        missing.append(path)
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        if path not in created:
            created.insert(0, path)


def _release(stream: BinaryIO, lock: Path) -> None:
    # Removed while it is locked; Windows cannot remove an open file.
    for action in (stream.close, lock.unlink) if os.name == "nt" else (lock.unlink, stream.close):
        with suppress(OSError):
            action()


def _lock(stream: BinaryIO) -> bool:
    """Lock an open file until it is closed or the process ends; return whether no other process holds the lock."""
    if sys.platform == "win32":
        import msvcrt

        try:
            # A byte far behind the content, which stays readable.
            stream.seek(1 << 30)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import errno
    import fcntl

    try:
        # A POSIX lock instead of `flock`: it also works on network drives, and worker processes do not inherit it.
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some drives support no locks. Writing must work there.
        return error.errno not in (errno.EACCES, errno.EAGAIN)
    return True
