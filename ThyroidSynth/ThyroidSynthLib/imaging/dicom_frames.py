"""Single frames of a multi-frame DICOM file.

Own code, because pydicom decodes all frames of a file at once: gigabytes for the classes of a TotalSegmentator run.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.geometry.grid import MOST_VOXELS_HELD

if TYPE_CHECKING:
    import pydicom

_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
DEFLATED = "1.2.840.10008.1.2.1.99"
"""Transfer syntax of files that are compressed as a whole, so that no frame can be read by itself."""

_CHUNK = 1 << 20


def check_deflated(path: Path) -> None:
    """Raise `InputError` if a file that is compressed as a whole would fill the memory when it is read."""
    inflate, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        # The file meta information is not compressed. Its length follows the preamble, the magic and 8 bytes more.
        file.seek(140)
        file.seek(int.from_bytes(file.read(4), "little"), 1)
        while (packed := file.read(_CHUNK)) and not inflate.eof:
            while packed and size <= MOST_VOXELS_HELD:
                size += len(inflate.decompress(packed, _CHUNK))
                packed = inflate.unconsumed_tail
    if size > MOST_VOXELS_HELD:
        raise InputError(f"{path} is too large to be held in memory when decompressed. Export it without compression.")


class FrameReader:
    """Reads frames of shape (`rows`, `columns`) with one value per pixel, of 1, 8 or 16 bits.

    Pixels of 1 bit are packed from the lowest bit on, without a gap between frames, so a frame may begin within a byte.
    Frames of uncompressed files are read from the disk one at a time, if `dataset` was read with deferred large
    elements; other files are decoded as a whole by pydicom. `InputError` if the pixels are of another type or too few.
    """

    def __init__(self, path: Path, dataset: pydicom.Dataset) -> None:
        from pydicom.dataelem import RawDataElement

        self.rows, self.columns = int(dataset.Rows), int(dataset.Columns)
        self._bits = int(dataset.BitsAllocated)
        if self._bits not in (1, 8, 16) or int(dataset.get("SamplesPerPixel", 1)) != 1:
            raise InputError(
                f"{path} has pixels of {self._bits} bits, which is impossible for a segmentation. Export it again."
            )
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
        self._decoded: np.ndarray | None = None
        if "PixelData" not in dataset:
            raise InputError(f"{path} has no pixels. Export or send it again.")
        syntax = str(dataset.file_meta.TransferSyntaxUID)
        needed = (frames * self.rows * self.columns * self._bits + 7) // 8
        if syntax not in (*_UNCOMPRESSED, DEFLATED):
            if self.rows * self.columns * frames * max(self._bits // 8, 1) > MOST_VOXELS_HELD:
                raise InputError(f"{path} is too large to be decompressed as a whole. Export it without compression.")
            self._decoded = _decoded(path, dataset).reshape(frames, self.rows, self.columns)
            return
        raw = dataset.get_item("PixelData", keep_deferred=True)
        start = raw.value_tell if isinstance(raw, RawDataElement) and raw.value is None else None
        # The header of a truncated file still states the full length.
        missing = needed - (len(dataset.PixelData) if start is None else path.stat().st_size - start)
        if missing > 0:
            raise InputError(f"{path} is damaged (it ends {missing} bytes too early). Copy or download it again.")
        self._stored: np.ndarray = (
            np.frombuffer(dataset.PixelData, np.uint8)
            if start is None
            else np.memmap(path, np.uint8, "r", start, (needed,))
        )

    def frame(self, index: int) -> np.ndarray:
        """Return the stored values of a frame, shape (rows, columns)."""
        if self._decoded is not None:
            return self._decoded[index]
        pixels = self.rows * self.columns
        first_bit = index * pixels * self._bits
        last_bit = first_bit + pixels * self._bits
        content = np.array(self._stored[first_bit // 8 : (last_bit + 7) // 8])
        if self._bits == 1:
            values = np.unpackbits(content, bitorder="little")[first_bit % 8 :][:pixels]
        else:
            values = content.view(f"<u{self._bits // 8}")
        return values.reshape(self.rows, self.columns)


def _decoded(path: Path, dataset: pydicom.Dataset) -> np.ndarray:
    try:
        return dataset.pixel_array
    except (RuntimeError, ValueError, NotImplementedError, AttributeError) as error:
        name = dataset.file_meta.TransferSyntaxUID.name
        raise InputError(
            f"{path} is compressed ({name}) and cannot be decoded. Export it without compression."
        ) from error
