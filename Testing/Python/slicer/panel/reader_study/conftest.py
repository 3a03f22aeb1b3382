"""A reader at the window of the reader study."""

from __future__ import annotations

import pytest

from support.study_hands import Reader
from support.table_hands import make
from support.tiny_cohort import write_tiny_cohort


@pytest.fixture(scope="session")
def real_shapes(tmp_path_factory):
    """Return the folder of a cohort of four shapes."""
    return write_tiny_cohort(tmp_path_factory.mktemp("real") / "cohort", cases=4).folder


@pytest.fixture
def reader(ready, real_shapes, tmp_path) -> Reader:
    """Return a reader before a study of four shapes of a cohort, the patient's own and two generated thyroids."""
    ready.exactCheckBox.setChecked(False)
    ready.module.panel.show()
    make(ready, 1, 2)
    found = Reader(ready, tmp_path / "study")
    ready.studyCohortEdit.setCurrentPath(str(real_shapes))
    ready.studySeedSpinBox.setValue(5)
    ready.studyRepeatSpinBox.setValue(50)
    ready.app.process_events()
    return found
