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


class CohortTargets(enum.Enum):
    """What the thyroids of a cohort are asked for."""

    FREE = "free"
    MARGINALS = "marginals"
    TABLE = "table"
    FIXED = "fixed"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            CohortTargets.FREE: _("Like the training cohort"),
            CohortTargets.MARGINALS: _("Distributions of your own"),
            CohortTargets.TABLE: _("From a table"),
            CohortTargets.FIXED: _("As ticked in Generate"),
        }[self]


class Spread(enum.Enum):
    """How a feature of a cohort is to be distributed; the values are those of `synthesis.marginals.KINDS`."""

    COHORT = "cohort"
    NORMAL = "normal"
    LOGNORMAL = "lognormal"
    UNIFORM = "uniform"
    FIXED = "fixed"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            Spread.COHORT: _("as in the cohort"),
            Spread.NORMAL: _("normal"),
            Spread.LOGNORMAL: _("log-normal"),
            Spread.UNIFORM: _("uniform"),
            Spread.FIXED: _("one value"),
        }[self]


class CohortOverlap(enum.Enum):
    """What is done about a cohort's overlap with the trachea."""

    IGNORE = "ignore"
    REPORT = "report"
    REMOVE = "remove"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            CohortOverlap.IGNORE: _("Overlap is not looked at"),
            CohortOverlap.REPORT: _("Measure the overlap"),
            CohortOverlap.REMOVE: _("Carve the overlap away"),
        }[self]
