"""Choices offered in the panel's combo boxes, each with the text shown to the user."""

from __future__ import annotations

import enum

from slicer.i18n import tr as _


class Choice(enum.Enum):
    """A choice with a value for the library and a label for the user, declared in this order.

    Slicer stores a choice in the scene by its member's name, and fills combo boxes with its `label`.
    """

    _text: str

    def __new__(cls, value: object, text: str) -> Choice:
        """Make a member with a value and a label."""
        member = object.__new__(cls)
        member._value_, member._text = value, text
        return member

    def label(self) -> str:
        """Return the text shown to the user."""
        return self._text


class ClassMap(Choice):
    """The task whose label numbers a multi-label file without names uses."""

    NAMED = None, _("named in the file")
    TOTAL_V2 = "total-v2", _("TotalSegmentator v2, task total")
    TOTAL_V1 = "total-v1", _("TotalSegmentator v1, without thyroid")


class SurfaceDetail(Choice):
    """Resolution of a surface except while a slider is dragged: points along each axis of the grid."""

    STANDARD = 64, _("Standard (64³)")
    FINE = 128, _("Fine (128³)")
    FINEST = 256, _("Finest (256³)")


class ExportWhat(Choice):
    """Which thyroids of the scene are exported."""

    CURRENT = "current", _("Current thyroid")
    ALL = "all", _("All in the scene")
    CHOSEN = "chosen", _("Selected thyroids")


class LabelFormat(Choice):
    """Formats of label maps: those of `imaging.label_map_files.LABEL_FORMATS` that are one file of any structures."""

    NIFTI_PACKED = "nii.gz", _("NIfTI (.nii.gz)")
    NIFTI = "nii", _("NIfTI (.nii)")
    NRRD = "nrrd", _("NRRD (.nrrd)")
    META_IMAGE = "mha", _("MetaImage (.mha)")


class LabelGridChoice(Choice):
    """The grid of label maps."""

    CT = "ct", _("on the CT's grid")
    OWN = "own", _("own grid")


class MeshSpace(Choice):
    """Axes of surfaces: the values of `imaging.mesh_files.SPACES`."""

    LPS = "LPS", _("in LPS")
    RAS = "RAS", _("in RAS")


class MergeOverlaps(Choice):
    """What is kept where the new thyroid overlaps another structure."""

    KEEP = "keep", _("Keep the other structures")
    OVERWRITE = "overwrite", _("Overwrite them")


class CohortTargets(Choice):
    """Where the targets of a generated cohort come from."""

    FREE = "free", _("Like the training cohort")
    MARGINALS = "marginals", _("Custom distributions")
    TABLE = "table", _("From a table")
    FIXED = "fixed", _("Targets ticked in Generate")


class Spread(Choice):
    """The distribution of a feature in a generated cohort: the values of `generation.cohort.marginals.KINDS`."""

    COHORT = "cohort", _("as in the cohort")
    NORMAL = "normal", _("normal")
    LOGNORMAL = "lognormal", _("log-normal")
    UNIFORM = "uniform", _("uniform")
    FIXED = "fixed", _("one value")


class CohortOverlap(Choice):
    """How the thyroids of a generated cohort lie on the trachea."""

    IGNORE = "ignore", _("Allow overlap")
    REPORT = "report", _("Keep out of the trachea")
    REMOVE = "remove", _("Keep out, and remove what is left")


class PhantomGland(Choice):
    """The thyroid of a phantom."""

    CURRENT = "current", _("Current thyroid")
    OWN = "own", _("Patient's own thyroid")
    NEW = "new", _("New, targets of Create")


class PhantomNodules(Choice):
    """Where the nodules of a phantom are."""

    NONE = "none", _("None")
    POINTS = "points", _("At points")
    RANDOM = "random", _("At random")


class NoduleComposition(Choice):
    """Composition of a nodule: the values of `export.nodules.COMPOSITIONS`."""

    SOLID = "solid", _("solid")
    MIXED = "mixed", _("mixed")
    CYSTIC = "cystic", _("cystic")


class Simulator(Choice):
    """Programs for which the input files of a phantom are written: the keys of `export.simulators.SIMULATORS`."""

    NONE = "none", _("None")
    XCIST = "xcist", _("XCIST (X-ray, CT)")
    GATE = "gate", _("GATE (particles)")
    MCX = "mcx", _("MCX (light)")
    KWAVE = "kwave", _("k-Wave (ultrasound)")
    JWAVE = "jwave", _("j-Wave (ultrasound)")
    SIMPA = "simpa", _("SIMPA (photoacoustics)")


class ChartKind(Choice):
    """What a chart shows of the thyroids: a feature with the training cohort, or with its targets."""

    VOLUME = "volume", _("Volume in the cohort")
    ISTHMUS_AREA = "isthmus area", _("Isthmus area in the cohort")
    SYMMETRY = "symmetry", _("Symmetry in the cohort")
    VOLUME_MET = "volume met", _("Volume: target and measured")
    ISTHMUS_AREA_MET = "isthmus area met", _("Isthmus area: target and measured")
    SYMMETRY_MET = "symmetry met", _("Symmetry: target and measured")


class StudyScope(Choice):
    """Where the synthetic shapes of a reader study come from."""

    ALL = "all", _("all thyroids in the table")
    SELECTED = "selected", _("those selected in the table")
    FOLDER = "folder", _("a generated cohort")


class StudyShown(Choice):
    """How the shapes of a reader study are shown."""

    ALONE = "alone", _("alone")
    OVER_CT = "over CT", _("over the CT without the patient's thyroid")


class Variant(Choice):
    """Variants of the shape model."""

    FIXED = "fixed", _("Fixed features")
    CORRELATION = "correlation", _("Fixed features, decorrelated")
    BASELINE = "baseline", _("Baseline (no steering)")


class Preset(Choice):
    """Presets of a training: the names of `model.presets.PRESETS`."""

    BEST = "best", _("Best")
    FAST = "fast", _("Fast")
    PAPER = "paper", _("As published")


class Device(Choice):
    """Where to train."""

    AUTO = "auto", _("Automatic")
    CPU = "cpu", _("CPU")
    CUDA = "cuda", _("GPU (CUDA)")
