"""An example case in the scene, for the tests of the scene folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.example_case import example_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    return example_dataset(tmp_path_factory)


@pytest.fixture
def source(dataset):
    from ThyroidSynthLib.dataset.cases import find_cases

    return find_cases(dataset)[0]


@pytest.fixture
def loaded(scene, source):
    from ThyroidSynthLib.slicer.scene.patient.loading import load_case

    return load_case(scene, source)


@pytest.fixture
def own_surface(loaded):
    """The patient's own gland, as a surface in `ras_mm`."""
    from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

    return surface_of_segment(loaded.segmentation, "thyroid_gland")
