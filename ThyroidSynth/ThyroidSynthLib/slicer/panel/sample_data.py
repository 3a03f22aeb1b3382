"""The sample case in Slicer's module "Sample Data"."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from ThyroidSynthLib.common.errors import Cancelled
from ThyroidSynthLib.slicer.panel.patient.loading import showLoaded
from ThyroidSynthLib.slicer.panel.shared.dependencies import ensurePackages
from ThyroidSynthLib.slicer.scene.patient.sample_case import load_sample

_RESOURCES = Path(__file__).parents[3] / "Resources"
_CATEGORY = "ThyroidSynth"
_SAMPLE = "ThyroidSynthExample"


def registerSampleData() -> None:
    """List the sample case in the module "Sample Data"; called when the application has started."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=_CATEGORY,
        sampleName=_SAMPLE,
        # Nothing is downloaded; the module wants one address for each file, and shows none of them.
        uris="https://arxiv.org/abs/2504.03313",
        fileNames="ThyroidSynthExample",
        nodeNames=_("Neck CT (synthetic)"),
        customDownloader=downloadSample,
        thumbnailFileName=str(_RESOURCES / "Icons" / "ThyroidSynthExample.png"),
    )


def downloadSample(source=None) -> list:
    """Make the sample case, or take it from the cache, and load it.

    Parameters
    ----------
    source : SampleDataSource
        As the module "Sample Data" passes it; there is only one.

    Returns
    -------
    list of vtkMRMLNode
        CT and segmentation.
    """
    with slicer.util.tryWithErrorDisplay(_("The sample case cannot be opened."), waitCursor=True):
        try:
            ensurePackages(_RESOURCES / "requirements.txt")
            loaded = load_sample(slicer.mrmlScene, progress=_show)
        except Cancelled as cancelled:
            slicer.util.showStatusMessage(str(cancelled), 3000)
            return []
        showLoaded(loaded)
        return [loaded.ct, loaded.segmentation]


def _show(fraction: float, message: str) -> None:
    slicer.util.showStatusMessage(message, 3000)
