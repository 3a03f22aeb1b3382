"""The shapes of a new reader study, as the user has chosen them in its window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.dataset.cohort import Cohort
from ThyroidSynthLib.evaluation.reader_study.candidates import (
    REAL,
    SYNTHETIC,
    Candidate,
    candidates_of_cohort,
    candidates_of_generated_cohort,
)
from ThyroidSynthLib.evaluation.reader_study.infill import without_gland
from ThyroidSynthLib.geometry.volume import Volume
from ThyroidSynthLib.slicer.panel.shared.choices import StudyScope, StudyShown
from ThyroidSynthLib.slicer.panel.shared.parameters import isSet
from ThyroidSynthLib.slicer.scene.thyroids.present import thyroid_segment
from ThyroidSynthLib.slicer.scene.thyroids.records import read_record
from ThyroidSynthLib.slicer.scene.volumes import (
    grid_of_ct,
    placement_of_patient,
    surface_of_segment,
    volume_of_segment,
)

if TYPE_CHECKING:
    from ThyroidSynthLib.geometry.frame import Placement
    from ThyroidSynthLib.geometry.surface import Surface
    from ThyroidSynthLib.slicer.panel.shared.parameters import ThyroidSynthParameterNode


class StudySources:
    """Shapes, CT and placement of a new study.

    Parameters
    ----------
    thyroids : list of vtkMRMLSegmentationNode
        The module's thyroids that may be shown as synthetic shapes.
    alignment : str
        That of the shape model; a prepared cohort's own is used if there is one.

    Raises
    ------
    InputError, CohortError
        A choice cannot be used, or something is missing for it.
    """

    def __init__(self, parameters: ThyroidSynthParameterNode, thyroids: list, alignment: str) -> None:
        self._parameters = parameters
        if isSet(parameters.studyCohort):
            alignment = Cohort.open(parameters.studyCohort).frame.alignment
        overCt = parameters.studyShown is StudyShown.OVER_CT
        self.placement = self._placement(alignment) if overCt else None
        self.candidates = self._real(alignment) + self._synthetic(thyroids)
        self.ct = self._ctWithoutGland() if overCt else None

    @property
    def _hasPatient(self) -> bool:
        return self._parameters.segmentation is not None and bool(self._parameters.thyroidSegmentID)

    def _real(self, alignment: str) -> list[Candidate]:
        parameters = self._parameters
        found = candidates_of_cohort(parameters.studyCohort) if isSet(parameters.studyCohort) else []
        if parameters.studyControl and self._hasPatient:
            segmentation, segmentID = parameters.segmentation, parameters.thyroidSegmentID
            placement = self.placement
            if placement is None:
                try:
                    placement = self._placement(alignment)
                except InputError:
                    # Without a trachea, the thyroid cannot be measured but can be rated.
                    placement = None
            surface = surface_of_segment(segmentation, segmentID)
            found.append(_candidate(REAL, segmentation.GetName(), surface, placement, {"segment": segmentID}))
        if not found:
            raise InputError(
                _("Choose the folder of a prepared cohort with real thyroids, or include the patient's own thyroid.")
            )
        return found

    def _synthetic(self, thyroids: list) -> list[Candidate]:
        parameters = self._parameters
        if parameters.studyScope is StudyScope.FOLDER:
            if not isSet(parameters.studyGenerated):
                raise InputError(_("Choose the folder of the generated cohort."))
            return candidates_of_generated_cohort(parameters.studyGenerated)
        if not thyroids:
            if parameters.studyScope is StudyScope.SELECTED:
                raise InputError(_("No thyroid is selected in the table of the tab Compare. Select some there."))
            raise InputError(_("There are no generated thyroids yet. Generate some, or choose a generated cohort."))
        found = []
        for node in thyroids:
            record = read_record(node)
            surface = surface_of_segment(node, thyroid_segment(node))
            placement = self.placement or (record.placement if record is not None else None)
            source: dict[str, Any] = {}
            if record is not None:
                source = {"kind": record.kind, "model": record.model, "seed": record.seed}
            found.append(_candidate(SYNTHETIC, node.GetName(), surface, placement, source))
        return found

    def _placement(self, alignment: str) -> Placement:
        parameters = self._parameters
        if not self._hasPatient or not parameters.tracheaSegmentID:
            raise InputError(_("Load a patient with thyroid and trachea first, at whose trachea the shapes are shown."))
        return placement_of_patient(
            parameters.segmentation, parameters.tracheaSegmentID, parameters.thyroidSegmentID, alignment
        )

    def _ctWithoutGland(self) -> Volume:
        ct = self._parameters.ct
        if ct is None:
            raise InputError(_("Load the patient's CT first, or show the shapes alone."))
        volume = Volume(slicer.util.arrayFromVolume(ct), grid_of_ct(ct).ijk_to_ras)
        gland = volume_of_segment(self._parameters.segmentation, self._parameters.thyroidSegmentID)
        return without_gland(volume, gland, seed=self._parameters.studySeed)


def _candidate(
    kind: str, name: str, surface: Surface, placement: Placement | None, source: dict[str, Any]
) -> Candidate:
    """Return a shape of the scene, given in `ras_mm`."""
    if placement is None:
        return Candidate(kind, name, lambda: surface, source, measurable=False)
    inTrachea = surface.moved(placement.to_trachea(surface.vertices))
    return Candidate(kind, name, lambda: inTrachea, source)
