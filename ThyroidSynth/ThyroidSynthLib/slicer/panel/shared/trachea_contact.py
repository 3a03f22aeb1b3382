"""The contact with the patient's trachea, out of which thyroids are steered."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.slicer.scene.patient.patients import scan_grid
from ThyroidSynthLib.slicer.scene.volumes import volume_of_segment

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.steer.contact import Contact
    from ThyroidSynthLib.geometry.frame import Placement
    from ThyroidSynthLib.model.trained_model import TrainedModel
    from ThyroidSynthLib.slicer.panel.shared.session import Session


class TracheaContact:
    """Computes the contact, and keeps it while trachea, placement and model stay the same."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._key: tuple[str, bytes, str] | None = None
        self._contact: Contact | None = None

    def at(self, placement: Placement, model: TrainedModel) -> Contact | None:
        """Return the contact for thyroids of a model in a trachea frame; None without a trachea at the thyroids."""
        from ThyroidSynthLib.generation.steer.contact import Contact

        parameters = self._session.parameters
        if parameters.segmentation is None or not parameters.tracheaSegmentID:
            return None
        try:
            trachea = volume_of_segment(parameters.segmentation, parameters.tracheaSegmentID)
        except InputError:
            return None
        voxels = sha256(trachea.array.tobytes() + trachea.ijk_to_ras.tobytes()).hexdigest()
        key = voxels, placement.trachea_to_ras.tobytes(), model.checksum
        if key != self._key:
            scan = scan_grid(parameters.segmentation, parameters.ct)
            self._contact = Contact.at(trachea, placement, model.frame, scan=scan)
            self._key = key
        return self._contact
