"""What the module hides is marked, shown again on request, and forgotten when the user shows it."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.slicer.scene import hiding
from ThyroidSynthLib.slicer.scene.thyroids.collection import add_beside, is_visible, set_visible, show_uncovered
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import add_generated_thyroid


@pytest.fixture
def two(scene, loaded, own_surface, record):
    patient = loaded.segmentation
    return [add_generated_thyroid(scene, "T", own_surface, record=record, patient=patient) for _ in range(2)]


def test_a_hidden_node_is_shown_and_hidden_again(scene, two):
    first, second = two
    hiding.hide_for_now(first, "test")
    assert (is_visible(first), is_visible(second)) == (False, True)
    hiding.show_hidden(scene)
    assert is_visible(first)
    hiding.hide_again(scene)
    assert not is_visible(first)
    hiding.end_hiding(first, "another reason")
    assert not is_visible(first)
    hiding.end_hiding(first, "test")
    assert is_visible(first)
    hiding.hide_again(scene)
    assert is_visible(first)


def test_a_node_that_the_user_has_hidden_or_shown_is_left_alone(scene, two):
    first, second = two
    set_visible(first, False)
    hiding.hide_for_now(first, "test")
    hiding.hide_for_now(second, "test")
    set_visible(second, True)
    hiding.forget_shown(scene)
    hiding.show_hidden(scene)
    assert not is_visible(first)
    hiding.hide_again(scene)
    assert is_visible(second)


def test_the_edited_thyroid_alone_is_shown_of_its_patient(scene, two, own_surface, record):
    first, second = two
    of_another = add_generated_thyroid(scene, "Other", own_surface, record=record)
    show_uncovered(second)
    assert [is_visible(node) for node in (first, second, of_another)] == [False, True, True]


def test_a_thyroid_that_is_replaced_by_another_one_is_hidden_for_now(scene, two, own_surface, record):
    new = add_beside(two[0], "New", own_surface, ct=None, record=record)
    assert (is_visible(two[0]), is_visible(new)) == (False, True)
    hiding.show_hidden(scene)
    assert is_visible(two[0])
