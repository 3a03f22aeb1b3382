"""The contact of the training cohort's thyroids with their tracheas, for thyroids at another patient's trachea."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.model.prior import CodePrior, prior_of
from ThyroidSynthLib.model.trained_model import TrainedModel

from .contact import CLEARANCE_MM, Contact

_WIDTH, _CLEARANCE, _GAP = range(3)
_AREA = FEATURE_NAMES.index("isthmus_area_mm2")
# Width of the kernel that weighs training cases by their features, in cohort SDs. Contact hardly depends on them.
_NEARNESS_SD = 1.0


def natural_contact(contact: Contact, model: TrainedModel, features: np.ndarray, rng: np.random.Generator) -> Contact:
    """Draw how a thyroid with features (3,) lies on structures: as that of a training case with similar features.

    The contact itself is returned if the trachea is not known, or the model does not state how its training cases'
    thyroids lie on theirs.
    """
    known = model.tracheas
    if known is None or contact.width_mm is None:
        return contact
    joined = model.features[:, _AREA] > 0
    same = joined == (features[_AREA] > 0)
    rows = np.flatnonzero(same if same.any() else ~same)
    spread = model.features.std(axis=0) + 1e-9
    distance = np.linalg.norm((model.features[rows] - features) / spread, axis=1)
    weight = np.exp(-0.5 * ((distance**2 - distance.min() ** 2) / _NEARNESS_SD**2))
    _, clearance, gap = known[rng.choice(rows, p=weight / weight.sum())]
    return replace(
        contact,
        clearance_mm=max(float(clearance), CLEARANCE_MM),
        gap_mm=float(gap) if same.any() and features[_AREA] > 0 else None,
    )


def prior_in_contact(model: TrainedModel, contact: Contact | None) -> CodePrior:
    """Return the distribution of trainable codes, given the fixed code and the width of the trachea of a contact.

    It is that of the model itself if the width or those of the training cases' tracheas are not known, or if the
    model's settings ask for independent normals, as published.
    """
    if contact is None or contact.width_mm is None or model.tracheas is None or model.settings.prior == "independent":
        return prior_of(model)
    widths = model.tracheas[:, _WIDTH]
    scale = widths.std() + 1e-9
    fixed = model.conditioning.encode(model.features)
    given = np.column_stack([fixed, (widths - widths.mean()) / scale])
    prior = CodePrior.conditional(given, model.latent_table.astype(np.float64), model.settings.mirrored_size)
    value = (contact.width_mm - widths.mean()) / scale
    asymmetry = prior.asymmetry
    if asymmetry is not None:
        moved = asymmetry.intercept + float(asymmetry.slope[-1]) * value
        asymmetry = replace(asymmetry, slope=asymmetry.slope[:-1], intercept=moved)
    return replace(
        prior, slope=prior.slope[:-1], intercept=prior.intercept + value * prior.slope[-1], asymmetry=asymmetry
    )
