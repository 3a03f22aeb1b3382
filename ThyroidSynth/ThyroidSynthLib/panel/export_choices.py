"""What a user chooses of an export: which thyroids, which files, and how a cohort is made."""

from __future__ import annotations

import enum

from slicer.i18n import tr as _


class ExportWhat(enum.Enum):
    """Which thyroids of the scene are written."""

    CURRENT = "current"
    ALL = "all"
    CHOSEN = "chosen"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            ExportWhat.CURRENT: _("The current one"),
            ExportWhat.ALL: _("All in the scene"),
            ExportWhat.CHOSEN: _("Those ticked below"),
        }[self]


class LabelFormat(enum.Enum):
    """Formats of label maps; the values are those of `synthesis.export.LABEL_FORMATS`."""

    NIFTI_PACKED = "nii.gz"
    NIFTI = "nii"
    NRRD = "nrrd"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            LabelFormat.NIFTI_PACKED: _("NIfTI (.nii.gz)"),
            LabelFormat.NIFTI: _("NIfTI (.nii)"),
            LabelFormat.NRRD: _("NRRD (.nrrd)"),
        }[self]


class LabelGridChoice(enum.Enum):
    """Whose voxels label maps have."""

    CT = "ct"
    OWN = "own"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {LabelGridChoice.CT: _("on the CT's grid"), LabelGridChoice.OWN: _("own grid")}[self]


class MeshSpace(enum.Enum):
    """Axes of surfaces; the values are those of `synthesis.mesh_files.SPACES`."""

    LPS = "LPS"
    RAS = "RAS"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {MeshSpace.LPS: _("in LPS"), MeshSpace.RAS: _("in RAS")}[self]


class MergeOverlaps(enum.Enum):
    """What counts where the new thyroid overlaps with another structure."""

    KEEP = "keep"
    OVERWRITE = "overwrite"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            MergeOverlaps.KEEP: _("Keep the other structures"),
            MergeOverlaps.OVERWRITE: _("Overwrite them"),
        }[self]


class CohortWishes(enum.Enum):
    """What the thyroids of a cohort are asked for."""

    FREE = "free"
    FIXED = "fixed"
    TABLE = "table"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            CohortWishes.FREE: _("Drawn as in the cohort"),
            CohortWishes.FIXED: _("As ticked in Generate"),
            CohortWishes.TABLE: _("From a table"),
        }[self]


class CohortOverlap(enum.Enum):
    """What is done about a cohort's overlap with the trachea."""

    IGNORE = "ignore"
    REPORT = "report"
    CARVE = "carve"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            CohortOverlap.IGNORE: _("Overlap is not looked at"),
            CohortOverlap.REPORT: _("Measure the overlap"),
            CohortOverlap.CARVE: _("Carve the overlap away"),
        }[self]
