"""Texts about a shape model: a summary, an entry of the model library, and the model card."""

from __future__ import annotations

from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ThyroidSynthLib.evaluation.report.model_card import model_card
from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.shared.choices import Variant
from ThyroidSynthLib.slicer.panel.shared.wording import featureText, featureTitle

if TYPE_CHECKING:
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.model.library import LibraryModel


def modelText(description: ModelDescription) -> str:
    """Return a summary of a model."""
    # A variant that this version does not know has the name in its file.
    variants = {variant.value: variant.label() for variant in Variant}
    lines = []
    if description.synthetic:
        lines.append(_("SYNTHETIC COHORT: software input, not anatomy."))
    lines.append(
        _("{cases} training cases{cohort}, {variant}, {epochs} epochs.").format(
            cases=description.cases,
            cohort=f" ({description.cohort})" if description.cohort else "",
            variant=variants.get(description.variant, description.variant),
            epochs=description.epochs,
        )
    )
    lines.append(" · ".join(f"{name}: {values}" for name, values in _ranges(description)))
    lines.append(_("Research software. Not for clinical use."))
    return "\n".join(lines)


def libraryText(model: LibraryModel, *, isDefault: bool) -> str:
    """Return a model's entry in the model library: name, origin and ranges of features."""
    name = model.name
    if model.shipped:
        name += " " + _("(ships with the module)")
    if isDefault:
        name += " " + _("– default")
    description = model.description
    if description is None:
        return name + "\n" + _("cannot be read as a model")
    origin = [
        _("{cases} cases of {cohort}").format(
            cases=description.cases, cohort=description.cohort or _("unknown origin")
        ),
        dateText(description.modified),
        sizeText(description.size_bytes),
        description.licence or _("no licence stated"),
    ]
    ranges = " · ".join(values for _name, values in _ranges(description))
    return "\n".join([name, " · ".join(origin), ranges])


def cardHtml(description: ModelDescription, evaluation: dict[str, Any] | None) -> str:
    """Return the model card as HTML; `evaluation` is what `thyroidsynth evaluate` wrote for this model."""
    parts = [f"<p><b>{escape(description.path.stem)}</b></p>"]
    if description.synthetic:
        warning = description.statement or _("Synthetic cohort: software input, not anatomy.")
        # Text and background colour are both set, so that it is legible in any theme.
        parts.append(
            '<table width="100%" cellpadding="6"><tr><td bgcolor="#f5c542"><font color="#1c1c1c"><b>'
            f"{escape(warning)}</b></font></td></tr></table>"
        )
    for section in model_card(description, evaluation, _):
        parts.append(f"<h4>{escape(section.heading)}</h4>")
        if section.text and section.text != description.statement:
            parts.append(f"<p>{escape(section.text)}</p>")
        parts.append(_table(section.rows))
    file = f"{dateText(description.modified)}, {sizeText(description.size_bytes)}"
    parts.append(_table(((_("File"), file),)))
    return "".join(parts)


def dateText(seconds: float) -> str:
    """Return the date of a time in seconds since 1970."""
    return date.fromtimestamp(seconds).isoformat()


def sizeText(size: int) -> str:
    """Return the size of a file as text."""
    return _("{n} MB").format(n=f"{size / 1e6:.1f}") if size >= 1e5 else _("{n} kB").format(n=f"{size / 1e3:.0f}")


def _ranges(description: ModelDescription) -> list[tuple[str, str]]:
    found = []
    for name in FEATURE_NAMES:
        low, high = (featureText(name, value) for value in description.feature_range(name))
        found.append((featureTitle(name), _("{low} to {high}").format(low=low, high=high)))
    return found


def _table(rows: tuple[tuple[str, str], ...]) -> str:
    cells = "".join(
        f'<tr><td valign="top"><b>{escape(name)}</b>&nbsp;&nbsp;</td><td>{escape(text)}</td></tr>'
        for name, text in rows
        if text
    )
    return f'<table cellpadding="1">{cells}</table>' if cells else ""
