"""Unpack a ZIP archive into a folder without replacing any file, and without leaving the folder."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ThyroidSynthLib.common.errors import InputError, OutputError
from ThyroidSynthLib.common.files import atomic_path, real_path
from ThyroidSynthLib.common.progress import ShouldStop, check

_BLOCK = 1 << 20
# What some programs add to an archive.
_JUNK = ("__MACOSX", ".DS_Store")


def unpack(
    archive: Path, folder: Path, *, report: Callable[[int, int], None], should_stop: ShouldStop
) -> dict[str, int]:
    """Unpack an archive; files that are there already with the same content are kept.

    Parameters
    ----------
    report : callable
        Called with the bytes that are unpacked and their total.

    Returns
    -------
    dict of str to int
        Size of each file by its name relative to the folder.

    Raises
    ------
    InputError
        The archive is damaged, or a member would lie outside of the folder.
    OutputError
        A file of that name with other content is there, or the disk is full.
    Cancelled
        `should_stop` returned true; another call continues.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir() and not _is_junk(member.filename)]
            names = [_safe_name(archive, member) for member in members]
            if len({name.casefold() for name in names}) < len(names):
                raise InputError(f"{archive} has several files of one name. Unpack it with another program.")
            total = sum(member.file_size for member in members)
            _check_room(archive, folder, members, names)
            done = 0
            for member, name in zip(members, names, strict=True):
                check(should_stop)
                _unpack_member(opened, member, folder, name)
                done += member.file_size
                report(done, total)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{archive} is damaged and cannot be unpacked ({error}). Download it again.") from error
    return {name: member.file_size for name, member in zip(names, members, strict=True)}


def _is_junk(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and (parts[0] in _JUNK or parts[-1] in _JUNK or parts[-1].startswith("._"))


def _safe_name(archive: Path, member: zipfile.ZipInfo) -> str:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]
    if outside or stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{archive} holds {member.filename!r}, which would lie outside of its folder. Do not use it.")
    return path.as_posix()


def _check_room(archive: Path, folder: Path, members: list[zipfile.ZipInfo], names: list[str]) -> None:
    sizes = zip(members, names, strict=True)
    needed = sum(member.file_size for member, name in sizes if not (folder / name).exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"{folder} needs {needed / 1e6:,.0f} MB to unpack {archive.name}, and {free / 1e6:,.0f} MB are free. Free "
            "disk space and run the download again."
        )


def _unpack_member(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, name: str) -> None:
    target = folder / name
    if not real_path(target).is_relative_to(real_path(folder)):
        raise OutputError(f"{target} lies behind a link that leads out of {folder}. Choose another folder.")
    if target.exists() or target.is_symlink():
        if target.is_file() and target.stat().st_size == member.file_size and _crc32(target) == member.CRC:
            return
        raise OutputError(
            f"{target} is there with other content and is not replaced. Move it away, or choose another folder."
        )
    with atomic_path(target) as temporary, opened.open(member) as source, temporary.open("wb") as stream:
        shutil.copyfileobj(source, stream, _BLOCK)


def _crc32(path: Path) -> int:
    checksum = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum
