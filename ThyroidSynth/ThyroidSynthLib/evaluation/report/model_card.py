"""The model card: what a user must know of a model, under the headings model cards usually have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ThyroidSynthLib.evaluation.metrics.headline import MEASURES, Measure
from ThyroidSynthLib.geometry.features import FEATURE_NAMES

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription

# The few figures of an evaluation that say how good a model is.
_FIGURES = (
    "training_dice",
    "training_assd_mm",
    "held_out_dice",
    "held_out_assd_mm",
    *(f"direct_sampling_pcc_{name}" for name in FEATURE_NAMES),
    "independent_within",
    "cross_talk_of_steering",
    *(f"ks_{name}" for name in FEATURE_NAMES),
    "memorisation_p",
    "valid_share",
)

Translate = Callable[[str], str]


@dataclass(frozen=True)
class CardSection:
    """A section of a card.

    Attributes
    ----------
    heading, text : str
        Plain text; either may hold what a model file says of itself.
    rows : tuple of (str, str)
        Names and values.
    """

    heading: str
    text: str = ""
    rows: tuple[tuple[str, str], ...] = ()


def model_card(
    description: ModelDescription, evaluation: Mapping[str, Any] | None, translate: Translate = str
) -> tuple[CardSection, ...]:
    """Write the card of a model.

    Parameters
    ----------
    evaluation : dict, optional
        What `thyroidsynth evaluate` wrote of this very model.
    translate : callable
        Puts a text into the user's language.
    """
    return (
        _intended_use(description, translate),
        _training_data(description, translate),
        _training(description, translate),
        _evaluation(evaluation, translate),
        _limits(description, translate),
        _licence(description, translate),
    )


def card_figures(evaluation: Mapping[str, Any]) -> list[tuple[Measure, float]]:
    """Take the headline figures out of an evaluation: those that were measured, in their usual order."""
    values = ((measure, measure.of(evaluation)) for measure in MEASURES if measure.key in _FIGURES)
    return [(measure, value) for measure, value in values if value is not None]


def card_text(sections: tuple[CardSection, ...]) -> str:
    """Lay a card out as Markdown."""
    parts = []
    for section in sections:
        lines = [f"## {section.heading}", *([section.text] if section.text else [])]
        rows = [f"- {name}: {value}" for name, value in section.rows if value]
        parts.append("\n\n".join([*lines, *(["\n".join(rows)] if rows else [])]))
    return "\n\n".join(parts)


def _intended_use(description: ModelDescription, _: Translate) -> CardSection:
    purpose = _(
        "Makes surfaces of thyroids that fit a trachea, for research: simulation, trying out software, teaching."
    )
    if description.steerable:
        means = _("They can be asked for by volume, isthmus area and symmetry.")
    else:
        means = _("They cannot be asked for by their features.")
    return CardSection(_("Intended use"), f"{purpose} {means}")


def _training_data(description: ModelDescription, _: Translate) -> CardSection:
    cases = _("{cases} cases of {cohort}").format(
        cases=description.cases, cohort=description.cohort or _("unknown origin")
    )
    held_out = _("{n} more cases, which it has not seen").format(n=description.held_out)
    names = {"volume_ml": _("Volume"), "isthmus_area_mm2": _("Isthmus area"), "symmetry": _("Symmetry")}
    ranges = [(names[name], _range_text(name, *description.feature_range(name), _)) for name in FEATURE_NAMES]
    alignment = {
        "upright": _("upright on the trachea's axis at the gland's level"),
        "trachea": _("centred on the trachea's centre of mass, as published"),
    }
    rows = [
        (_("Trained on"), cases),
        (_("Held out"), held_out if description.held_out else ""),
        *ranges,
        (_("Alignment"), alignment.get(description.alignment, description.alignment)),
    ]
    return CardSection(_("Training data"), description.statement, tuple(rows))


def _training(description: ModelDescription, _: Translate) -> CardSection:
    variants = {
        "baseline": _("baseline: knows no features"),
        "fixed": _("fixed: volume, isthmus area and symmetry are part of the code"),
        "correlation": _("correlation: as fixed, the rest of the code kept free of the features"),
    }
    how = _("{epochs} epochs, preset {preset}, {size} latent dimensions, seed {seed}").format(
        epochs=description.epochs, preset=description.preset, size=description.latent_size, seed=description.seed
    )
    software = ", ".join(f"{name} {version}" for name, version in description.software.items())
    rows = (
        # One of a variant this version does not know is named as its file does.
        (_("Variant"), variants.get(description.variant, description.variant)),
        (_("Training"), how),
        (_("Software"), software),
    )
    return CardSection(_("Training"), rows=rows)


def _evaluation(evaluation: Mapping[str, Any] | None, _: Translate) -> CardSection:
    heading = _("Evaluation")
    if evaluation is None:
        return CardSection(heading, _("Not evaluated yet: thyroidsynth evaluate measures how well it does."))
    found = card_figures(evaluation)
    if not found:
        return CardSection(heading, _("Its evaluation was written by another version and cannot be shown."))
    rows = []
    for group, figures in groupby(found, lambda figure: figure[0].group):
        rows.append((group, ", ".join(_figure_text(measure, value) for measure, value in figures)))
    return CardSection(heading, rows=tuple(rows))


def _limits(description: ModelDescription, _: Translate) -> CardSection:
    said = [
        _("It knows the outer surface of the gland only: neither nodules nor tissue."),
        _("What its cases do not show it does not know; beyond the ranges above it guesses."),
    ]
    if description.synthetic:
        said.append(_("Its cases are synthetic, so its thyroids say nothing about patients."))
    else:
        said.append(_("Its cases are segmentations, and what is wrong in them is learnt as well."))
    if not description.held_out:
        said.append(
            _("No case of its cohort was held out, so nothing there tells how it does on thyroids it has not seen.")
        )
    return CardSection(_("Limits"), " ".join([*said, description.notice]))


def _licence(description: ModelDescription, _: Translate) -> CardSection:
    unsaid = _("Not stated in the file. Ask whoever trained it; the licences of the training data hold for it.")
    return CardSection(_("Licence"), description.licence or unsaid)


def _figure_text(measure: Measure, value: float) -> str:
    unit = f" {measure.unit}" if measure.unit not in ("", "%") else ""
    return f"{measure.label} {measure.text(value)}{unit}"


def _range_text(name: str, low: float, high: float, _: Translate) -> str:
    digits, unit = {"volume_ml": (1, " mL"), "isthmus_area_mm2": (0, " mm²"), "symmetry": (2, "")}[name]
    return _("{low} to {high}").format(low=f"{low:.{digits}f}", high=f"{high:.{digits}f}") + unit
