"""The labels of a phantom: numbers of the user's choice, and of as many nodules as a gland can have."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from support.analytic_shapes import ellipsoid, together
from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.neck.neck import GridChoice, Neck, make_neck
from ThyroidSynthLib.export.nodules import Nodule
from ThyroidSynthLib.export.phantom.building import build_phantom
from ThyroidSynthLib.export.phantom.given_gland import own_gland
from ThyroidSynthLib.export.phantom.phantom import Phantom
from ThyroidSynthLib.export.phantom.phantom_cohort import FixedGland
from ThyroidSynthLib.export.phantom.phantom_options import PhantomOptions
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import NO_TARGETS
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.imaging.label_maps import LabelMap

GLAND = together(*(ellipsoid((11.0, 11.0, 22.0), (side * 20.0, 4.0, 0.0)) for side in (-1, 1)))


@cache
def neck() -> Neck:
    """A trachea between two lobes, a spleen, a stomach and a heart, which have the labels 16, 17, 1, 6 and 51."""
    grid = Grid.around(ellipsoid((45.0, 40.0, 32.0)), spacing_mm=2.0, margin_mm=0.0)
    array = np.zeros(grid.shape, dtype=np.uint8)
    blobs = {16: (0.0, 0.0), 1: (0.0, -20.0), 6: (20.0, -20.0), 51: (-20.0, -20.0)}
    for label, (x, y) in blobs.items():
        array[voxelise(ellipsoid((6.0, 6.0, 25.0), (x, y, 0.0)), grid).array != 0] = label
    array[voxelise(GLAND, grid).array != 0] = 17
    names = {16: "trachea", 17: "thyroid_gland", 1: "spleen", 6: "stomach", 51: "heart"}
    labels = LabelMap(Volume(array, grid.ijk_to_ras), names)
    box = Surface(np.array([[-30.0, -15, -25], [30, 20, 25]]), np.empty((0, 3)))
    return make_neck("p", labels, Placement(np.eye(4)), GridChoice(), box)


def built(**options: object) -> Phantom:
    generated = FixedGland(own_gland(neck()), 0).make(0, NO_TARGETS)
    return build_phantom(neck(), generated, PhantomOptions(**options), name="p", gland="own")


def test_a_structure_whose_number_is_given_away_takes_the_one_that_became_free():
    usual, chosen = built(), built(numbers={"thyroid_gland": 1, "spleen": 51})

    numbers = {name: label for label, name in chosen.labels.names.items()}
    assert (numbers["thyroid_gland"], numbers["spleen"], numbers["heart"]) == (1, 51, 17)
    assert (numbers["stomach"], numbers["trachea"]) == (6, 16)
    of_usual = {name: label for label, name in usual.labels.names.items()}
    for name, label in numbers.items():
        same = chosen.labels.volume.array == label
        assert np.array_equal(same, usual.labels.volume.array == of_usual[name])


def test_numbers_do_not_depend_on_which_structures_a_phantom_has():
    """Number 6 of the stomach is given to a nodule, which only some phantoms of a cohort have."""
    nodule = Nodule((8.0, 8.0, 8.0), "left")
    without, with_one = (built(numbers={"thyroid_nodule_1": 6}, nodules=each) for each in ([], [nodule]))

    assert without.labels.names.items() <= with_one.labels.names.items()
    assert with_one.labels.names[6] == "thyroid_nodule_1"


def test_a_gland_can_have_more_nodules_than_a_byte_has_numbers_for():
    places = [(x, y, z) for x in (-23, -17, 17, 23) for y in (1, 7) for z in (-9, -4.5, 0, 4.5, 9)]
    nodules = [Nodule((2.0, 2.0, 2.0), position_ras_mm=each) for each in places]

    found = built(nodules=nodules).labels

    assert found.names[259] == "thyroid_nodule_40"
    assert np.unique(found.volume.array).tolist()[-1] == 259
    counts = np.bincount(found.volume.array.ravel())[220:260]
    assert (counts > 0).all() and counts.max() <= 8
    with pytest.raises(InputError, match="181 nodules"):
        built(nodules=nodules[:1] * 181)
