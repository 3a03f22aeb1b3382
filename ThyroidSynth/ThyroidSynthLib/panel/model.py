"""Section "Shape model": which model thyroids are drawn from, and what the user must know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ..anatomy.features import FEATURE_NAMES
from ..errors import ThyroidSynthError
from ..learning.description import describe_model
from .parameters import Variant, isSet
from .section import Section
from .wording import featureText

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..learning.description import ModelDescription


class ModelSection(Section):
    """Describes the chosen model file; that needs no PyTorch.

    Attributes
    ----------
    onDescribed : callable
        Called with the `ModelDescription` when another model is chosen, or None when there is none.
    """

    uiFile = "Model.ui"

    def connect(self) -> None:
        """Connect the section's own widgets."""
        self.onDescribed: Callable[[ModelDescription | None], None] = lambda description: None
        self._described: tuple[Path, int] | None = None

    def release(self) -> None:
        """Let go of the scene and of the parameters."""
        self._described = None

    def refresh(self) -> None:
        """Show the parameters, which have changed."""
        path = self.parameters.model
        if not isSet(path) and self.ui.modelPathEdit.currentPath == ".":
            self.ui.modelPathEdit.currentPath = ""
        key = (path, path.stat().st_mtime_ns if path.is_file() else 0)
        if key == self._described:
            return
        self._described = key
        if not isSet(path):
            self._show(None, _("No model chosen. Choose a model file, or train a model below."))
            return
        try:
            description = describe_model(path)
        except ThyroidSynthError as error:
            # The path may be half typed: said here, not in a dialog.
            self._show(None, str(error))
            return
        self._show(description, modelText(description))

    def _show(self, description: ModelDescription | None, text: str) -> None:
        self.ui.modelInfoLabel.text = text
        self.onDescribed(description)


def modelText(description: ModelDescription) -> str:
    """Give what a user must know of a model."""
    ranges = {name: description.feature_range(name) for name in FEATURE_NAMES}
    names = {"volume_ml": _("Volume"), "isthmus_area_mm2": _("Isthmus area"), "symmetry": _("Symmetry")}
    lines = []
    if description.synthetic:
        lines.append(_("SYNTHETIC COHORT: software input, not anatomy."))
    lines.append(
        _("{cases} training cases{cohort}, {variant}, {epochs} epochs.").format(
            cases=description.cases,
            cohort=f" ({description.cohort})" if description.cohort else "",
            variant=Variant(description.variant).label(),
            epochs=description.epochs,
        )
    )
    lines += [
        _("{name}: {low} to {high}").format(name=names[name], low=featureText(name, low), high=featureText(name, high))
        for name, (low, high) in ranges.items()
    ]
    lines.append(_("Research software. Not for clinical use."))
    return "\n".join(lines)
