"""The records of Zenodo that can be downloaded, and the list of their files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from ThyroidSynthLib.common.errors import InputError

ZENODO = "https://zenodo.org"


@dataclass(frozen=True)
class Record:
    """A record of Zenodo.

    Attributes
    ----------
    name : str
        Its name here.
    number : int
        The record's number, the last part of its DOI 10.5281/zenodo.NUMBER.
    title, licence_note : str
        What it holds, and where its licence is stated, for the user.
    """

    name: str
    number: int
    title: str
    licence_note: str

    @property
    def doi(self) -> str:
        """The DOI of the record."""
        return f"10.5281/zenodo.{self.number}"


RECORDS: Mapping[str, Record] = {
    record.name: record
    for record in (
        Record(
            "authors",
            15100852,
            "the 353 thyroids that the authors of the paper published: meshes, SDF samples and features",
            "Its licence is stated on its page at Zenodo.",
        ),
        Record(
            "totalsegmentator-subset",
            10047263,
            "102 cases of the TotalSegmentator training dataset (v2): CTs and segmentations",
            "Its licence is CC BY 4.0.",
        ),
    )
}
"""The records by name."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a record: its name, its size in bytes, its MD5 checksum and its address."""

    name: str
    size: int
    md5: str
    url: str


def record_called(name: str) -> Record:
    """Return the record of a name; `InputError` if there is none."""
    if name not in RECORDS:
        raise InputError(f"There is no data set '{name}'. Choose one of: {', '.join(RECORDS)}.")
    return RECORDS[name]


def checked_base(url: str) -> str:
    """Return the address of a server without its last slash; `InputError` if it is no HTTP address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(f"'{url}' is not the address of a server. Give one such as {ZENODO}.")
    return url.rstrip("/")


def address_of(record: Record, base_url: str) -> str:
    """Return the address at which Zenodo's API describes a record."""
    return f"{base_url}/api/records/{record.number}"


def files_of(record: Record, answer: bytes, base_url: str) -> list[RemoteFile]:
    """Read the files of a record from the answer of the API.

    Raises
    ------
    InputError
        The answer is not the description of a record, or a name, a size or a checksum in it is missing or impossible.
    """
    address = address_of(record, base_url)
    try:
        document = json.loads(answer)
        listed: Any = document["files"]
        # The API also has a form in which the files are named entries.
        entries = list(listed["entries"].values()) if isinstance(listed, dict) else listed
        files = [_file(each, address) for each in entries]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{address} did not answer with the description of a record ({_fault(error)}). Try again later, or "
            f"download the files of doi:{record.doi} with a browser."
        ) from error
    names = [file.name.casefold() for file in files]
    if not files or len(set(names)) < len(names):
        raise InputError(f"{address} describes no files, or several of one name. Download them with a browser.")
    return files


def _file(entry: Any, address: str) -> RemoteFile:
    name = str(entry.get("key") or entry["filename"])
    size = entry.get("size", entry.get("filesize"))
    kind, _, checksum = str(entry["checksum"]).rpartition(":")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"the size of {name} is missing")
    if kind not in ("", "md5") or len(checksum) != 32 or set(checksum.lower()) - set("0123456789abcdef"):
        raise ValueError(f"{name} has no MD5 checksum")
    if not name or name[0] == "." or set('/\\:*?"<>|') & set(name) or not name.isprintable() or len(name) > 200:
        raise ValueError("a file has an impossible name")
    links = entry.get("links") or {}
    found = links.get("content") or links.get("self") or links.get("download")
    url = urljoin(address, str(found)) if found else f"{address}/files/{quote(name)}/content"
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"the address of {name} is not one of a server")
    return RemoteFile(name, size, checksum.lower(), url)


def _fault(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return str(error) if isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError) else "no JSON"
