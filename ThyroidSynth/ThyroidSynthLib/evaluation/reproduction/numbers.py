"""The numbers of the paper (section 3), with those of a reproduction beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.evaluation.metrics.published import PUBLISHED

VARIANTS = ("baseline", "fixed", "correlation")


@dataclass(frozen=True)
class Number:
    """A number that the paper reports for some variants.

    Attributes
    ----------
    label, unit : str
    section : str
        Where the paper reports it.
    path : tuple of str
        Its place in `evaluation.json`: that of its summary with "mean" and "sd", or of the number itself.
    published : mapping of str to (mean, SD or None)
        By variant.
    """

    label: str
    unit: str
    section: str
    path: tuple[str, ...]
    published: Mapping[str, tuple[float, float | None]]


def _of_all(key: str, sds: tuple[float, float, float]) -> dict[str, tuple[float, float | None]]:
    return {name: (PUBLISHED[name][key], sd) for name, sd in zip(VARIANTS, sds, strict=True)}


def _pcc(feature: str) -> dict[str, tuple[float, float | None]]:
    return {name: (PUBLISHED[name][f"direct_sampling_pcc_{feature}"], None) for name in VARIANTS[1:]}


PAPER: tuple[Number, ...] = (
    Number(
        "Chamfer distance of training cases, authors' definition",
        "mm",
        "3.1",
        ("reconstruction", "chamfer_mm"),
        _of_all("training_chamfer_mm", (0.38, 0.12, 0.06)),
    ),
    Number(
        "random thyroid to the nearest training shape",
        "mm",
        "3.2",
        ("novelty", "generated_to_training"),
        _of_all("nearest_training_mm", (0.51, 0.95, 0.76)),
    ),
    Number(
        "training shape to the nearest other one",
        "mm",
        "3.2",
        ("novelty", "training_to_training"),
        _of_all("training_to_training_mm", (1.33, 1.33, 1.33)),
    ),
    *(
        Number(
            f"PCC of target and measured {label}, direct sampling",
            "",
            "3.3, figure 3",
            ("steering", "direct_sampling", feature, "pcc"),
            _pcc(feature),
        )
        for feature, label in (
            ("volume_ml", "volume"),
            ("isthmus_area_mm2", "isthmus area"),
            ("symmetry", "symmetry"),
        )
    ),
)
"""The numbers of the paper. Its distances to the nearest shape are Chamfer distances, as those here."""

EXTENTS_MM: Mapping[str, tuple[float, float]] = {
    "craniocaudal": (44.75, 9.79),
    "anteroposterior": (29.32, 5.91),
    "left–right": (52.18, 7.03),
}
"""Mean and SD of the extents of the training shapes (paper, section 3.1)."""


def comparison_rows(cohort: Cohort, evaluations: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each number of the paper and each variant, with the measured one beside it.

    Parameters
    ----------
    evaluations : mapping of str to document
        The content of `evaluation.json` by variant.

    Returns
    -------
    list of dict
        With measure, unit, section, variant, and mean and SD, published and measured; None where there is none.
    """
    extents = np.array([np.ptp(np.array(case["box_mm"]), axis=0) for case in cohort.document["cases"]])
    rows = [
        _row(f"extent of the training shapes, {name}", "mm", "3.1", "", published, (values.mean(), values.std()))
        for (name, published), values in zip(EXTENTS_MM.items(), extents.T[::-1], strict=True)
    ]
    for number in PAPER:
        for variant, published in number.published.items():
            found: Any = evaluations.get(variant, {})
            for key in number.path:
                found = found.get(key) if isinstance(found, Mapping) else None
            measured = (found.get("mean"), found.get("sd")) if isinstance(found, Mapping) else (found, None)
            rows.append(_row(number.label, number.unit, number.section, variant, published, measured))
    return rows


def _row(
    measure: str,
    unit: str,
    section: str,
    variant: str,
    published: tuple[float, float | None],
    measured: tuple[Any, Any],
) -> dict[str, Any]:
    mean, sd = (None if value is None else float(value) for value in measured)
    return {
        "measure": measure,
        "unit": unit,
        "section": section,
        "variant": variant,
        "published": published[0],
        "published_sd": published[1],
        "measured": mean,
        "measured_sd": sd,
    }
