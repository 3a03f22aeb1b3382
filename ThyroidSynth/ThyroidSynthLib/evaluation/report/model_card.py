"""The model card: intended use, training data, evaluation, limits and licence of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.evaluation.metrics.headline import MEASURES, Measure
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription

# Headline measures of an evaluation on the card.
_SHOWN = (
    "training_dice",
    "training_assd_mm",
    "held_out_dice",
    "held_out_assd_mm",
    *(f"direct_sampling_pcc_{name}" for name in FEATURE_NAMES),
    "independent_within",
    "cross_talk_of_steering",
    *(f"ks_{name}" for name in FEATURE_NAMES),
    "memorisation_fitted_p",
    "memorisation_p",
    "authenticity",
    "generalisation_mm",
    "specificity_mm",
    "valid_share",
)

Translate = Callable[[str], str]


@dataclass(frozen=True)
class CardSection:
    """A section of a card, as plain text that may come from the model file."""

    heading: str
    text: str = ""
    rows: tuple[tuple[str, str], ...] = ()  # names and values


def model_card(
    description: ModelDescription, evaluation: Mapping[str, Any] | None, translate: Translate = str
) -> tuple[CardSection, ...]:
    """Return the card of a model.

    Parameters
    ----------
    evaluation : dict or None
        The content of the model's `evaluation.json`.
    translate : callable
        Translates a text into the user's language.
    """
    return (
        _intended_use(description, translate),
        _training_data(description, translate),
        _training(description, translate),
        _evaluation(evaluation, translate),
        _limits(description, translate),
        _licence(description, translate),
    )


def card_measures(evaluation: Mapping[str, Any]) -> list[tuple[Measure, float]]:
    """Return the headline measures of an evaluation that were measured, in the order of `MEASURES`."""
    values = ((measure, measure.of(evaluation)) for measure in MEASURES if measure.key in _SHOWN)
    return [(measure, value) for measure, value in values if value is not None]


def card_text(sections: tuple[CardSection, ...]) -> str:
    """Format a card as Markdown."""
    parts = []
    for section in sections:
        lines = [f"## {section.heading}", *([section.text] if section.text else [])]
        rows = [f"- {name}: {value}" for name, value in section.rows if value]
        parts.append("\n\n".join([*lines, *(["\n".join(rows)] if rows else [])]))
    return "\n\n".join(parts)


def _intended_use(description: ModelDescription, _: Translate) -> CardSection:
    purpose = _("Generates thyroid surfaces at a given trachea for research: simulation, software tests, teaching.")
    if description.steerable:
        targets = _("Targets for volume, isthmus area and symmetry are a condition of the network.")
    else:
        targets = _("The network has no condition, so direct sampling has no targets.")
    return CardSection(_("Intended use"), f"{purpose} {targets}")


def _training_data(description: ModelDescription, _: Translate) -> CardSection:
    cases = _("{cases} cases of {cohort}").format(
        cases=description.cases, cohort=description.cohort or _("unknown origin")
    )
    held_out = _("{n}, not used for training").format(n=description.held_out)
    names = {"volume_ml": _("Volume"), "isthmus_area_mm2": _("Isthmus area"), "symmetry": _("Symmetry")}
    ranges = [(names[name], _range_text(name, *description.feature_range(name), _)) for name in FEATURE_NAMES]
    alignment = {
        "upright": _("upright along the axis of the trachea, centred at the height of the gland"),
        "trachea": _("centred on the trachea's centre of mass, as published"),
    }
    rows = [
        (_("Trained on"), cases),
        (_("Held out"), held_out if description.held_out else ""),
        *ranges,
        (_("Other organs"), ", ".join(f"{name} ({count})" for name, count in description.organs.items())),
        (_("Alignment"), alignment.get(description.alignment, description.alignment)),
    ]
    return CardSection(_("Training data"), description.statement, tuple(rows))


def _training(description: ModelDescription, _: Translate) -> CardSection:
    variants = {
        "baseline": _("baseline: without features"),
        "fixed": _("fixed: volume, isthmus area and symmetry are part of the code"),
        "correlation": _("correlation: as fixed, with the trainable code uncorrelated with the features"),
    }
    settings = _("{epochs} epochs, preset {preset}, {size} latent dimensions, seed {seed}").format(
        epochs=description.epochs, preset=description.preset, size=description.latent_size, seed=description.seed
    )
    units = _("ReLU units") if description.omega is None else _("sine units (SIREN), omega {omega}")
    software = ", ".join(f"{name} {version}" for name, version in description.software.items())
    rows = (
        # An unknown variant is shown by its name in the file.
        (_("Variant"), variants.get(description.variant, description.variant)),
        (_("Training"), settings),
        (_("Network"), units.format(omega=f"{description.omega:g}" if description.omega else "")),
        (_("Software"), software),
    )
    return CardSection(_("Training"), rows=rows)


def _evaluation(evaluation: Mapping[str, Any] | None, _: Translate) -> CardSection:
    heading = _("Evaluation")
    if evaluation is None:
        return CardSection(heading, _("Not evaluated yet. Run thyroidsynth evaluate with --to-card."))
    found = card_measures(evaluation)
    if not found:
        return CardSection(
            heading, _("The evaluation was written by another version and cannot be shown. Evaluate the model again.")
        )
    rows = (
        (group, ", ".join(f"{each.label} {each.text(value)}{each.suffix}" for each, value in measures))
        for group, measures in groupby(found, lambda item: item[0].group)
    )
    return CardSection(heading, rows=tuple(rows))


def _limits(description: ModelDescription, _: Translate) -> CardSection:
    limits = [
        _("The model describes the outer surface of the gland only, without nodules and tissue."),
        _("Shapes outside the ranges of the training data are extrapolations."),
    ]
    if description.synthetic:
        limits.append(_("The training cases are synthetic, so the thyroids are not representative of patients."))
    else:
        limits.append(_("The training cases are automatic segmentations, whose errors are learnt as well."))
    if description.lengths:
        limits.append(_("Its lengths are not in millimetres, because the scale of its training cases is unknown."))
    if not description.held_out:
        limits.append(_("No case was held out, so the quality on unseen thyroids was not measured."))
    return CardSection(_("Limits"), " ".join([*limits, description.notice]))


def _licence(description: ModelDescription, _: Translate) -> CardSection:
    unknown = _("Not stated in the file. Ask the authors of the model; the licences of the training data apply.")
    return CardSection(_("Licence"), description.licence or unknown)


def _range_text(name: str, low: float, high: float, _: Translate) -> str:
    digits, unit = {"volume_ml": (1, " mL"), "isthmus_area_mm2": (0, " mm²"), "symmetry": (2, "")}[name]
    return _("{low} to {high}").format(low=f"{low:.{digits}f}", high=f"{high:.{digits}f}") + unit
