"""The session has parameters only while the module is entered and a scene is open."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.common.errors import Cancelled


def test_an_operation_that_needs_parameters_is_cancelled_without_them(hands):
    session = hands.module.widget.panel.session
    assert session.hasParameters
    assert session.parameters is hands.parameters
    hands.module.leave()
    assert not session.hasParameters
    with session.errorsShown():
        session.parameters.seed = 1
    assert hands.statusLabel.text == "The scene was closed."
    with pytest.raises(Cancelled):
        session.model()
    hands.module.select()
    assert session.parameters.seed == 0
