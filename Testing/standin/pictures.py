"""Pictures for people: four views with a title, and the panel beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Mapping

BACKGROUND, INK = (32, 34, 38), (235, 235, 235)
GAP, TITLE_HEIGHT = 6, 34


def _labelled(picture: np.ndarray, label: str) -> Image.Image:
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text((8, 6), label, fill=(255, 220, 90), font=ImageFont.load_default(16))
    return image


def four_up(pictures: Mapping[str, np.ndarray], title: str) -> np.ndarray:
    """Put four pictures of one size into a square under a title.

    Parameters
    ----------
    pictures : mapping of str to numpy.ndarray
        Label and (height, width, 3) uint8 of each view, row by row.
    title : str

    Returns
    -------
    numpy.ndarray
        (height, width, 3) uint8.
    """
    images = [_labelled(picture, label) for label, picture in pictures.items()]
    width, height = images[0].size
    sheet = Image.new("RGB", (2 * width + 3 * GAP, 2 * height + 3 * GAP + TITLE_HEIGHT), BACKGROUND)
    ImageDraw.Draw(sheet).text((GAP + 4, 8), title, fill=INK, font=ImageFont.load_default(18))
    for index, image in enumerate(images):
        row, column = divmod(index, 2)
        sheet.paste(image, (GAP + column * (width + GAP), TITLE_HEIGHT + GAP + row * (height + GAP)))
    return np.asarray(sheet)


def beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Put two pictures beside each other, top aligned; arrays as in :func:`four_up`."""
    height = max(left.shape[0], right.shape[0])
    sheet = np.full((height, left.shape[1] + GAP + right.shape[1], 3), BACKGROUND, dtype=np.uint8)
    sheet[: left.shape[0], : left.shape[1]] = left
    sheet[: right.shape[0], left.shape[1] + GAP :] = right
    return sheet


def of_widget(widget, width: int = 460, height: int | None = None) -> np.ndarray:
    """Draw a widget as it would stand in Slicer's module panel; returns an array as :func:`four_up`."""
    from PySide6 import QtGui, QtWidgets

    widget.show()
    QtWidgets.QApplication.processEvents()
    widget.resize(width, height or max(widget.sizeHint.height(), 200))
    QtWidgets.QApplication.processEvents()
    image = widget.grab().toImage().convertToFormat(QtGui.QImage.Format_RGB888)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def save(picture: np.ndarray, path: str | Path) -> Path:
    """Write a picture as PNG and return its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path
