"""Draw the organs that belong to a generated thyroid at the patient, and keep those that the patient has."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.imaging.labels import TRACHEA
from ThyroidSynthLib.slicer.scene.patient.patients import mask_in_patient_scan, scan_grid
from ThyroidSynthLib.slicer.scene.volumes import volume_of_segment

if TYPE_CHECKING:
    from ThyroidSynthLib.generation.organs.organ_set import OrganMaker
    from ThyroidSynthLib.geometry.frame import Placement
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.imaging.masks import Mask
    from ThyroidSynthLib.model.trained_model import TrainedModel
    from ThyroidSynthLib.slicer.panel.shared.session import Session
    from ThyroidSynthLib.slicer.scene.thyroids.records import ThyroidRecord


class NeighbouringOrgans:
    """Draws organs, and keeps what they depend on while patient, placement and model stay the same."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._key: tuple | None = None
        self._maker: OrganMaker | None = None

    def around(self, record: ThyroidRecord, surface: Surface, model: TrainedModel) -> dict[str, Surface]:
        """Return the surfaces of the organs around a thyroid by name, it and they in `trachea_mm`.

        The trachea and organs that are segmented in the patient are not drawn, and the others do not overlap with
        them. None are drawn with a model of thyroids only, or around an open thyroid.
        """
        if not model.organs or not surface.is_closed():
            return {}
        maker = self._makerFor(record.placement, model)
        drawn = maker.draw(np.array(record.code, dtype=np.float32), surface, seed=record.seed, index=0)
        return {name: each.organ.surface for name, each in drawn.items()}

    def _makerFor(self, placement: Placement, model: TrainedModel) -> OrganMaker:
        from ThyroidSynthLib.generation.organs.organ_set import OrganMaker
        from ThyroidSynthLib.generation.organs.own_organs import own_organs_of

        masks = self._ownMasks(model)
        digest = sha256()
        for name, mask in masks.items():
            digest.update(name.encode() + mask.volume.array.tobytes() + mask.volume.ijk_to_ras.tobytes())
        key = digest.digest(), placement.trachea_to_ras.tobytes(), model.checksum
        if self._maker is None or key != self._key:
            self._maker = OrganMaker(model, own_organs_of(model, masks, placement))
            self._key = key
        return self._maker

    def _ownMasks(self, model: TrainedModel) -> dict[str, Mask]:
        """Return the masks of the trachea and of those organs of the model that the patient has."""
        from ThyroidSynthLib.dataset.organs.reading import organ_called

        parameters = self._session.parameters
        segmentation = parameters.segmentation
        if segmentation is None:
            return {}
        content = segmentation.GetSegmentation()
        segments = {TRACHEA.name: parameters.tracheaSegmentID} if parameters.tracheaSegmentID else {}
        for segmentID in content.GetSegmentIDs():
            name = organ_called(content.GetSegment(segmentID).GetName(), tuple(model.organs))
            if name is not None and segmentID != parameters.thyroidSegmentID:
                segments.setdefault(name, segmentID)
        scan = scan_grid(segmentation, parameters.ct)
        masks = {}
        for name, segmentID in segments.items():
            try:
                masks[name] = mask_in_patient_scan(volume_of_segment(segmentation, segmentID), scan)
            except InputError:
                # Without a voxel the patient does not have it.
                continue
        return masks
