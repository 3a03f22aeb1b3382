"""The module's self test: its main flow inside the application it runs in."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

import slicer

from ..anatomy.labels import THYROID, TRACHEA
from ..scene.loading import load_case
from ..scene.overlay import show_ct
from ..scene.records import ThyroidRecord, read_record
from ..scene.segmentations import SEGMENT_ID, add_generated_thyroid
from ..scene.terminology import find_segment
from ..scene.volumes import features_of_segment, placement_of_patient

_CASES = 4
_SMALL = {"epochs": 300, "hidden_width": 64, "latent_size": 4, "mirrored_size": 1}


def runMainFlow(test) -> None:
    """Load an example case, train for seconds, generate a thyroid and find it at the trachea.

    Parameters
    ----------
    test : ScriptedLoadableModuleTest
        Shows messages and makes the checks.
    """
    if importlib.util.find_spec("torch") is None:
        test.delayDisplay("Skipped: PyTorch is not installed.")
        return
    from ..anatomy.cases import find_cases
    from ..anatomy.cohort import Cohort
    from ..anatomy.example import write_example_dataset
    from ..anatomy.prepare import PrepareOptions, prepare_cohort
    from ..learning.presets import settings_for
    from ..learning.training import train
    from ..synthesis.steering import generate

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        test.delayDisplay("Making example cases")
        write_example_dataset(folder / "dataset", cases=_CASES, seed=1, defective_share=0.0, workers=1)
        loaded = load_case(slicer.mrmlScene, find_cases(folder / "dataset")[0])
        show_ct(loaded.ct)
        thyroid = find_segment(loaded.segmentation, THYROID)
        trachea = find_segment(loaded.segmentation, TRACHEA)
        test.assertTrue(thyroid and trachea)
        placement = placement_of_patient(loaded.segmentation, trachea)
        test.assertGreater(features_of_segment(loaded.segmentation, thyroid, placement).volume_ml, 1.0)

        test.delayDisplay("Training a little")
        prepare_cohort(folder / "dataset", folder / "cohort", PrepareOptions(), workers=1)
        cohort = Cohort.open(folder / "cohort")
        model = train(cohort, settings_for("fast", "fixed", **_SMALL))
        cohort.samples._mmap.close()

        test.delayDisplay("Generating a thyroid")
        made = next(generate(model, count=1, seed=1))
        surface = made.surface.moved(placement.to_ras(made.surface.vertices))
        record = ThyroidRecord.of(made, placement, asked={}, model=model.checksum)
        node = add_generated_thyroid(slicer.mrmlScene, "Generated thyroid", surface, ct=loaded.ct, record=record)
        again = features_of_segment(node, SEGMENT_ID, placement)
        test.assertAlmostEqual(again.volume_ml, made.measured.volume_ml, delta=0.01 * made.measured.volume_ml)
        test.assertEqual(read_record(node), record)
        test.assertEqual(find_segment(node, THYROID), SEGMENT_ID)
    test.delayDisplay("Test passed")
