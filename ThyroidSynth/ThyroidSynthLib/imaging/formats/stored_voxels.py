"""The voxels of an image file: checked against its size before anything is allocated, and read a few slices at a time.

Own code, because ITK allocates whatever a header says, however small the file, decompresses the whole scan, of which a
mask fills about a thousandth, and cannot open files whose names are not UTF-8.
"""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.common.reading import checked_file, reading

_SLAB_BYTES = 1 << 19  # Fits in the CPU's cache between decompression and comparison.
_MOST_BYTES_HELD = 1 << 30
# A scan of 1024 x 1024 x 1500 voxels of two bytes, which takes half a minute to decompress.
_MOST_BYTES = 3 << 30
LARGEST_OFFSET = 1 << 26
"""Most bytes of a header with its extensions; TotalSegmentator's label names take 10 kB."""
# Deflate cannot compress by more than 1032.
_MOST_COMPRESSION = 1040

_LONGEST_SHOWN = 300


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; fewer only at the end."""
        ...


@dataclass(frozen=True)
class StoredVoxels:
    """Where and how the voxels of a 3-D image are stored.

    Attributes
    ----------
    image : Path
        The image's file, for messages.
    path : Path
        The file with the voxels: the same, or one beside it.
    shape : tuple of int
        Number of voxels along k, j and i.
    dtype : dtype
        Type and byte order of the stored numbers.
    offset : int
        Bytes before the voxels, counted in the decompressed file if it is compressed as a whole.
    compression : str
        ``none``; ``file`` if the file as a whole may be gzipped, which its first bytes show; ``gzip`` (or zlib) or
        ``bzip2`` if the voxels are, after the offset.
    components : int
        Numbers per voxel, side by side.
    slope, intercept : float
        A value is the stored number times slope plus intercept.
    """

    image: Path
    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype
    offset: int
    compression: str = "none"
    components: int = 1
    slope: float = 1.0
    intercept: float = 0.0

    def slabs(self) -> Generator[tuple[int, np.ndarray]]:
        """Read the values of the voxels a few slices at a time, so that memory does not grow with the scan.

        Yields the index k of the slab's first slice, and its read-only voxels (m, nj, ni), or (m, nj, ni, components).

        Raises
        ------
        InputError
            The file is damaged, or has another number of voxels than its header says.
        """
        slices, rows, columns = self.shape
        each = (rows, columns) if self.components == 1 else (rows, columns, self.components)
        slice_bytes = int(np.prod(each)) * self.dtype.itemsize
        self.check_size()
        step = max(1, _SLAB_BYTES // slice_bytes)
        with self._stream() as stream:
            for first in range(0, slices, step):
                count = min(step, slices - first)
                content = stream.read(count * slice_bytes)
                if len(content) < count * slice_bytes:
                    raise damaged(self.image, f"it ends in slice {first + len(content) // slice_bytes} of {slices}")
                yield first, self._scaled(np.frombuffer(content, self.dtype).reshape(count, *each))
            # At the end of the file gzip compares its checksum. A few bytes may follow the voxels as padding.
            if len(stream.read(slice_bytes)) == slice_bytes:
                raise damaged(self.image, f"it has more voxels than the {columns} x {rows} x {slices} of its header")

    def whole(self) -> np.ndarray:
        """Read all voxels, in native byte order; `InputError` also if they would fill the memory."""
        needed = self._bytes_needed()
        if needed > _MOST_BYTES_HELD:
            size = " x ".join(str(n) for n in reversed(self.shape))
            raise InputError(
                f"{self.image} is too large to be held in memory as a whole ({size} voxels, {needed / 2**30:.1f} GiB; "
                f"at most {_MOST_BYTES_HELD / 2**30:g} GiB). Crop or resample it, or store it in fewer bytes per voxel."
            )
        array: np.ndarray | None = None
        for first, slab in self.slabs():
            if array is None:
                array = np.empty((self.shape[0], *slab.shape[1:]), slab.dtype.newbyteorder("="))
            array[first : first + len(slab)] = slab
        assert array is not None  # A grid has at least one slice.
        return array

    def check_size(self) -> None:
        """Raise `InputError` if a file of this size cannot hold the voxels."""
        needed = self._bytes_needed()
        if needed > _MOST_BYTES:
            raise InputError(
                f"{self.image} is too large ({needed / 2**30:.1f} GiB of voxels; at most {_MOST_BYTES / 2**30:g} GiB "
                "are read). Crop or resample it, or store it in fewer bytes per voxel."
            )
        if not 0 <= self.offset <= LARGEST_OFFSET:
            raise damaged(self.image, f"its voxels begin at byte {self.offset}")
        size = checked_file(self.path)
        if self.compression in ("file", "gzip") and (self.compression == "gzip" or is_gzipped(self.path)):
            available = size * _MOST_COMPRESSION
        elif self.compression == "bzip2":
            return
        else:
            available = size - self.offset
        if available < needed:
            raise damaged(
                self.image, f"its {size:,} bytes cannot hold the {needed:,} bytes of voxels that its header states"
            )

    def _scaled(self, stored: np.ndarray) -> np.ndarray:
        if (self.slope, self.intercept) == (1.0, 0.0):
            return stored
        return stored * np.float32(self.slope) + np.float32(self.intercept)

    def _bytes_needed(self) -> int:
        slices, rows, columns = self.shape
        return slices * rows * columns * self.components * self.dtype.itemsize

    @contextmanager
    def _stream(self) -> Iterator[Readable]:
        with opened(self.path) as file:
            if self.compression == "file":
                packed = is_gzipped(self.path)
                stream: Readable = gzip.GzipFile(fileobj=file) if packed else file
                _skip(stream, self.offset)
                yield stream
                return
            file.seek(self.offset)
            if self.compression == "bzip2":
                yield bz2.BZ2File(file)
            elif self.compression == "gzip":
                start = file.read(2)
                file.seek(self.offset)
                if start == b"\x1f\x8b":
                    yield gzip.GzipFile(fileobj=file)
                else:
                    yield io.BufferedReader(_Inflated(file))  # type: ignore[type-var]
            else:
                yield file


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open an image file for reading; whatever fails while it is read becomes an `InputError` with the file."""
    with reading(path, "an image", "Copy or download it again, or export it again as NIfTI or NRRD."):
        try:
            with path.open("rb") as file:
                yield file
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise damaged(path, str(error)) from error


