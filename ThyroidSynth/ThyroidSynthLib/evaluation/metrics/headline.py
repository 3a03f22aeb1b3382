"""The measures that sum a model up, and where they stand in `evaluation.json`: one list for all tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

NAMES = {"volume_ml": "volume", "isthmus_area_mm2": "isthmus area", "symmetry": "symmetry"}


@dataclass(frozen=True)
class Measure:
    """One number of an evaluation.

    Attributes
    ----------
    key : str
        Names it in tables for programs.
    group : str
        Heading under which it stands.
    label : str
        Names it for people.
    unit : str
        Its unit; "%" for a share, which is stored as 0 to 1.
    digits : int
        Decimals that mean something.
    path : tuple of str
        Where it stands in the document of an evaluation.
    best : float or None
        The value that is best: the nearer the better. None where none is.
    """

    key: str
    group: str
    label: str
    unit: str
    digits: int
    path: tuple[str, ...]
    best: float | None = None

    def of(self, document: Mapping[str, Any]) -> float | None:
        """Take the number out of an evaluation; None where it was not measured."""
        value: Any = document
        for name in self.path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return float(value) if isinstance(value, int | float) else None

    def text(self, value: float | None) -> str:
        """Write a value without its unit, except for a percent sign."""
        if value is None:
            return "–"
        if self.unit == "%":
            return f"{100 * value:.{self.digits}f}%"
        if 0 < value < 0.5 * 10**-self.digits:
            # Not zero, as a p value never is.
            return f"{value:.1g}"
        return f"{value:.{self.digits}f}"


def _reconstruction(key: str, group: str, source: str) -> list[Measure]:
    return [
        Measure(f"{key}_chamfer_mm", group, "Chamfer, authors' definition", "mm", 2, (source, "chamfer_mm", "mean"), 0),
        Measure(
            f"{key}_chamfer_over_floor", group, "Chamfer over its floor", "×", 2, (source, "chamfer_over_floor"), 1
        ),
        Measure(
            f"{key}_surface_chamfer_mm", group, "Chamfer over area", "mm", 2, (source, "surface_chamfer_mm", "mean"), 0
        ),
        Measure(f"{key}_assd_mm", group, "ASSD", "mm", 2, (source, "assd_mm", "mean"), 0),
        Measure(f"{key}_hd95_mm", group, "HD95", "mm", 2, (source, "hd95_mm", "mean"), 0),
        Measure(f"{key}_nsd_1mm", group, "NSD at 1 mm", "", 3, (source, "nsd_1mm", "mean"), 1),
        Measure(f"{key}_nsd_2mm", group, "NSD at 2 mm", "", 3, (source, "nsd_2mm", "mean"), 1),
        Measure(f"{key}_dice", group, "Dice at 1.5 mm", "", 3, (source, "dice", "mean"), 1),
    ]


def _agreement(key: str, group: str, path: tuple[str, ...], digits: int) -> list[Measure]:
    found = []
    for name, label in NAMES.items():
        found += [
            Measure(f"{key}_pcc_{name}", group, f"PCC, {label}", "", digits, (*path, name, "pcc"), 1),
            Measure(f"{key}_slope_{name}", group, f"slope, {label}", "", digits, (*path, name, "slope"), 1),
            Measure(
                f"{key}_mae_sd_{name}", group, f"mean |error|, {label}", "cohort SD", 3, (*path, name, "mae_sd"), 0
            ),
        ]
    return found


MEASURES: tuple[Measure, ...] = (
    *_reconstruction("training", "Reconstruction of training cases", "reconstruction"),
    *_reconstruction("held_out", "Fit of held-out cases, model alone", "reconstruction_held_out"),
    *(
        Measure(f"ks_{name}", "Distribution against the cohort", f"KS, {NAMES[name]}", "", 3, path, 0)
        for name in FEATURE_NAMES
        for path in [("distributions", name, "ks")]
    ),
    *(
        Measure(f"ks_p_{name}", "Distribution against the cohort", f"p of KS, {NAMES[name]}", "", 3, path)
        for name in FEATURE_NAMES
        for path in [("distributions", name, "ks_p")]
    ),
    *_agreement("direct_sampling", "Direct sampling", ("steering", "direct_sampling"), 3),
    Measure(
        "independent_within",
        "Steering to independent targets",
        "within tolerance, of all",
        "%",
        1,
        ("steering", "independent", "share_within"),
        1,
    ),
    Measure(
        "independent_within_declared",
        "Steering to independent targets",
        "within tolerance, of those not declared out of reach",
        "%",
        1,
        ("steering", "independent", "share_within_of_reached"),
        1,
    ),
    *_agreement("independent", "Steering to independent targets", ("steering", "independent", "agreement"), 5),
    Measure(
        "cross_talk_of_direct_sampling",
        "Leakage, one feature moved by 1 SD",
        "one-shot, worst held feature",
        "cohort SD",
        3,
        ("cross_talk", "direct_sampling", "worst_held"),
        0,
    ),
    Measure(
        "cross_talk_of_steering",
        "Leakage, one feature moved by 1 SD",
        "to target, worst held feature",
        "cohort SD",
        4,
        ("cross_talk", "to_target", "worst_held"),
        0,
    ),
    Measure(
        "nearest_training_mm",
        "Novelty",
        "generated to nearest training shape",
        "mm",
        2,
        ("novelty", "generated_to_training", "mean"),
    ),
    Measure(
        "training_to_training_mm",
        "Novelty",
        "training to nearest other training shape",
        "mm",
        2,
        ("novelty", "training_to_training", "mean"),
    ),
    Measure(
        "held_out_to_training_mm",
        "Novelty",
        "held-out to nearest training shape",
        "mm",
        2,
        ("novelty", "held_out_to_training", "mean"),
    ),
    Measure(
        "memorisation_p",
        "Novelty",
        "memorisation: p of being nearer than held-out",
        "",
        3,
        ("novelty", "memorisation", "p_nearer"),
    ),
    Measure("coverage", "Novelty", "coverage of held-out shapes", "%", 0, ("novelty", "coverage", "share"), 1),
    Measure("one_nn", "Novelty", "1-NN accuracy (0.5 is best)", "", 2, ("novelty", "one_nn", "accuracy"), 0.5),
    Measure("valid_share", "Validity", "sound surfaces, of all draws", "%", 1, ("validity", "share_of_draws"), 1),
    *(
        Measure(
            f"code_r2_{name}",
            "Disentanglement",
            f"{NAMES[name]} told by the trainable code, R²",
            "",
            2,
            ("disentanglement", "features", name, "r2"),
        )
        for name in FEATURE_NAMES
    ),
)


def headline_values(document: Mapping[str, Any]) -> dict[str, float | None]:
    """Give every measure of an evaluation's document, by key; None where it was not measured."""
    return {measure.key: measure.of(document) for measure in MEASURES}
