"""Single frames of a multi-frame DICOM file, read from the disk without the others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError

if TYPE_CHECKING:
    import pydicom

_PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
DEFLATED = "1.2.840.10008.1.2.1.99"
"""Transfer syntax of files that are packed as a whole, in which nothing can be read at its place."""


class FrameReader:
    """Reads frames of one value per pixel, of 1, 8 or 16 bits.

    Pixels of 1 bit are packed from the lowest bit on, and go on from one frame to the next without a gap, so
    a frame may begin within a byte. Files that are not compressed are read at the place of the frame; others
    are unpacked as a whole by pydicom.

    Parameters
    ----------
    path : Path
        The file.
    dataset : pydicom.Dataset
        Its content, read with large elements deferred.

    Attributes
    ----------
    rows, columns : int
        Size of a frame.

    Raises
    ------
    InputError
        The pixels are of another kind, or fewer than the frames need.
    """

    def __init__(self, path: Path, dataset: pydicom.Dataset) -> None:
        self._path = path
        self.rows, self.columns = int(dataset.Rows), int(dataset.Columns)
        self._bits = int(dataset.BitsAllocated)
        if self._bits not in (1, 8, 16) or int(dataset.get("SamplesPerPixel", 1)) != 1:
            raise InputError(f"{path} holds pixels of {self._bits} bits, which no segmentation has. Export it again.")
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
        self._unpacked: np.ndarray | None = None
        self._bytes: bytes | None = None
        self._start = 0
        if "PixelData" not in dataset:
            raise InputError(f"{path} holds no pixels. Export or send it again.")
        syntax = str(dataset.file_meta.TransferSyntaxUID)
        needed = (frames * self.rows * self.columns * self._bits + 7) // 8
        if syntax in _PLAIN:
            raw = dataset.get_item("PixelData", keep_deferred=True)
            deferred = raw.value is None
            self._start = raw.value_tell if deferred else 0
            self._bytes = None if deferred else bytes(raw.value)
            # A file that ends too early says so in its size; its header still promises everything.
            held = path.stat().st_size - self._start if deferred else len(self._bytes)
        elif syntax == DEFLATED:
            self._bytes = bytes(dataset.PixelData)
            held = len(self._bytes)
        else:
            self._unpacked = _decoded(path, dataset).reshape(frames, self.rows, self.columns)
            return
        if held < needed:
            raise InputError(f"{path} is damaged (it ends {needed - held} bytes too early). Copy or download it again.")

    def frame(self, index: int) -> np.ndarray:
        """Give a frame's stored values, shape (rows, columns)."""
        if self._unpacked is not None:
            return self._unpacked[index]
        pixels = self.rows * self.columns
        first_bit = index * pixels * self._bits
        last_bit = first_bit + pixels * self._bits
        content = self._read(first_bit // 8, (last_bit + 7) // 8)
        if self._bits == 1:
            bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
            values = bits[first_bit % 8 :][:pixels]
        else:
            values = np.frombuffer(content, f"<u{self._bits // 8}")
        return values.reshape(self.rows, self.columns)

    def _read(self, start: int, end: int) -> bytes:
        if self._bytes is not None:
            return self._bytes[start:end]
        with self._path.open("rb") as file:
            file.seek(self._start + start)
            return file.read(end - start)


def _decoded(path: Path, dataset: pydicom.Dataset) -> np.ndarray:
    try:
        return dataset.pixel_array
    except (RuntimeError, ValueError, NotImplementedError, AttributeError) as error:
        name = dataset.file_meta.TransferSyntaxUID.name
        raise InputError(
            f"{path} is compressed ({name}) and cannot be unpacked. Export it without compression."
        ) from error
