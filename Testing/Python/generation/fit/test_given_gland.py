"""A gland of one lobe: a fit, its completions and its edits have nothing on the empty side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from support.box_thyroids import BOX, FACES
from support.tiny_cohort import two_lobes
from ThyroidSynthLib.common.errors import SynthesisError
from ThyroidSynthLib.generation.edit.editing import fit_patient
from ThyroidSynthLib.generation.fit import fitting
from ThyroidSynthLib.generation.fit.completions import plausible_completions
from ThyroidSynthLib.generation.fit.fitting import Fit, fit_mask, fit_notes
from ThyroidSynthLib.generation.fit.given_gland import GivenGland
from ThyroidSynthLib.generation.steer.steering import steer_to_target
from ThyroidSynthLib.generation.thyroid import Thyroid, Validity
from ThyroidSynthLib.geometry.features import measure_features
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.grid import Grid
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.geometry.targets import Targets
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.geometry.voxelisation import voxelise
from ThyroidSynthLib.model.trained_model import TrainedModel

PLACEMENT = Placement.at([0.0, 0.0, 0.0])
LOBES = [
    two_lobes(semi_axes_mm=(9.3, 8.1, 17.2), offset_mm=10.3, right_share=1.0),
    two_lobes(semi_axes_mm=(7.0, 7.0, 14.0), offset_mm=14.0, right_share=1.0),
]


def right_lobe(gland: Surface) -> Volume:
    matrix = np.diag([1.5, 1.5, 1.5, 1.0])
    matrix[:3, 3] = -30.0
    mask = voxelise(gland, Grid((40, 40, 40), matrix))
    mask.array[:, :, :20] = 0
    return mask


@pytest.mark.parametrize("gland", LOBES)
def test_a_fit_of_one_lobe_has_nothing_on_the_empty_side(small_model: TrainedModel, gland: Surface) -> None:
    mask = right_lobe(gland)
    fit = fit_mask(small_model, mask, PLACEMENT, scan=mask.grid, resolution=40)
    assert fit.thyroid.surface.bounds[0][0] > 0
    assert fit.thyroid.validity.components == 1
    assert fit.thyroid.measured == measure_features(fit.thyroid.surface)
    assert fit.thyroid.measured.volume_ml == pytest.approx(mask.array.sum() * 1.5**3 / 1000, rel=0.05)
    drawn = plausible_completions(small_model, fit, count=4)
    assert all(surface.bounds[0][0] > 0 for surface in drawn.surfaces)


def test_the_fit_itself_avoids_what_the_gland_does_not_have(small_model: TrainedModel, monkeypatch) -> None:
    """What is removed from its shape afterwards is small beside what it has without points on the empty side."""
    # An offset of the first layer removes most of it, too.
    monkeypatch.setattr(fitting, "_OFFSET_ROUNDS", 0)
    mask = right_lobe(LOBES[0])
    avoided = fit_mask(small_model, mask, PLACEMENT, resolution=40)
    monkeypatch.setattr(fitting, "_CORRECTIONS", 0)
    plain = fit_mask(small_model, mask, PLACEMENT, resolution=40)
    assert plain.removed_ml > 0.01
    assert avoided.removed_ml < 0.3 * plain.removed_ml


def test_edits_of_one_lobe_have_nothing_on_the_empty_side(small_model: TrainedModel) -> None:
    mask = right_lobe(LOBES[0])
    fit = fit_patient(small_model, mask, PLACEMENT)
    for targets in (Targets(volume_ml=1.3 * fit.original.measured.volume_ml), Targets(symmetry=0.4)):
        edited = steer_to_target(fit.shapes, fit.original, targets).thyroid
        field = fit.shapes.field(edited.code)
        assert edited.validity.components == 1
        assert edited.surface.bounds[0][0] > fit.original.surface.bounds[0][0] - 8
        assert (field < 0).sum() > 0


def box(lowest: float, highest: float) -> Surface:
    return Surface(np.array([(lowest + highest) / 2, 4, 4]) + BOX * [(highest - lowest) / 2, 4, 4], FACES)


def shape_of(*parts: Surface) -> Thyroid:
    surface = Surface.joined(parts)
    return Thyroid(np.zeros(3, np.float32), surface, measure_features(surface), Validity.of(surface))


def test_components_are_extra_where_the_scan_shows_that_there_is_no_gland() -> None:
    lobe, other = box(10, 20), box(-20, -10)
    shape = shape_of(lobe, other)
    cleaned, removed_ml = GivenGland(box(11, 22)).without_extra(shape)
    assert removed_ml == pytest.approx(0.64)
    assert cleaned.measured.volume_ml == pytest.approx(0.64) and cleaned.validity.components == 1
    np.testing.assert_array_equal(cleaned.surface.bounds, lobe.bounds)
    points = GivenGland(box(11, 22)).extra_points(shape.surface)
    assert len(points) > 500 and points[:, 0].max() < 0 and points[:, 0].min() > -24
    for gland in (Surface.joined([box(11, 22), box(-15, -9)]), box(50, 60)):
        # The gland has both, or none, of which the fit is simply far.
        assert GivenGland(gland).without_extra(shape) == (shape, 0.0)
    matrix = np.eye(4)
    matrix[:3, 3] = [-5.0, -10.0, -10.0]
    cut = GivenGland(box(11, 22), Grid((40, 40, 40), matrix), PLACEMENT)
    assert cut.without_extra(shape) == (shape, 0.0)
    raised = shape.surface.moved(shape.surface.vertices - [0, 0, 30.0])
    moved, _ = GivenGland(box(11, 22)).without_extra(replace(shape, surface=raised), 30.0)
    np.testing.assert_allclose(moved.surface.bounds, [[10, 0, -30], [20, 8, -22]])


def test_a_gland_that_the_model_cannot_represent_is_an_error_about_the_gland(small_model, monkeypatch) -> None:
    def without_surface(*_, **__):
        raise SynthesisError("This latent code has no surface. Try another random seed.")

    monkeypatch.setattr(fitting, "thyroid_of_code", without_surface)
    with pytest.raises(
        SynthesisError, match=r"cannot represent this gland: \d+% of it lies .*Check that thyroid"
    ) as found:
        fit_mask(small_model, right_lobe(LOBES[0]), PLACEMENT)
    assert "seed" not in str(found.value)


def test_a_gland_unlike_the_training_cases_is_reported_with_a_remedy(small_model: TrainedModel) -> None:
    fit = fit_mask(small_model, right_lobe(LOBES[0]), PLACEMENT, resolution=40)
    known: Fit = replace(
        fit, distance=1.0, distance_limit=2.0, inside_share=1.0, removed_ml=0.0, feature_score=0.4, unlike=""
    )
    assert known.out_of_distribution == 0.5
    assert fit_notes(known, 0.95, 10.0, 10.0, 1.0) == ()
    for unlike, start in (
        (replace(known, distance=2.6), "the shape is 2.6 SDs from the training shapes"),
        (
            replace(known, feature_score=1.4, unlike="unlike all"),
            "the gland is unlike all",
        ),
        (replace(known, inside_share=0.7), "30% of the gland lies outside the region of the training shapes"),
    ):
        first, remedy = fit_notes(unlike, 0.95, 10.0, 10.0, 1.0)
        assert unlike.out_of_distribution > 1
        assert first.startswith(start) and "use a model trained on such glands" in remedy
    far, remedy = fit_notes(known, 0.6, 10.0, 10.0, 1.0)
    assert "far from the given gland" in far and "check the masks" in remedy
