"""A patient's own organs around a generated thyroid: they are kept as they are, and no others are drawn instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.organs.organ_shapes import organ_in_scan
from ThyroidSynthLib.geometry.frame import Placement
from ThyroidSynthLib.geometry.isosurface import surface_from_mask
from ThyroidSynthLib.geometry.surface import Surface
from ThyroidSynthLib.imaging.masks import Mask
from ThyroidSynthLib.model.trained_model import TrainedModel

from .fitting import OrganFit, fit_organ
from .organ import measured


@dataclass(frozen=True)
class OwnOrgan:
    """An organ, or any other structure, as a patient's segmentation has it.

    Attributes
    ----------
    name : str
    mask : Mask
        In `ras_mm`.
    near : Surface or None
        Its part within 40 mm of where organs are learned, closed, in `trachea_mm`; it continues beyond the border of
        the scan. None if the organ is elsewhere.
    features : dict of str to float
        By name, measured on it; empty if it is not at the level of the gland or no organ of the model.
    fit : OrganFit or None
        Its latent code. None if the model has no such organ, or too little of it is in the scan.
    """

    name: str
    mask: Mask
    near: Surface | None
    features: dict[str, float]
    fit: OrganFit | None

    def surface_ras(self) -> Surface:
        """Return the closed surface of the whole organ, as it was segmented, in `ras_mm`."""
        return surface_from_mask(self.mask.volume)


def own_organs_of(model: TrainedModel, masks: Mapping[str, Mask], placement: Placement) -> dict[str, OwnOrgan]:
    """Fit the organs of a model to those that a patient has, for organs that are drawn given them.

    Parameters
    ----------
    model : TrainedModel
        The result of one without organs is empty.
    masks : mapping of str to Mask
        By name, in `ras_mm`. Structures that are no organs of the model are kept, too.
    placement : Placement
        The trachea frame in the patient, in the alignment of the model.
    """
    if not model.organs:
        return {}
    # All organs of a model have the same box.
    frame = next(iter(model.organs.values())).frame
    box = np.array([frame.lower_mm, frame.upper_mm])
    found = {}
    for name, mask in masks.items():
        organ, near, features, fit = model.organs.get(name), organ_in_scan(mask, placement, box), {}, None
        surface = None if near is None else near[0]
        if organ is not None and surface is not None:
            features = measured(organ, surface)
            try:
                fit = fit_organ(organ, mask, placement)
            except InputError:
                # The organ is kept all the same; the others are drawn without it.
                fit = None
        found[name] = OwnOrgan(name, mask, surface, features, fit)
    return found