def planes_of(array: np.ndarray) -> Iterator[bytes]:
    """Return the bytes of each slice k of an array, little-endian, with i the fastest axis."""
    kind = array.dtype.newbyteorder("<")
    return (np.ascontiguousarray(plane, kind).tobytes() for plane in array)


def is_gzipped(path: Path) -> bool:
    """Check by its first bytes whether a file is gzipped, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def damaged(path: Path, what: str) -> InputError:
    """Return the error of a damaged file."""
    # A damaged header may have fields of any length.
    shown = what if len(what) <= _LONGEST_SHOWN else f"{what[:_LONGEST_SHOWN]}…"
    return InputError(f"{path} is damaged ({shown}). Copy or download it again.")


def _skip(stream: Readable, count: int) -> None:
    while count > 0:
        content = stream.read(min(count, 1 << 20))
        if not content:
            return
        count -= len(content)


class _Inflated(io.RawIOBase):
    """The decompressed content of a file that is a zlib stream from its position on."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file, self._inflate, self._waiting = file, zlib.decompressobj(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._inflate.eof:
            packed = self._waiting or self._file.read(1 << 16)
            if not packed:
                raise EOFError("the compressed voxels end too early")
            content = self._inflate.decompress(packed, len(buffer))
            self._waiting = self._inflate.unconsumed_tail
            if content:
                buffer[: len(content)] = content
                return len(content)
        return 0
