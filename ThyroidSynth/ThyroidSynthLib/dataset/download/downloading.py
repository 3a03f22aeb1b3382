"""Download a record of Zenodo into a folder, and unpack its archives there.

The folder holds ``download.json``, which lists the files and those that are complete, so that a download that was
interrupted continues.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import read_json, unwritable, write_json
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, silent
from ThyroidSynthLib.common.staging import files_of_others, output_folder

from .records import ZENODO, Record, RemoteFile, address_of, checked_base, files_of
from .transfer import fetch_description, fetch_file, md5_of
from .unpacking import unpack

DOWNLOAD_FILE = "download.json"
_KIND = "download"
_PARTIAL = ".part"
# Share of the progress of a file that its transfer takes, the rest is for unpacking it.
_TRANSFER_SHARE = 0.9


@dataclass(frozen=True)
class Downloaded:
    """The result of a download.

    Attributes
    ----------
    folder : Path
    files : int
        Number of files in the folder, those of unpacked archives included.
    received_bytes : int
        Size of the files that were received by this call; 0 if all were there already.
    """

    folder: Path
    files: int
    received_bytes: int


def download(
    record: Record,
    folder: Path | str,
    *,
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
    base_url: str = ZENODO,
) -> Downloaded:
    """Download the files of a record, or the rest of them, compare their checksums, and unpack the archives.

    Archives are removed once they are unpacked.

    Parameters
    ----------
    record : Record
        One of `RECORDS`.
    folder : path-like
        A new or empty folder, or that of an earlier download of the same record.
    base_url : str
        Address of the server that speaks Zenodo's API.

    Raises
    ------
    InputError
        The server cannot be reached, does not know the record, or sends files that differ from their checksums.
    OutputError
        The folder holds other files, or a file with other content than the one to write; or the disk is full.
    Cancelled
        `should_stop` returned true; the next call continues.
    """
    folder, base_url = Path(folder), checked_base(base_url)
    with output_folder(folder):
        journal = _claimed(folder, record)
        if journal.get("status") == "finished" and _is_complete(folder, journal):
            progress(1.0, "All files are there already")
            return Downloaded(folder, len(_sizes(journal)), 0)
        progress(0.0, f"Looking up record {record.number}")
        files = files_of(record, fetch_description(address_of(record, base_url)), base_url)
        try:
            return _downloaded(folder, record, files, journal, progress, should_stop)
        except OSError as error:
            raise unwritable(folder, error) from error


def _downloaded(
    folder: Path,
    record: Record,
    files: list[RemoteFile],
    journal: dict[str, Any],
    progress: ProgressCallback,
    should_stop: ShouldStop,
) -> Downloaded:
    done: dict[str, Any] = journal.get("done", {})
    done = {file.name: done[file.name] for file in files if _was_done(folder, done.get(file.name), file)}
    _write(folder, record, "begun", done)
    _check_room(folder, [file for file in files if file.name not in done])
    total, before, received = max(sum(file.size for file in files), 1), 0, 0
    for file in files:
        check(should_stop)
        if file.name not in done:
            received += _one_file(folder, file, _share(progress, before, file.size, total), should_stop)
            done[file.name] = {
                "md5": file.md5,
                "files": _put_in_place(folder, file, progress, before, total, should_stop),
            }
            _write(folder, record, "begun", done)
            if file.name not in done[file.name]["files"]:
                (folder / file.name).unlink(missing_ok=True)
        before += file.size
    _write(folder, record, "finished", done)
    progress(1.0, "Downloaded")
    return Downloaded(folder, sum(len(each["files"]) for each in done.values()), received)


def _share(progress: ProgressCallback, before: int, size: int, total: int) -> ProgressCallback:
    return lambda fraction, message: progress((before + fraction * size) / total, message)


def _one_file(folder: Path, file: RemoteFile, progress: ProgressCallback, should_stop: ShouldStop) -> int:
    """Have a file of a record complete in the folder, and return the number of bytes that were received."""
    target, partial = folder / file.name, folder / f"{file.name}{_PARTIAL}"
    if target.exists() or target.is_symlink():
        if target.is_file() and target.stat().st_size == file.size and md5_of(target) == file.md5:
            return 0
        raise OutputError(
            f"{target} is there with other content and is not replaced. Move it away, or choose another folder."
        )

    def report(received: int) -> None:
        share = received / max(file.size, 1)
        progress(_TRANSFER_SHARE * share, f"{file.name}: {received / 1e6:,.1f} of {file.size / 1e6:,.1f} MB")

    have = partial.stat().st_size if partial.is_file() else 0
    fetch_file(file, partial, report=report, should_stop=should_stop)
    if target.exists():
        raise OutputError(f"{target} was written by another program. Move it away and run the download again.")
    partial.rename(target)
    return max(file.size - have, 0)


def _put_in_place(
    folder: Path,
    file: RemoteFile,
    progress: ProgressCallback,
    before: int,
    total: int,
    should_stop: ShouldStop,
) -> dict[str, int]:
    """Unpack a file if it is an archive; return the sizes of the files that it is made of, by name."""
    if not file.name.lower().endswith(".zip"):
        return {file.name: file.size}

    def report(unpacked: int, of: int) -> None:
        share = _TRANSFER_SHARE + (1 - _TRANSFER_SHARE) * unpacked / max(of, 1)
        progress((before + share * file.size) / total, f"Unpacking {file.name}")

    return unpack(folder / file.name, folder, report=report, should_stop=should_stop)


def _claimed(folder: Path, record: Record) -> dict[str, Any]:
    """Return the journal of an earlier download of a record; empty in a new folder."""
    path = folder / DOWNLOAD_FILE
    if path.exists():
        try:
            journal = read_json(path)
        except InputError as error:
            raise OutputError(f"{error} Choose a new or empty folder.") from error
        if isinstance(journal, dict) and journal.get("kind") == _KIND and journal.get("record") == record.number:
            done = journal.get("done")
            return {**journal, "done": done if isinstance(done, dict) else {}}
        raise OutputError(f"{path} belongs to another download. Choose a new or empty folder.")
    if files_of_others(folder):
        raise OutputError(f"{folder} holds other files. Choose a new or empty folder.")
    return {}


def _write(folder: Path, record: Record, status: str, done: dict[str, Any]) -> None:
    write_json(
        folder / DOWNLOAD_FILE,
        {"kind": _KIND, "record": record.number, "doi": record.doi, "status": status, "done": done},
    )


def _sizes(journal: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in journal.get("done", {}).values():
        if isinstance(each, dict) and isinstance(each.get("files"), dict):
            found |= each["files"]
    return found


def _is_complete(folder: Path, journal: dict[str, Any]) -> bool:
    sizes = _sizes(journal)
    return bool(sizes) and all(_has_size(folder / name, size) for name, size in sizes.items())


def _was_done(folder: Path, entry: Any, file: RemoteFile) -> bool:
    """Return whether a file of the record was received in this version, and all that it is made of is still there."""
    if not isinstance(entry, dict) or entry.get("md5") != file.md5 or not isinstance(entry.get("files"), dict):
        return False
    return bool(entry["files"]) and all(_has_size(folder / name, size) for name, size in entry["files"].items())


def _has_size(path: Path, size: Any) -> bool:
    return path.is_file() and path.stat().st_size == size


def _check_room(folder: Path, files: list[RemoteFile]) -> None:
    partial = (folder / f"{file.name}{_PARTIAL}" for file in files)
    needed = sum(file.size for file in files) - sum(path.stat().st_size for path in partial if path.is_file())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"{folder} needs {needed / 1e6:,.0f} MB for the download, and {free / 1e6:,.0f} MB are free. Free disk "
            "space or choose another disk."
        )
