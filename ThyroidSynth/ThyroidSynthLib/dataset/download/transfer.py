"""Transfer of one file over HTTP into a partial file, which a later transfer continues."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.files import unwritable
from ThyroidSynthLib.common.progress import ShouldStop, check

from .records import RemoteFile

_TIMEOUT_S = 30.0
_BLOCK = 1 << 18
# A connection that is lost is opened again so many times in a row without a byte in between.
_ATTEMPTS = 3
_LARGEST_DESCRIPTION = 16 << 20

Report = Callable[[int], None]
"""Called with the number of bytes of the file that are there."""


def fetch_description(url: str) -> bytes:
    """Return the answer to a request; `InputError` with the address, the fault and the remedy if there is none."""
    try:
        with _opened(url) as answer:
            content = answer.read(_LARGEST_DESCRIPTION + 1)
    except (OSError, http.client.HTTPException) as error:
        raise InputError(f"{url} cannot be reached: {_reason(error)}. {_remedy(error)}") from error
    if len(content) > _LARGEST_DESCRIPTION:
        raise InputError(f"{url} answered with more than a description. Check the address.")
    return bytes(content)


def fetch_file(file: RemoteFile, partial: Path, *, report: Report, should_stop: ShouldStop) -> None:
    """Download a file, or the rest of it, into a partial file.

    Raises
    ------
    InputError
        The server cannot be reached, or what it sent has another size or checksum; the partial file is then removed in
        the latter case, and kept otherwise.
    OutputError
        The disk is full or the folder not writable.
    Cancelled
        `should_stop` returned true; the partial file is kept.
    """
    resumed = _size(partial) > 0
    # The beginning of a partial file may be that of another version, so a resumed one is then received anew.
    for _ in range(2 if resumed else 1):
        _receive(file, partial, report, should_stop)
        if md5_of(partial) == file.md5:
            return
        partial.unlink()
    raise InputError(
        f"{file.url} was received with another checksum than Zenodo states, so {file.name} is not used. Try again."
    )


def md5_of(path: Path) -> str:
    """Return the MD5 checksum of a file as Zenodo states it."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _receive(file: RemoteFile, partial: Path, report: Report, should_stop: ShouldStop) -> None:
    if _size(partial) > file.size:
        partial.unlink()
    failures = 0
    while (have := _size(partial)) < file.size or not partial.exists():
        check(should_stop)
        try:
            _receive_once(file, partial, have, report, should_stop)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, _Unwritable):
                raise unwritable(partial, error.cause) from error.cause
            failures = 1 if _size(partial) > have else failures + 1
            final = isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410)
            if final or failures >= _ATTEMPTS:
                share = f" after {_size(partial) / file.size:.0%}" if _size(partial) and file.size else ""
                raise InputError(
                    f"{file.url} cannot be downloaded{share}: {_reason(error)}. {_remedy(error)}"
                ) from error
            continue
        if _size(partial) == have and file.size > have:
            failures += 1
            if failures >= _ATTEMPTS:
                raise InputError(
                    f"{file.url} ended after {_size(partial):,} of {file.size:,} bytes. Run the download again; it "
                    "continues there."
                )


def _receive_once(file: RemoteFile, partial: Path, have: int, report: Report, should_stop: ShouldStop) -> None:
    try:
        answer = _opened(file.url, {"Range": f"bytes={have}-"} if have else {})
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # The server has no such range, so what is there belongs to another file.
        partial.unlink(missing_ok=True)
        return
    with answer:
        continues = have > 0 and answer.status == 206 and _starts_at(answer, have)
        try:
            stream = partial.open("ab" if continues else "wb")
        except OSError as error:
            raise _Unwritable(error) from error
        received = have if continues else 0
        with stream:
            while received < file.size and (block := answer.read(min(_BLOCK, file.size - received))):
                try:
                    stream.write(block)
                    stream.flush()
                except OSError as error:
                    raise _Unwritable(error) from error
                received += len(block)
                report(received)
                check(should_stop)
            os.fsync(stream.fileno())


class _Unwritable(OSError):
    """The disk failed, and not the connection."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _starts_at(answer: Any, have: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _opened(url: str, headers: dict[str, str] | None = None) -> Any:
    agent = {"User-Agent": f"ThyroidSynth/{__version__}", "Accept": "application/json, */*", **(headers or {})}
    return urllib.request.urlopen(urllib.request.Request(url, headers=agent), timeout=_TIMEOUT_S)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    if isinstance(error, urllib.error.URLError):
        return _reason(error.reason) if isinstance(error.reason, BaseException) else str(error.reason)
    if isinstance(error, http.client.HTTPException):
        return "the connection was lost"
    return getattr(error, "strerror", None) or str(error) or "the connection was lost"


def _remedy(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        if error.code == 429:
            return "Wait a minute and run the download again; it continues."
        if error.code in (401, 403, 404, 410):
            return "Check the address of the server."
    return "Check the network and run the download again; it continues."
