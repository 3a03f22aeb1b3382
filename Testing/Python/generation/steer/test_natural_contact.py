"""Thyroids lie on another patient's trachea as those of the training cases do on theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.tubes import tube_surface
from ThyroidSynthLib.generation.cohort.thyroid_maker import ThyroidMaker
from ThyroidSynthLib.generation.steer.contact import CLEARANCE_MM, Contact
from ThyroidSynthLib.generation.steer.natural_contact import natural_contact, prior_in_contact
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.rigid.lying import isthmus_gap_mm
from ThyroidSynthLib.geometry.rigid.structures import RigidStructures
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.model.prior import prior_of
from ThyroidSynthLib.model.trained_model import TrainedModel


@pytest.fixture(scope="module")
def contact() -> Contact:
    model = TrainedModel.load("example")
    tube = tube_surface(width_mm=21.0, centre=(0.0, 0.0), height_mm=200.0)
    found = RigidStructures.of([tube], Placement(np.eye(4)), model.frame)
    assert found is not None
    return Contact(found, width_mm=21.0)


def test_a_model_without_tracheas_keeps_the_contact_and_the_prior(small_model: TrainedModel, contact: Contact) -> None:
    assert natural_contact(contact, small_model, small_model.features[0], np.random.default_rng(0)) is contact
    np.testing.assert_array_equal(prior_in_contact(small_model, contact).intercept, prior_of(small_model).intercept)


def test_gap_and_clearance_are_those_of_cases_of_the_same_kind(small_model: TrainedModel, contact: Contact) -> None:
    joined = small_model.features[:, 1] > 0
    rng = np.random.default_rng(1)
    gaps = np.where(joined, rng.uniform(1.0, 3.0, len(joined)), 0.0)
    clearances = np.where(joined, gaps - 0.5, 5.0) - 3.0 * (gaps > 2.8)
    model = replace(small_model, tracheas=np.column_stack([np.full(len(joined), 16.0), clearances, gaps]))

    drawn = [natural_contact(contact, model, model.features[np.argmax(joined)], rng) for _ in range(300)]
    apart = natural_contact(contact, model, model.features[np.argmin(joined)], rng)

    assert {each.gap_mm for each in drawn} <= set(gaps[joined])
    assert len({each.gap_mm for each in drawn}) > 5
    assert all(each.clearance_mm == max(clearances[gaps == each.gap_mm][0], CLEARANCE_MM) for each in drawn)
    assert (apart.gap_mm, apart.clearance_mm) == (None, 5.0)


def test_codes_are_drawn_given_the_width_of_the_trachea(small_model: TrainedModel, contact: Contact) -> None:
    table = small_model.latent_table.astype(np.float64)
    # The width follows one dimension of the code.
    widths = 16.0 + 2.0 * (table[:, 0] - table[:, 0].mean()) / table[:, 0].std()
    model = replace(small_model, tracheas=np.column_stack([widths, widths * 0 + 2.0, widths * 0 + 3.0]))
    fixed = model.conditioning.encode(model.features)[3]

    narrow, wide = (prior_in_contact(model, replace(contact, width_mm=width)) for width in (14.0, 18.0))

    moved = (wide.mean(fixed) - narrow.mean(fixed)) / table.std(axis=0)
    assert moved[0] == pytest.approx(2.0, rel=0.05)
    assert wide.factor[0, 0] < 0.2 * prior_of(model).factor[0, 0]


def test_the_gaps_of_made_thyroids_are_those_of_the_cohort(contact: Contact) -> None:
    model = TrainedModel.load("example")
    joined = model.features[:, 1] > 0
    gaps = np.where(joined, 2.0, 0.0)
    model = replace(model, tracheas=np.column_stack([gaps * 0 + 16.0, gaps * 0 + 1.2, gaps]))
    maker = ThyroidMaker.of(model, seed=2, to_target=True, contact=contact)

    made = maker.make(0, Targets(volume_ml=14.0, isthmus_area_mm2=60.0))

    assert made.met
    assert isthmus_gap_mm(made.thyroid.surface, contact.structures) == pytest.approx(2.0, abs=0.1)
