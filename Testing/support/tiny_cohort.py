"""A cohort small enough to train on in a moment: pairs of ellipsoids, made without any image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.dataset.cohort_writing import write_cohort_from_surfaces
from ThyroidSynthLib.geometry.isosurface import surface_from_sdf
from ThyroidSynthLib.geometry.surface import Surface


def two_lobes(*, semi_axes_mm: tuple[float, float, float], offset_mm: float, right_share: float) -> Surface:
    """Return two ellipsoids beside the trachea, in `trachea_mm`; they meet where they are near enough.

    Parameters
    ----------
    semi_axes_mm : tuple of float
        Half the width, depth and height of the left lobe.
    offset_mm : float
        Distance of each lobe's centre from the midsagittal plane.
    right_share : float
        Size of the right lobe relative to the left one.
    """
    spacing = 1.5
    x, y, z = np.meshgrid(*(np.arange(-30.0, 30.1, spacing),) * 3, indexing="ij")
    fields = []
    for side, share in ((-1.0, 1.0), (1.0, right_share)):
        a, b, c = (share * semi_axis for semi_axis in semi_axes_mm)
        fields.append(np.sqrt(((x - side * offset_mm) / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) - 1.0)
    surface = surface_from_sdf(np.minimum(*fields))
    return surface.moved(surface.vertices * spacing - 30.0)


def write_tiny_cohort(folder: Path, *, cases: int = 4, samples_per_shape: int = 2000, seed: int = 0) -> Cohort:
    """Write a cohort of `cases` shapes and open it."""
    rng = np.random.default_rng(seed)
    surfaces = [
        two_lobes(
            semi_axes_mm=tuple(rng.uniform((8.0, 7.0, 14.0), (11.0, 10.0, 22.0))),
            offset_mm=rng.uniform(7.0, 14.0),
            right_share=rng.uniform(0.8, 1.0),
        )
        for _ in range(cases)
    ]
    ids = [f"tiny{number:02d}" for number in range(cases)]
    return write_cohort_from_surfaces(
        folder,
        surfaces,
        ids,
        samples_per_shape=samples_per_shape,
        synthetic=True,
        statement="Pairs of ellipsoids for tests, not anatomy.",
    )
