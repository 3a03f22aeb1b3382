"""An example case in the scene, for the tests of the scene folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.example_case import example_dataset
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    return example_dataset(tmp_path_factory)


@pytest.fixture
def source(dataset):
    from ThyroidSynthLib.dataset.case_sources import find_cases

    return find_cases(dataset)[0]


@pytest.fixture
def loaded(scene, source):
    from ThyroidSynthLib.slicer.scene.patient.loading import load_case

    return load_case(scene, source)


@pytest.fixture
def motion() -> np.ndarray:
    """A right angle about the axis S, and a shift in mm, as a (4, 4) matrix."""
    return np.array([[0.0, -1.0, 0.0, 12.0], [1.0, 0.0, 0.0, -7.0], [0.0, 0.0, 1.0, 30.0], [0.0, 0.0, 0.0, 1.0]])


@pytest.fixture
def transform(scene, motion):
    """A transform node with the motion."""
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(node, motion)
    return node


@pytest.fixture
def record() -> ThyroidRecord:
    return ThyroidRecord(
        seed=3,
        code=(0.25, -1.5, 1e-7),
        targets={"volume_ml": 15.0},
        measured={"volume_ml": 15.2, "isthmus_area_mm2": 41.0, "symmetry": 0.7},
        trachea_to_ras=tuple(Placement.at([1.0, 2.0, 3.0]).trachea_to_ras.ravel().tolist()),
        model="abc",
    )


@pytest.fixture
def own_surface(loaded):
    """The patient's own gland, as a surface in `ras_mm`."""
    from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

    return surface_of_segment(loaded.segmentation, "thyroid_gland")
