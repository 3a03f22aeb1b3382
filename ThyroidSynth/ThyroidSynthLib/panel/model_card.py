"""What a user must know of a shape model, in a few lines and as a card."""

from __future__ import annotations

from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from ..anatomy.features import FEATURE_NAMES
from .parameters import Variant
from .wording import featureText

if TYPE_CHECKING:
    from ..learning.description import ModelDescription
    from ..learning.shelf import ShelvedModel


def modelText(description: ModelDescription) -> str:
    """Give what a user must know of a model before drawing from it."""
    lines = []
    if description.synthetic:
        lines.append(_("SYNTHETIC COHORT: software input, not anatomy."))
    lines.append(
        _("{cases} training cases{cohort}, {variant}, {epochs} epochs.").format(
            cases=description.cases,
            cohort=f" ({description.cohort})" if description.cohort else "",
            variant=_variantText(description),
            epochs=description.epochs,
        )
    )
    lines.append(" · ".join(f"{name}: {values}" for name, values in _ranges(description)))
    lines.append(_("Research software. Not for clinical use."))
    return "\n".join(lines)


def shelfText(model: ShelvedModel, *, isDefault: bool) -> str:
    """Give a model's lines in the list of the shelf: name, origin and ranges."""
    name = model.name
    if model.shipped:
        name += " " + _("(ships with the module)")
    if isDefault:
        name += " " + _("– default")
    description = model.description
    if description is None:
        return name + "\n" + _("cannot be read as a model")
    about = [
        _("{cases} cases of {cohort}").format(
            cases=description.cases, cohort=description.cohort or _("unknown origin")
        ),
        dateText(description.modified),
        sizeText(description.size_bytes),
        description.licence or _("no licence stated"),
    ]
    ranges = " · ".join(values for _name, values in _ranges(description))
    return "\n".join([name, " · ".join(about), ranges])


def cardHtml(description: ModelDescription, evaluation: dict[str, Any] | None) -> str:
    """Give the model card: what it was trained on, what it can do, and how well where that was measured.

    Parameters
    ----------
    evaluation : dict, optional
        What `thyroidsynth evaluate` wrote of this very model.
    """
    parts = [f"<p><b>{escape(description.path.stem)}</b></p>"]
    if description.synthetic:
        warning = description.statement or _("Synthetic cohort: software input, not anatomy.")
        # Its own colours, so that it reads the same on light and on dark.
        parts.append(
            '<table width="100%" cellpadding="6"><tr><td bgcolor="#f5c542"><font color="#1c1c1c"><b>'
            f"{escape(warning)}</b></font></td></tr></table>"
        )
    rows = [
        (
            _("Trained on"),
            _("{cases} cases of {cohort}").format(
                cases=description.cases, cohort=description.cohort or _("unknown origin")
            ),
        ),
        *_ranges(description),
        (_("Variant"), _variantText(description)),
        (
            _("Training"),
            _("{epochs} epochs, preset {preset}, {size} latent dimensions, seed {seed}").format(
                epochs=description.epochs, preset=description.preset, size=description.code_size, seed=description.seed
            ),
        ),
        (_("Alignment"), description.alignment),
        (_("Software"), ", ".join(f"{name} {version}" for name, version in description.software.items())),
        (_("File"), f"{dateText(description.modified)}, {sizeText(description.size_bytes)}"),
        (_("Licence"), description.licence or _("not stated in the file")),
    ]
    parts.append(_table(rows))
    parts.append(_figures(evaluation))
    parts.append(f"<p><b>{escape(description.notice or _('Research software. Not for clinical use.'))}</b></p>")
    return "".join(parts)


def dateText(seconds: float) -> str:
    """Give a point in time, in seconds since 1970, as a day."""
    return date.fromtimestamp(seconds).isoformat()


def sizeText(size: int) -> str:
    """Give a file's size."""
    return _("{n} MB").format(n=f"{size / 1e6:.1f}") if size >= 1e5 else _("{n} kB").format(n=f"{size / 1e3:.0f}")


def _ranges(description: ModelDescription) -> list[tuple[str, str]]:
    names = {"volume_ml": _("Volume"), "isthmus_area_mm2": _("Isthmus area"), "symmetry": _("Symmetry")}
    found = []
    for name in FEATURE_NAMES:
        low, high = description.feature_range(name)
        values = _("{low} to {high}").format(low=featureText(name, low), high=featureText(name, high))
        found.append((names[name], values))
    return found


def _variantText(description: ModelDescription) -> str:
    # A model of a variant this version does not know is named as its file does.
    known = {variant.value: variant.label() for variant in Variant}
    return known.get(description.variant, description.variant)


def _figures(evaluation: dict[str, Any] | None) -> str:
    if evaluation is None:
        return "<p>" + escape(_("Not evaluated yet: thyroidsynth evaluate measures how well it does.")) + "</p>"
    try:
        return _table(_reconstruction(evaluation)) + _steering(evaluation["steering"])
    except (KeyError, TypeError, ValueError):
        return "<p>" + escape(_("Its evaluation was written by another version and cannot be shown.")) + "</p>"


def _reconstruction(evaluation: dict[str, Any]) -> list[tuple[str, str]]:
    found, validity = evaluation["reconstruction"], evaluation["validity"]
    rows = [(_("Reconstruction"), _("{n} training cases").format(n=found["cases"]))]
    for key, name in (("chamfer_mm", "Chamfer"), ("assd_mm", "ASSD"), ("hd95_mm", "HD95")):
        rows.append((name, f"{found[key]['mean']:.2f} ± {found[key]['sd']:.2f} mm"))
    rows.append(("Dice", f"{found['dice']['mean']:.3f} ± {found['dice']['sd']:.3f}"))
    rows.append((_("Valid surfaces"), f"{validity['valid']} / {validity['thyroids']}"))
    return rows


def _steering(steering: dict[str, Any]) -> str:
    """Give asked against measured: one-shot, which the publication reports, and to target apart from it."""
    names = {"volume_ml": _("volume"), "isthmus_area_mm2": _("isthmus"), "symmetry": _("symmetry")}
    labels = {"one_shot": _("Steering one-shot"), "to_target": _("Steering to target")}
    rows = []
    for key, label in labels.items():
        found = steering[key]
        if found:
            values = ", ".join(f"{names[name]} {found[name]['pcc']:.3f}" for name in FEATURE_NAMES)
            rows.append((label, _("correlation {values}").format(values=values)))
    return _table(rows)


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><td valign="top"><b>{escape(name)}</b>&nbsp;&nbsp;</td><td>{escape(text)}</td></tr>'
        for name, text in rows
        if text
    )
    return f'<table cellpadding="1">{cells}</table>'
