"""Every choice of the user, kept in the scene: a saved scene reopens as it was."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from ThyroidSynthLib.model.presets import PRESETS

from .export_choices import (
    CohortOverlap,
    CohortTargets,
    ExportWhat,
    LabelFormat,
    LabelGridChoice,
    MergeOverlaps,
    MeshSpace,
    Spread,
)

LARGEST_SEED = 2**31 - 1


class ClassMap(enum.Enum):
    """Whose label numbers a multi-label file without names holds."""

    NAMED = None
    TOTAL_V2 = "total-v2"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            ClassMap.NAMED: _("named in the file"),
            ClassMap.TOTAL_V2: _("TotalSegmentator v2, task total"),
        }[self]


class Variant(enum.Enum):
    """Variants of the shape model."""

    FIXED = "fixed"
    CORRELATION = "correlation"
    BASELINE = "baseline"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            Variant.FIXED: _("Fixed features"),
            Variant.CORRELATION: _("Fixed features, decorrelated"),
            Variant.BASELINE: _("Baseline (no steering)"),
        }[self]


class _PresetWithLabel(enum.Enum):
    """What the members of `Preset` can do."""

    def label(self) -> str:
        """Give the text shown to the user."""
        known = {"fast": _("Fast"), "best": _("Best"), "paper": _("As published")}
        return known.get(self.value, self.value.capitalize())


# Those of the library, whatever they are.
Preset = _PresetWithLabel("Preset", {name.upper(): name for name in PRESETS}, module=__name__)


class Device(enum.Enum):
    """Where to train."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {Device.AUTO: _("Automatic"), Device.CPU: _("CPU"), Device.CUDA: _("GPU (CUDA)")}[self]


class SurfaceDetail(enum.Enum):
    """How fine a surface is that is made at a click or at rest; the value is the grid's points along an axis."""

    STANDARD = 64
    FINE = 128
    FINEST = 256

    def label(self) -> str:
        """Give the text shown to the user."""
        names = {
            SurfaceDetail.STANDARD: _("Standard ({grid})"),
            SurfaceDetail.FINE: _("Fine ({grid})"),
            SurfaceDetail.FINEST: _("Finest ({grid})"),
        }
        return names[self].format(grid=f"{self.value}³")


class ChartKind(enum.Enum):
    """What a chart of the thyroids shows: a feature beside the cohort's, or as it was asked and measured."""

    VOLUME = "volume"
    ISTHMUS_AREA = "isthmus area"
    SYMMETRY = "symmetry"
    VOLUME_MET = "volume met"
    ISTHMUS_AREA_MET = "isthmus area met"
    SYMMETRY_MET = "symmetry met"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {
            ChartKind.VOLUME: _("Volume beside the cohort"),
            ChartKind.ISTHMUS_AREA: _("Isthmus area beside the cohort"),
            ChartKind.SYMMETRY: _("Symmetry beside the cohort"),
            ChartKind.VOLUME_MET: _("Volume, asked and measured"),
            ChartKind.ISTHMUS_AREA_MET: _("Isthmus area, asked and measured"),
            ChartKind.SYMMETRY_MET: _("Symmetry, asked and measured"),
        }[self]


class StudyScope(enum.Enum):
    """Which thyroids a reader study is of."""

    ALL = "all"
    SELECTED = "selected"

    def label(self) -> str:
        """Give the text shown to the user."""
        return {StudyScope.ALL: _("all in the table"), StudyScope.SELECTED: _("those selected in the table")}[self]


