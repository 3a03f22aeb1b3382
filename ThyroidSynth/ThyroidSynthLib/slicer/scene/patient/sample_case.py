"""The sample case: a synthetic example case, created on this computer on first use."""

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

    from .loading import LoadedCase

NAME = "Synthetic example"
"""Name of the case and, so that it is not mistaken for a patient, of its nodes."""

_SEED = 7
# Raised when the same version of the library would create another case than before.
_REVISION = 2


def load_sample(
    scene: vtkMRMLScene, *, progress: ProgressCallback = silent, should_stop: ShouldStop = never
) -> LoadedCase:
    """Load the sample case into the scene; its files are created in Slicer's folder for sample data if missing.

    Raises
    ------
    ThyroidSynthError
        The folder cannot be written, or as for `loading.load_case`.
    """
    cache = Path(scene.GetCacheManager().GetRemoteCacheDirectory())
    # Another version may create another case.
    folder = cache / f"ThyroidSynth-example-{__version__}-{_REVISION}"
    progress(0.0, "Creating the sample case")
    check(should_stop)
    if not folder.is_dir():
        try:
            _create(folder, part_of(progress, 0.0, 0.6), should_stop)
        except OSError as error:
            raise OutputError(
                f"The sample case cannot be written to {cache} ({error.strerror}). Choose another cache folder in "
                "Slicer's application settings."
            ) from error
    source = replace(find_cases(folder)[0], id=NAME)
    return load_case(scene, source, progress=part_of(progress, 0.6, 1.0), should_stop=should_stop)


def _create(folder: Path, progress: ProgressCallback, should_stop: ShouldStop) -> None:
    from ThyroidSynthLib.dataset.synthetic.dataset import write_example_dataset

    folder.parent.mkdir(parents=True, exist_ok=True)
    # Created beside its place and renamed, so that an interruption leaves no incomplete folder.
    temporary = Path(tempfile.mkdtemp(prefix=".ThyroidSynth-example-", dir=folder.parent))
    try:
        write_example_dataset(temporary, cases=1, seed=_SEED, defective_share=0.0, workers=1, progress=progress)
        check(should_stop)
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
