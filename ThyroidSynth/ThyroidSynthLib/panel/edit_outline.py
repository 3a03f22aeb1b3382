"""The patient's own thyroid as an outline beside its edit, in place of its segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from ..scene.ghost import ghost_in, is_ghosted, remove_ghost, set_ghost_visible, show_ghost

if TYPE_CHECKING:
    from .patient_edit import PatientEdit


class OriginalOutline:
    """Shows the original of an edit while that edit is in memory."""

    def __init__(self) -> None:
        self._shown: PatientEdit | None = None

    def follow(self, edit: PatientEdit | None, segmentation, segmentID: str, visible: bool) -> bool:
        """Show the original of an edit, or none.

        Parameters
        ----------
        segmentation : vtkMRMLSegmentationNode or None
            The patient's.
        segmentID : str
            The thyroid in it.
        visible : bool
            Whether the user wants to see it.

        Returns
        -------
        bool
            Whether the patient's own segment is to be shown, or hidden, from now on.
        """
        before = segmentation is not None and is_ghosted(segmentation, segmentID)
        scene = slicer.mrmlScene
        if edit is None:
            remove_ghost(scene)
        else:
            if edit is not self._shown or ghost_in(scene) is None:
                surface = edit.original.surface
                moved = surface.moved(edit.placement.to_ras(surface.vertices))
                show_ghost(scene, moved, segmentation, segmentID)
            set_ghost_visible(scene, visible)
        self._shown = edit
        return before != (segmentation is not None and is_ghosted(segmentation, segmentID))

    def remove(self) -> None:
        """Take the outline away."""
        self._shown = None
        remove_ghost(slicer.mrmlScene)