@parameterNodeWrapper
class ThyroidSynthParameterNode:
    """Choices of the user. An unset path is ``Path(".")``, as Slicer stores it.

    Attributes
    ----------
    source, classMap
        Where to load a case from, and whose label numbers it may have.
    ct, segmentation, thyroidSegmentID, tracheaSegmentID, showOwnThyroid
        The patient.
    model
        The model file.
    volumeMl, isthmusAreaMm2, symmetry, steerVolume, steerIsthmusArea, steerSymmetry
        Wishes, and which of them count.
    exact, livePreview
        Whether a drawn thyroid is changed until it measures what was asked, and whether it follows a slider
        while that is dragged.
    detail
        How fine a thyroid's surface is, except while a slider is dragged.
    seed, result
        Seed of the next thyroid, and the one it replaces (none: a new one).
    edited, holdVolume, holdIsthmusArea, holdSymmetry
        The thyroid that is being edited, and which features stay as they are while another is changed.
    exportWhat, exportFolder, exportLabels, labelFormat, labelGrid, spacingRMm, spacingAMm, spacingSMm
        Which thyroids are written where, and their label maps.
    exportPly, exportStl, exportObj, meshSpace
        Their surfaces.
    exportMerged, mergeLabels, mergeThyroidLabel, mergeOld, mergeOverlaps
        The patient's label map with the thyroid replaced: whether, from which map (none: the segmentation),
        which label the thyroid has in it (0: the one named so), name of the structure that the old thyroid
        becomes (empty: background), and what counts in overlaps.
    cohortFolder, cohortWishes, cohortTable, cohortCount, cohortSeed, cohortAtPatient, cohortOverlap
        The cohort made in the background; `cohortFolder` is where it is found again.
    cohortVolumeSpread, cohortVolumeFirst, cohortVolumeSecond, cohortIsthmusArea…, cohortSymmetry…
        Distributions of its features: the kind, and the two numbers it has.
    cohortSetWithout, cohortWithoutPercent
        Whether a share without isthmus is asked for, and which.
    comparedWith, chart
        What the current thyroid is compared with (none: the patient's own), and the chart.
    reader, studyScope, studyControl, studySeed
        The next reader study: who rates which thyroids, with the patient's own among them or not.
    study, studyNodes, studyHidOwn
        The reader study in the scene as text (empty: none), the nodes of its cases, and whether the
        patient's own thyroid was shown before it.
    trainingData, job, variant, preset, device, epochs, trainingSeed, heldOutPercent
        The training; `job` is its folder, by which it is found again.
    """

    source: Path
    classMap: ClassMap = ClassMap.NAMED

    ct: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    thyroidSegmentID: str
    tracheaSegmentID: str
    showOwnThyroid: bool = True

    model: Path

    volumeMl: Annotated[float, WithinRange(0.0, 1000.0)] = 15.0
    isthmusAreaMm2: Annotated[float, WithinRange(0.0, 2000.0)] = 40.0
    symmetry: Annotated[float, WithinRange(0.0, 1.0)] = 0.6
    steerVolume: bool = True
    steerIsthmusArea: bool = True
    steerSymmetry: bool = True
    exact: bool = True
    livePreview: bool = True
    detail: SurfaceDetail = SurfaceDetail.STANDARD
    seed: Annotated[int, WithinRange(0, LARGEST_SEED)] = 0
    result: vtkMRMLSegmentationNode

    edited: vtkMRMLSegmentationNode
    holdVolume: bool = True
    holdIsthmusArea: bool = True
    holdSymmetry: bool = True

    exportWhat: ExportWhat = ExportWhat.CURRENT
    exportFolder: Path
    exportLabels: bool = True
    labelFormat: LabelFormat = LabelFormat.NIFTI_PACKED
    labelGrid: LabelGridChoice = LabelGridChoice.CT
    spacingRMm: Annotated[float, WithinRange(0.1, 20.0)] = 1.0
    spacingAMm: Annotated[float, WithinRange(0.1, 20.0)] = 1.0
    spacingSMm: Annotated[float, WithinRange(0.1, 20.0)] = 1.0
    exportPly: bool = False
    exportStl: bool = False
    exportObj: bool = False
    meshSpace: MeshSpace = MeshSpace.LPS

    exportMerged: bool = False
    mergeLabels: vtkMRMLLabelMapVolumeNode
    mergeThyroidLabel: Annotated[int, WithinRange(0, 65534)] = 0
    mergeOld: str
    mergeOverlaps: MergeOverlaps = MergeOverlaps.KEEP

    cohortFolder: Path
    cohortTargets: CohortTargets = CohortTargets.FREE
    cohortTable: Path
    cohortVolumeSpread: Spread = Spread.COHORT
    cohortVolumeFirst: Annotated[float, WithinRange(0.0, 1000.0)] = 12.0
    cohortVolumeSecond: Annotated[float, WithinRange(0.0, 1000.0)] = 5.0
    cohortIsthmusAreaSpread: Spread = Spread.COHORT
    cohortIsthmusAreaFirst: Annotated[float, WithinRange(0.0, 2000.0)] = 60.0
    cohortIsthmusAreaSecond: Annotated[float, WithinRange(0.0, 2000.0)] = 25.0
    cohortSymmetrySpread: Spread = Spread.COHORT
    cohortSymmetryFirst: Annotated[float, WithinRange(0.0, 1.0)] = 0.6
    cohortSymmetrySecond: Annotated[float, WithinRange(0.0, 1.0)] = 0.1
    cohortSetWithout: bool = False
    cohortWithoutPercent: Annotated[float, WithinRange(0.0, 100.0)] = 30.0
    cohortCount: Annotated[int, WithinRange(1, 100_000)] = 20
    cohortSeed: Annotated[int, WithinRange(0, LARGEST_SEED)] = 0
    cohortAtPatient: bool = True
    cohortOverlap: CohortOverlap = CohortOverlap.REPORT

    comparedWith: vtkMRMLSegmentationNode
    chart: ChartKind = ChartKind.VOLUME
    reader: str
    studyScope: StudyScope = StudyScope.ALL
    studyControl: bool = True
    studySeed: Annotated[int, WithinRange(0, LARGEST_SEED)] = 0
    study: str
    studyNodes: list[vtkMRMLSegmentationNode]
    studyHidOwn: bool = False

    trainingData: Path
    job: Path
    variant: Variant = Variant.FIXED
    preset: Preset = Preset.BEST
    device: Device = Device.AUTO
    epochs: Annotated[int, WithinRange(0, 1_000_000)] = 0
    trainingSeed: Annotated[int, WithinRange(0, LARGEST_SEED)] = 0
    heldOutPercent: Annotated[int, WithinRange(0, 90)] = 0


def isSet(path: Path) -> bool:
    """Say whether the user has chosen a path."""
    return path != Path()
