"""The sample case: one synthetic example case, made on this computer when it is first asked for."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ThyroidSynthLib import __version__
from ThyroidSynthLib.common.errors import OutputError
from ThyroidSynthLib.common.progress import ProgressCallback, ShouldStop, check, never, part_of, silent
from ThyroidSynthLib.dataset.case_sources import find_cases

from .loading import load_case

if TYPE_CHECKING:
    from slicer import vtkMRMLScene

    from ThyroidSynthLib.dataset.case_sources import CaseSource

    from .loading import LoadedCase

NAME = "Synthetic example"
"""Name of the case; its nodes are named after it, so that nobody takes it for a patient."""

_SEED = 7


def sample_source(cache: Path, *, progress: ProgressCallback = silent, should_stop: ShouldStop = never) -> CaseSource:
    """Give the sample case's files, made in the cache if they are not there yet.

    Parameters
    ----------
    cache : Path
        Slicer's folder for sample data.

    Raises
    ------
    OutputError
        The cache cannot be written.
    Cancelled
        `should_stop` returned true; the cache is as it was.
    """
    # Another version may draw another case.
    folder = cache / f"ThyroidSynth-example-{__version__}"
    if not folder.is_dir():
        try:
            _make(folder, progress, should_stop)
        except OSError as error:
            raise OutputError(
                f"The sample case cannot be written to {cache} ({error.strerror}). Choose another cache folder in "
                "Slicer's application settings."
            ) from error
    return replace(find_cases(folder)[0], id=NAME)


def load_sample(
    scene: vtkMRMLScene, *, progress: ProgressCallback = silent, should_stop: ShouldStop = never
) -> LoadedCase:
    """Load the sample case into the scene.

    Raises
    ------
    ThyroidSynthError
        See `sample_source` and `loading.load_case`.
    """
    cache = Path(scene.GetCacheManager().GetRemoteCacheDirectory())
    progress(0.0, "Making the sample case")
    check(should_stop)
    source = sample_source(cache, progress=part_of(progress, 0.0, 0.6), should_stop=should_stop)
    return load_case(scene, source, progress=part_of(progress, 0.6, 1.0), should_stop=should_stop)


def _make(folder: Path, progress: ProgressCallback, should_stop: ShouldStop) -> None:
    from ThyroidSynthLib.dataset.synthetic import write_example_dataset

    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and moved there whole: whoever is interrupted leaves no half of it.
    making = Path(tempfile.mkdtemp(prefix=".ThyroidSynth-example-", dir=folder.parent))
    try:
        write_example_dataset(making, cases=1, seed=_SEED, defective_share=0.0, workers=1, progress=progress)
        check(should_stop)
        making.chmod(0o755)
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
