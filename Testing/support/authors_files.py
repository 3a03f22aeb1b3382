"""A small set in exactly the format of the one that the authors of the paper published (Zenodo 15100852)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from support.tiny_cohort import two_lobes
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.sampling import sample_surface, signed_distance
from ThyroidSynthLib.geometry.surface import Surface

# The gland lies above and in front of the centre of mass of the trachea.
ORIGIN_MM = np.array([1.5, 12.0, 48.0])


@dataclass(frozen=True)
class AuthorsFiles:
    """The set that was written, and what it was made of.

    Attributes
    ----------
    surfaces_mm : dict of str to Surface
        The surfaces in `trachea_mm` by id.
    scale_mm : ndarray, shape (3,)
        Millimetres per unit along the axes of the set: craniocaudal, anteroposterior, left–right.
    """

    folder: Path
    surfaces_mm: dict[str, Surface]
    scale_mm: np.ndarray

    @property
    def ids(self) -> list[str]:
        return sorted(self.surfaces_mm)

    def features(self, case_id: str) -> np.ndarray:
        """Return the features in mL, mm² and 1."""
        return measure_features(self.surfaces_mm[case_id]).as_array()

    def units(self, features: np.ndarray) -> np.ndarray:
        """Return features in the units of the set."""
        s, a, r = self.scale_mm
        return features / [s * a * r / 1000, s * a, 1]


def write_authors_set(folder: Path, *, cases: int = 6, samples: int = 500, seed: int = 0) -> AuthorsFiles:
    """Write ``ply/``, ``sdf/`` and an unsorted ``features.csv``."""
    rng = np.random.default_rng(seed)
    surfaces = {}
    for number in range(cases):
        shape = two_lobes(
            semi_axes_mm=tuple(rng.uniform((8.0, 7.0, 14.0), (11.0, 10.0, 22.0))),
            offset_mm=rng.uniform(7.0, 14.0),
            right_share=rng.uniform(0.8, 1.0),
        )
        surfaces[f"{7 * number + 3:05d}"] = shape.moved(shape.vertices + ORIGIN_MM)
    reach = np.max([np.abs(surface.vertices).max(axis=0) for surface in surfaces.values()], axis=0)
    made = AuthorsFiles(folder, surfaces, reach[::-1].copy())
    for name in ("ply", "sdf"):
        (folder / name).mkdir(parents=True)
    for case_id, surface in surfaces.items():
        # Exchanging two axes is a reflection: the triangles are turned so that they face outwards again.
        unit = Surface(surface.vertices[:, ::-1] / made.scale_mm, surface.faces[:, ::-1])
        trimesh.Trimesh(unit.vertices, unit.faces, process=False).export(folder / "ply" / f"{case_id}.ply")
        points, sdf = authors_samples(unit, samples, rng)
        np.savez(folder / "sdf" / f"{case_id}.npz", points=points, sdf=sdf)
    write_table(made, rng.permutation(made.ids))
    return made


def authors_samples(unit: Surface, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw points and distances as the authors do: four fifths on the surface, positive inside, double precision."""
    on = sample_surface(unit, count // 5 * 4, rng)
    off = on[rng.integers(len(on), size=count - len(on))] + rng.normal(scale=0.1, size=(count - len(on), 3))
    points = np.concatenate([on, off])
    sdf = -signed_distance(unit, points)
    sdf[: len(on)] = rng.normal(scale=1e-8, size=len(on))
    return points, sdf[:, None]


def write_table(made: AuthorsFiles, order: list[str]) -> None:
    """Write ``features.csv`` with its rows in an order."""
    with (made.folder / "features.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "volume", "isthmus_area", "symmetry"])
        for case_id in order:
            writer.writerow([case_id, *made.units(made.features(case_id))])
