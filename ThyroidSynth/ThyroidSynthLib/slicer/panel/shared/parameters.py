"""All settings of the panel, stored in the scene by Slicer's parameter node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
)
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from .choices import (
    ChartKind,
    ClassMap,
    CohortOverlap,
    CohortTargets,
    Device,
    ExportWhat,
    LabelFormat,
    LabelGridChoice,
    MergeOverlaps,
    MeshSpace,
    NoduleComposition,
    PhantomGland,
    PhantomNodules,
    Preset,
    Simulator,
    Spread,
    StudyScope,
    StudyShown,
    SurfaceDetail,
    Variant,
)

LARGEST_SEED = 2**31 - 1


@parameterNodeWrapper
class ThyroidSynthParameterNode:
    """Settings of the panel. An unset path is ``Path(".")``, as Slicer stores it.

    Attributes
    ----------
    source, classMap
        Path to load a case from, and the task of its label numbers.
    ct, segmentation, thyroidSegmentID, tracheaSegmentID, showOwnThyroid
        The patient.
    model
        The model file.
    volumeMl, isthmusAreaMm2, symmetry, steerVolume, steerIsthmusArea, steerSymmetry
        Targets, and whether each is used.
    exact, livePreview
        Whether targets are matched exactly, and whether the thyroid follows a slider while it is dragged.
    neighbouringOrgans
        Whether the organs around the thyroid are drawn, too.
    detail
        Resolution of surfaces, except while a slider is dragged.
    seed, result
        Random seed of the next thyroid, and the thyroid that it replaces (none: a new one).
    edited, holdVolume, holdIsthmusArea, holdSymmetry
        The thyroid that is edited, and which features are held while another one is changed.
    exportWhat, exportFolder, exportLabels, labelFormat, labelGrid, spacingRMm, spacingAMm, spacingSMm
        Which thyroids are exported to which folder, and their label maps.
    exportPly, exportStl, exportObj, meshSpace
        Their surfaces.
    exportMerged, mergeLabels, mergeThyroidLabel, mergeOld, mergeOverlaps
        The patient's label map with the thyroid replaced: whether it is written, its source (none: the
        segmentation), the thyroid's label in it (0: found by name), the name of the structure that the old
        thyroid becomes (empty: background), and what is kept in overlaps.
    cohortFolder, cohortTargets, cohortTable, cohortCount, cohortSeed, cohortAtPatient, cohortOverlap
        The cohort generated in the background, which is found again by `cohortFolder`.
    cohortVolumeSpread, cohortVolumeFirst, cohortVolumeSecond, cohortIsthmusArea…, cohortSymmetry…
        Distribution of each feature and its two parameters.
    cohortSetWithout, cohortWithoutPercent
        Whether the share of thyroids without isthmus is set, and the share.
    phantomFolder, phantomGland, phantomCount, phantomSeed, phantomSpacingMm
        The phantoms made in the background, which are found again by `phantomFolder`: their thyroid, number, random
        seed, and voxel size in mm (0: as in the CT).
    phantomNodules, phantomNoduleCount, phantomPoints, phantomNoduleLRMm, phantomNoduleAPMm, phantomNoduleSIMm
        Where their nodules are, the mean number of random ones, and the points and diameters of the others.
    phantomComposition, phantomSimulator, phantomCt, phantomParts, phantomFractions
        Composition of the nodules at points, and what is written beside the label map.
    comparedWith, chart
        What the current thyroid is compared with (none: the patient's own), and the chart.
    studyFolder, reader
        The folder of a reader study, and who rates.
    studyCohort, studyControl, studyScope, studyGenerated
        The shapes of a new study: the prepared cohort of the real ones (none: no cohort), whether the patient's own
        thyroid is one of them, where the synthetic ones come from, and the generated cohort of these.
    studyMost, studyRepeatPercent, studyShown, studySeed
        Most shapes of each kind, the share that is shown twice, how shapes are shown, and the random seed.
    trainingData, job, variant, preset, device, epochs, trainingSeed, heldOutPercent
        The training, which is found again by its folder `job`.
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
    neighbouringOrgans: bool = False
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

    phantomFolder: Path
    phantomGland: PhantomGland = PhantomGland.CURRENT
    phantomCount: Annotated[int, WithinRange(1, 100_000)] = 1
    phantomSeed: Annotated[int, WithinRange(0, LARGEST_SEED)] = 0
    phantomSpacingMm: Annotated[float, WithinRange(0.0, 5.0)] = 0.0
    phantomNodules: PhantomNodules = PhantomNodules.NONE
    phantomNoduleCount: Annotated[float, WithinRange(0.5, 10.0)] = 2.0
    phantomPoints: vtkMRMLMarkupsFiducialNode
    phantomNoduleLRMm: Annotated[float, WithinRange(2.0, 50.0)] = 10.0
    phantomNoduleAPMm: Annotated[float, WithinRange(2.0, 50.0)] = 10.0
    phantomNoduleSIMm: Annotated[float, WithinRange(2.0, 50.0)] = 10.0
    phantomComposition: NoduleComposition = NoduleComposition.SOLID
    phantomSimulator: Simulator = Simulator.NONE
    phantomCt: bool = True
    phantomParts: bool = False
    phantomFractions: bool = False

    comparedWith: vtkMRMLSegmentationNode
    chart: ChartKind = ChartKind.VOLUME

    studyFolder: Path
    reader: str
    studyCohort: Path
    studyControl: bool = True
    studyScope: StudyScope = StudyScope.ALL
    studyGenerated: Path
    studyMost: Annotated[int, WithinRange(1, 1000)] = 30
    studyRepeatPercent: Annotated[int, WithinRange(0, 100)] = 20
    studyShown: StudyShown = StudyShown.ALONE
    studySeed: Annotated[int, WithinRange(0, LARGEST_SEED)] = 0

    trainingData: Path
    job: Path
    variant: Variant = Variant.FIXED
    preset: Preset = Preset.BEST
    device: Device = Device.AUTO
    epochs: Annotated[int, WithinRange(0, 1_000_000)] = 0
    trainingSeed: Annotated[int, WithinRange(0, LARGEST_SEED)] = 0
    heldOutPercent: Annotated[int, WithinRange(0, 90)] = 0


def isSet(path: Path) -> bool:
    """Check whether a path has been chosen."""
    return path != Path()


def showUnsetPaths(*paths) -> None:
    """Clear path fields, given as (path, ctkPathLineEdit), that show the "." of a path which is not set."""
    for path, field in paths:
        if not isSet(path) and field.currentPath == ".":
            field.currentPath = ""
