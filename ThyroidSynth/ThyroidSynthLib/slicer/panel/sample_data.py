"""The sample case in Slicer's module Sample Data.

Slicer imports this file at every start, so what loads the case is imported when the user opens it.
"""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

SAMPLE_URI = "thyroidsynth:example-case"
_RESOURCES = Path(__file__).parents[3] / "Resources"


def registerSampleCase() -> None:
    """List the sample case in the module Sample Data, which must have been loaded."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="ThyroidSynth",
        sampleName="ThyroidSynthExample",
        # Sample Data expects an address for each file. Nothing is downloaded: the case is computed on this computer.
        uris=SAMPLE_URI,
        fileNames="ThyroidSynthExample",
        nodeNames=_("Neck CT (synthetic)"),
        customDownloader=loadSampleCase,
        thumbnailFileName=str(_RESOURCES / "Icons" / "ThyroidSynthExample.png"),
    )


def loadSampleCase(source=None) -> list:
    """Load the sample case, which is computed on first use and then cached; `source` is passed by Sample Data.

    Returns the nodes of the CT and the segmentation; none if the user cancelled.
    """
    from ThyroidSynthLib.common.errors import Cancelled
    from ThyroidSynthLib.slicer.panel.patient.loading import showLoaded
    from ThyroidSynthLib.slicer.scene.patient.sample_case import load_sample

    with slicer.util.tryWithErrorDisplay(_("The sample case cannot be opened."), waitCursor=True):
        try:
            loaded = load_sample(slicer.mrmlScene, progress=_showProgress)
        except Cancelled as cancelled:
            slicer.util.showStatusMessage(str(cancelled), 3000)
            return []
        showLoaded(loaded)
        return [loaded.ct, loaded.segmentation]
    return []


def _showProgress(fraction: float, message: str) -> None:
    slicer.util.showStatusMessage(message, 3000)
