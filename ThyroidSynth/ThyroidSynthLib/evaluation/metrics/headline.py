"""The headline measures of an evaluation and their places in `evaluation.json`: one list for all tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ThyroidSynthLib.geometry.features import FEATURE_NAMES

FEATURE_LABELS = {"volume_ml": "volume", "isthmus_area_mm2": "isthmus area", "symmetry": "symmetry"}


@dataclass(frozen=True)
class Measure:
    """One number of an evaluation."""

    key: str  # name in tables for programs
    group: str  # heading under which it is listed
    label: str  # name for people
    unit: str  # "%" for a share, which is stored as 0 to 1
    digits: int  # decimals
    path: tuple[str, ...]  # keys that lead to it in the document of an evaluation
    best: float | None = None  # the best possible value, if there is one

    def of(self, document: Mapping[str, Any]) -> float | None:
        """Return the number from an evaluation; None if it was not measured."""
        value: Any = document
        for name in self.path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return float(value) if isinstance(value, int | float) else None

    def text(self, value: float | None) -> str:
        """Format a value without its unit, except for a percent sign."""
        if value is None:
            return "–"
        if self.unit == "%":
            return f"{100 * value:.{self.digits}f}%"
        if 0 < value < 0.5 * 10**-self.digits:
            # A small p value must not read as zero.
            return f"{value:.1g}"
        return f"{value:.{self.digits}f}"

    @property
    def suffix(self) -> str:
        """The unit as it follows a value; empty for shares, whose text has a percent sign."""
        return "" if self.unit in ("", "%") else f" {self.unit}"


def _reconstruction(key: str, group: str, source: str) -> list[Measure]:
    measures = (
        ("chamfer_mm", "Chamfer, authors' definition", "mm", 2, ("chamfer_mm", "mean"), 0),
        ("chamfer_over_floor", "Chamfer over its floor", "×", 2, ("chamfer_over_floor",), 1),
        ("surface_chamfer_mm", "Chamfer over area", "mm", 2, ("surface_chamfer_mm", "mean"), 0),
        ("assd_mm", "ASSD", "mm", 2, ("assd_mm", "mean"), 0),
        ("hd95_mm", "HD95", "mm", 2, ("hd95_mm", "mean"), 0),
        ("nsd_1mm", "NSD at 1 mm", "", 3, ("nsd_1mm", "mean"), 1),
        ("nsd_2mm", "NSD at 2 mm", "", 3, ("nsd_2mm", "mean"), 1),
        ("dice", "Dice at 1.5 mm", "", 3, ("dice", "mean"), 1),
    )
    return [
        Measure(f"{key}_{name}", group, label, unit, digits, (source, *path), best)
        for name, label, unit, digits, path, best in measures
    ]


def _agreement(key: str, group: str, path: tuple[str, ...], digits: int) -> list[Measure]:
    return [
        Measure(f"{key}_{name}_{feature}", group, f"{label}, {text}", unit, places, (*path, feature, name), best)
        for feature, text in FEATURE_LABELS.items()
        for name, label, unit, places, best in (
            ("pcc", "PCC", "", digits, 1),
            ("slope", "slope", "", digits, 1),
            ("mae_sd", "MAE", "cohort SD", 3, 0),
        )
    ]


_TRAINING = "Reconstruction of training cases"
_HELD_OUT = "Fit of held-out cases, model alone"
_DISTRIBUTION = "Distribution against the cohort"
_INDEPENDENT = "Steering to independent targets"
_CROSS_TALK = "Cross-talk, one feature moved by 1 SD"
_NOVELTY = "Novelty"
_SHAPE_SPACE = "Shape space"

MEASURES: tuple[Measure, ...] = (
    *_reconstruction("training", _TRAINING, "reconstruction"),
    *_reconstruction("held_out", _HELD_OUT, "reconstruction_held_out"),
    *(
        Measure(f"{key}_{name}", _DISTRIBUTION, f"{label}, {FEATURE_LABELS[name]}", "", 3, (*path, key), best)
        for key, label, best in (("ks", "KS", 0), ("ks_p", "p of KS", None))
        for name in FEATURE_NAMES
        for path in [("distributions", name)]
    ),
    *_agreement("direct_sampling", "Direct sampling", ("steering", "direct_sampling"), 3),
    *(
        Measure(f"independent_{key}", _INDEPENDENT, label, "%", 1, ("steering", "independent", path), 1)
        for key, label, path in (
            ("within", "within tolerance, of all", "share_within"),
            ("within_reachable", "within tolerance, of those not reported out of reach", "share_within_of_reachable"),
        )
    ),
    *_agreement("independent", _INDEPENDENT, ("steering", "independent", "agreement"), 5),
    *(
        Measure(
            f"cross_talk_of_{key}",
            _CROSS_TALK,
            f"{label}, worst held feature",
            "cohort SD",
            digits,
            (*path, "worst_held"),
            0,
        )
        for key, label, digits, path in (
            ("direct_sampling", "direct sampling", 3, ("cross_talk", "direct_sampling")),
            ("steering", "steering to target", 4, ("cross_talk", "to_target")),
        )
    ),
    *(
        Measure(f"{kind}_mm", _NOVELTY, label, "mm", 2, ("novelty", path, "mean"))
        for kind, label, path in (
            ("nearest_training", "generated to nearest training shape", "generated_to_training"),
            ("training_to_training", "training to nearest other training shape", "training_to_training"),
            ("held_out_to_training", "held-out to nearest training shape", "held_out_to_training"),
        )
    ),
    *(
        Measure(key, _NOVELTY, f"memorisation: p of being nearer than {label}", "", 3, ("novelty", path, "p_nearer"))
        for key, label, path in (
            # Surfaces of a model are smoother than segmentations, so this is the fair comparison.
            ("memorisation_fitted_p", "held-out, as fitted", "memorisation_against_fitted"),
            ("memorisation_p", "held-out", "memorisation"),
        )
    ),
    Measure("authenticity", _NOVELTY, "authentic shapes", "%", 1, ("novelty", "authenticity", "share"), 1),
    Measure("precision", _NOVELTY, "precision", "%", 0, ("novelty", "precision", "share"), 1),
    Measure("recall", _NOVELTY, "recall", "%", 0, ("novelty", "recall", "share"), 1),
    Measure("matching_mm", _NOVELTY, "minimum matching distance", "mm", 2, ("novelty", "matching", "mm"), 0),
    Measure("coverage", _NOVELTY, "coverage of held-out shapes", "%", 0, ("novelty", "coverage", "share"), 1),
    Measure("one_nn", _NOVELTY, "1-NN accuracy (0.5 is best)", "", 2, ("novelty", "one_nn", "accuracy"), 0.5),
    Measure(
        "modes_for_95_percent",
        _SHAPE_SPACE,
        "compactness: modes for 95% of the variance",
        "",
        0,
        ("shape_space", "compactness", "modes_for_95_percent"),
    ),
    Measure(
        "generalisation_mm",
        _SHAPE_SPACE,
        "generalisation: ASSD of fits of held-out cases",
        "mm",
        2,
        ("reconstruction_held_out", "assd_mm", "mean"),
        0,
    ),
    Measure(
        "specificity_mm",
        _SHAPE_SPACE,
        "specificity: ASSD of generated to nearest training shape",
        "mm",
        2,
        ("shape_space", "specificity_mm", "mean"),
    ),
    Measure("valid_share", "Validity", "valid surfaces, of all draws", "%", 1, ("validity", "share_of_draws"), 1),
    *(
        Measure(
            f"code_r2_{name}",
            "Disentanglement",
            f"R² of {label} from the trainable code",
            "",
            2,
            ("disentanglement", "features", name, "r2"),
        )
        for name, label in FEATURE_LABELS.items()
    ),
)

MEASURE_BY_KEY = {measure.key: measure for measure in MEASURES}


def headline_values(document: Mapping[str, Any]) -> dict[str, float | None]:
    """Return every measure of an evaluation's document by key; None if it was not measured."""
    return {measure.key: measure.of(document) for measure in MEASURES}
