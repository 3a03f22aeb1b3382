"""Learn the organs beside the thyroid, each with a network and codes of its own, after the thyroid.

A network of its own leaves the thyroid as it is and makes every organ independent of the codes of the others; see
`docs/decisions/organs.md` for the trial of one network for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, never, part_of, silent
from ThyroidSynthLib.dataset.organs.organ_shapes import ORGAN_FEATURES
from ThyroidSynthLib.model.presets import organ_settings
from ThyroidSynthLib.model.trained_model import OrganModel, TrainedModel

from .loop import EpochReport, train

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.cohort import Cohort
    from ThyroidSynthLib.dataset.organs.organ_cohort import OrganCohort
    from ThyroidSynthLib.model.settings import TrainingSettings


def with_organs(
    model: TrainedModel,
    cohort: Cohort,
    *,
    device: str = "auto",
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> TrainedModel:
    """Return a model with all organs of its cohort, or the model itself if the cohort has the thyroid only.

    Parameters
    ----------
    model : TrainedModel
        The thyroid, trained on the cohort.

    Raises
    ------
    Cancelled
        `should_stop` returned true.
    CohortError
        The samples of an organ are missing or damaged.
    """
    settings = organ_settings(model.settings)
    for number, organ in enumerate(cohort.organs.values()):
        part = part_of(progress, number / len(cohort.organs), (number + 1) / len(cohort.organs))
        learned = train_organ(model, organ, settings, device=device, progress=part, should_stop=should_stop)
        model = replace(model, organs={**model.organs, organ.name: learned})
    return model


def train_organ(
    model: TrainedModel,
    organ: OrganCohort,
    settings: TrainingSettings,
    *,
    device: str = "auto",
    progress: ProgressCallback = silent,
    should_stop: ShouldStop = never,
) -> OrganModel:
    """Learn one organ of the cohort that a model was trained on."""

    def report(epoch: EpochReport) -> None:
        progress(epoch.epoch / epoch.epochs, f"{organ.name}: epoch {epoch.epoch} of {epoch.epochs}")

    others = codes_of_others(model, organ.ids) if settings.correlation_weight else None
    trained = train(organ, settings, device=device, on_epoch=report, should_stop=should_stop, codes_of_others=others)
    return OrganModel(
        name=organ.name,
        network=trained.network,
        frame=trained.frame,
        conditioning=trained.conditioning,
        ids=trained.ids,
        features=trained.features,
        latent_table=trained.latent_table,
        feature_names=ORGAN_FEATURES,
    )


def codes_of_others(model: TrainedModel, ids: tuple[str, ...]) -> np.ndarray:
    """Return the codes of the thyroid and of the organs that were learned already, for some cases, shape (n, m).

    Where a case lacks an organ, its code is the mean, which adds nothing to a correlation.
    """
    tables = [_rows(model.ids, model.codes, ids)]
    tables += [_rows(organ.ids, organ.codes, ids) for organ in model.organs.values()]
    return np.hstack(tables)


def _rows(of: tuple[str, ...], codes: np.ndarray, ids: tuple[str, ...]) -> np.ndarray:
    row_of: Mapping[str, int] = {case_id: row for row, case_id in enumerate(of)}
    found = np.tile(codes.mean(axis=0), (len(ids), 1))
    for row, case_id in enumerate(ids):
        if case_id in row_of:
            found[row] = codes[row_of[case_id]]
    return found
