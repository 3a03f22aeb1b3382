"""The folders below a path, and a record of everything in them that is not part of a case."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM_FILES = "hidden files and files of the system"
EMPTY_FOLDER = "empty folder"
BROKEN_LINK = "broken link"
SEARCHED_ALREADY = "the same folder was searched under another name"
SAME_FILES = "the same file under another name, or given twice"
SPECIAL_FILE = "not a regular file (a pipe, socket or device)"

# A table cell has room for these; the number of files is always given.
_NAMES_KEPT = 40

_SYSTEM_NAMES = frozenset(
    ("__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information", "lost+found")
)


@dataclass(frozen=True)
class PassedOver:
    """Files or folders in a source that belong to no case, and the reason.

    Attributes
    ----------
    path : Path
        The folder that holds them.
    names : tuple of str
        Their paths relative to `path`, up to 40.
    count : int
        Their number.
    """

    path: Path
    reason: str
    names: tuple[str, ...]
    count: int

    def text(self) -> str:
        """Return the names as one text."""
        listed = ", ".join(self.names)
        return listed if self.count == len(self.names) else f"{listed}, … ({self.count:,} in all)"


class PassedOverLog:
    """Collects what was passed over, by folder and reason."""

    def __init__(self) -> None:
        self._found: dict[tuple[Path, str], list[str]] = {}
        self._counts: dict[tuple[Path, str], int] = {}

    def add(self, folder: Path, names: Iterable[str], reason: str) -> None:
        """Add files or folders, named relative to the folder."""
        key = folder, reason
        for name in names:
            kept = self._found.setdefault(key, [])
            if len(kept) < _NAMES_KEPT:
                kept.append(name)
            self._counts[key] = self._counts.get(key, 0) + 1

    def entries(self) -> tuple[PassedOver, ...]:
        """Return everything that was added, sorted by folder and reason."""
        return tuple(
            PassedOver(folder, reason, tuple(names), self._counts[folder, reason])
            for (folder, reason), names in sorted(self._found.items())
        )


@dataclass
class Folder:
    """A folder with its files and folders, sorted by name; links are followed.

    Attributes
    ----------
    root : Path
        The path where the search began.
    above : Folder, optional
        The folder that holds it; None for the root.
    unusable : dict of str to str
        What is no regular file, with the reason.
    """

    path: Path
    root: Path
    above: Folder | None = None
    files: list[str] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Kept as text, because a folder may have 100,000 files.
        below = self.path.relative_to(self.root).as_posix()
        self._below = "" if below == "." else below

    def below(self) -> Iterator[Folder]:
        """Yield this folder and all folders below it, each before its own folders."""
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            yield folder
            waiting += reversed(folder.folders)

    def name_in_root(self, name: str) -> str:
        """Return the path of a file in this folder relative to the root."""
        return f"{self._below}/{name}".strip("/") or "."


def read_tree(root: Path, log: PassedOverLog, seen: set[tuple[int, int]]) -> Folder:
    """List everything below a folder without opening a file.

    Parameters
    ----------
    log : PassedOverLog
        Receives hidden files, and folders that are empty, cannot be opened, or were searched already.
    seen : set of (int, int)
        Device and inode of the folders that were searched already; extended.

    Raises
    ------
    OSError
        The root itself cannot be read.
    """
    seen.add(_identity(root))
    top = Folder(root, root)
    waiting = [top]
    links: list[Folder] = []
    while waiting or links:
        if not waiting:
            # Links come last, so that a folder is found under its own name where it has one in the tree.
            folder = links.pop(0)
            if not _is_new(folder, log, seen):
                continue
            assert folder.above is not None
            folder.above.folders = sorted([*folder.above.folders, folder], key=lambda each: each.path.name)
            waiting.append(folder)
        folder = waiting.pop()
        try:
            links += _list(folder, log)
        except OSError as error:
            if folder is top:
                raise
            log.add(root, [folder.name_in_root("")], f"folder that cannot be opened ({error.strerror or error})")
        folder.folders = [each for each in folder.folders if _is_new(each, log, seen)]
        waiting += folder.folders
    return top


def _list(folder: Folder, log: PassedOverLog) -> list[Folder]:
    """Fill in the files and folders of a folder; return the folders that are links."""
    links: list[Folder] = []
    with os.scandir(folder.path) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    if not entries and folder.path != folder.root:
        log.add(folder.root, [folder.name_in_root("")], EMPTY_FOLDER)
    for entry in entries:
        name = folder.name_in_root(entry.name)
        if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_NAMES:
            log.add(folder.root, [name], SYSTEM_FILES)
            continue
        try:
            is_folder, is_link = entry.is_dir(), entry.is_symlink()
            if is_folder:
                (links if is_link else folder.folders).append(Folder(folder.path / entry.name, folder.root, folder))
            elif (is_link or not entry.is_file()) and not stat.S_ISREG(entry.stat().st_mode):
                folder.unusable[entry.name] = SPECIAL_FILE
            else:
                folder.files.append(entry.name)
        except OSError as error:  # Raised by `stat` for a link that leads nowhere.
            reason = BROKEN_LINK if entry.is_symlink() else f"cannot be read ({error.strerror or error})"
            folder.unusable[entry.name] = reason
    return links


def _is_new(folder: Folder, log: PassedOverLog, seen: set[tuple[int, int]]) -> bool:
    """Check whether a folder was not searched under another name, and note that it is now."""
    name = folder.name_in_root("")
    try:
        identity = _identity(folder.path)
    except OSError as error:
        log.add(folder.root, [name], f"folder that cannot be opened ({error.strerror or error})")
        return False
    if identity in seen:
        log.add(folder.root, [name], SEARCHED_ALREADY)
        return False
    seen.add(identity)
    return True


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
