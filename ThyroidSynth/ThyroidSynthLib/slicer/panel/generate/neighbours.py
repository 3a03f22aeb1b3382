"""The check box "Neighbouring organs": show the organs around the shown thyroid as further segments, or remove them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.panel.shared.readiness import enableOrExplain
from ThyroidSynthLib.slicer.scene.thyroids.present import SEGMENT_ID, is_edited_by_hand
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.thyroids.segmentations import organ_surfaces, show_organs
from ThyroidSynthLib.slicer.scene.volumes import surface_of_segment

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.frame import Placement
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.model.description import ModelDescription
    from ThyroidSynthLib.slicer.panel.shared.session import Session
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord

    from .generator import RecordedThyroid, ThyroidGenerator


class HasThyroid(Protocol):
    """The section "Generate"."""

    @property
    def pending(self) -> bool:
        """Whether the shown thyroid has yet to follow a slider."""

    def replaceable(self) -> Any:
        """Return the node of the chosen result if it may be replaced."""


class NeighbourControls:
    """Shows the organs around the thyroid of a section."""

    def __init__(self, session: Session, checkBox, generator: ThyroidGenerator, section: HasThyroid) -> None:
        self._session, self._checkBox, self._generator, self._section = session, checkBox, generator, section
        checkBox.connect("clicked(bool)", self._onClicked)

    def refresh(self, description: ModelDescription | None) -> None:
        """Enable the check box if the model has organs, or say why it is disabled."""
        if description is None:
            problem = _("No shape model is chosen.")
        elif not description.organs:
            problem = _("This model has the thyroid only. Train one on cases with other organs to draw them.")
        else:
            problem = ""
        enableOrExplain(self._checkBox, problem)

    def show(self, record: ThyroidRecord, organs: Mapping[str, Surface]) -> None:
        """Show organs, in `trachea_mm`, around the shown thyroid instead of those of before."""
        place = record.placement
        placed = {name: surface.moved(place.to_ras(surface.vertices)) for name, surface in organs.items()}
        show_organs(self._session.parameters.result, placed)

    def restore(self, record: ThyroidRecord, past: RecordedThyroid) -> None:
        """Show the organs of a thyroid that is restored."""
        chosen = self._session.parameters.neighbouringOrgans
        self.show(record, (past.organs or self._generator.organs(record, past.surface)) if chosen else {})

    def shown(self, record: ThyroidRecord) -> dict[str, Surface]:
        """Return the organs that are shown around the shown thyroid, in `trachea_mm`."""
        return organs_around(self._session.parameters.result, record.placement)

    def _onClicked(self, checked: bool = False) -> None:
        node = self._section.replaceable()
        record = read_record(node) if node is not None else None
        # A thyroid that follows a slider gets them when it rests.
        if record is None or self._section.pending or is_edited_by_hand(node):
            return
        if not checked:
            show_organs(node, {})
            self._session.showStatus(_("The neighbouring organs were removed."))
            return
        with self._session.work(_("Drawing the neighbouring organs")) as work:
            self._session.model()
            work.check()
            surface = surface_of_segment(node, SEGMENT_ID)
            local = surface.moved(record.placement.to_trachea(surface.vertices))
            organs = self._generator.organs(record, local)
            self.show(record, organs)
            self._session.showStatus(
                _("The neighbouring organs were drawn.")
                if organs
                else _("No organ was drawn: the patient has them all, or the thyroid is of another model.")
            )


def organs_around(node, placement: Placement) -> dict[str, Surface]:
    """Return the organs that are drawn around a thyroid by name, in `trachea_mm`."""
    return {name: each.moved(placement.to_trachea(each.vertices)) for name, each in organ_surfaces(node).items()}
