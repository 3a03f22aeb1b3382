"""A panel in which the patient's thyroid has been fitted."""

from __future__ import annotations

import pytest

from support import edit_hands


@pytest.fixture
def fitted(ready):
    edit_hands.fit(ready)
    return ready
