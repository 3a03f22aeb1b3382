"""Every button of a panel in which nothing was done yet, and of a Slicer without the optional packages."""

from __future__ import annotations


def press_every_button(hands, *, skip: tuple[str, ...] = ()) -> tuple[list[str], dict[str, list[str]]]:
    """Click each enabled button once; return the names of those clicked, and the faults but dialogs by name."""
    import qt

    from standin import inspection

    clicked, faults, top = [], {}, hands.module.panel
    for button in inspection.widgets_in(top):
        name = inspection.name_of(button)
        kind = isinstance(button, (qt.QPushButton, qt.QToolButton, qt.QCheckBox))
        if kind and name not in skip and button.enabled and inspection.in_sight(button, top):
            button.click()
            hands.app.process_events()
            clicked.append(name)
            seen = [str(fault) for fault in hands.app.faults.take() if fault.source != "dialog"]
            faults |= {name: seen} if seen else {}
    return clicked, faults


def test_no_button_of_a_fresh_panel_fails(hands):
    from standin import inspection

    inspection.open_all(hands.module.panel)
    assert not hands.carveButton.enabled
    # With the sample case the other buttons would no longer meet a panel without a patient.
    clicked, faults = press_every_button(hands, skip=("sampleDataButton",))
    assert len(clicked) > 20
    assert faults == {}
