"""The panel in Slicer's dock: how narrow it can be made, and that only the pages are scrolled."""

from __future__ import annotations

import pytest

DOCK_WIDTH, MODULE_HEIGHT = 380, 560
# What Slicer's dock adds to the size hint of a module: scroll bar and margins.
_DOCK_ADDS = 70


@pytest.fixture(params=[1.0, 1.5], ids=["normal font", "large font"])
def docked(slicer_app, request):
    """The module at the size that a narrow dock leaves it on a small screen."""
    import qt
    from PySide6.QtWidgets import QApplication

    from support.panel_hands import PROJECT

    application = QApplication.instance()
    font = application.font()
    large = qt.QFont(font)
    large.setPointSizeF(font.pointSizeF() * request.param)
    application.setFont(large)
    module = slicer_app.load_module(PROJECT / "ThyroidSynth" / "ThyroidSynth.py")
    module.select()
    module.panel.resize(DOCK_WIDTH, MODULE_HEIGHT)
    module.panel.show()
    slicer_app.process_events()
    yield module
    application.setFont(font)


def test_the_dock_can_be_made_narrow(docked):
    assert docked.widget.panel.widget.sizeHint.width() + _DOCK_ADDS <= DOCK_WIDTH


def test_all_titles_of_the_tabs_are_in_sight(docked):
    tabs = docked.widget.panel.tabs.widget
    bar = tabs.tabBar()
    assert bar.tabRect(bar.count - 1).right() <= tabs.width
    assert bar.font.pointSizeF() <= bar.parentWidget().font.pointSizeF()


def test_only_the_pages_are_scrolled(docked):
    panel = docked.widget.panel
    # By this height, Qt decides whether the area around the module is scrolled.
    assert docked.panel.layout().heightForWidth(DOCK_WIDTH) <= MODULE_HEIGHT
    # The tabs take all the height that the bar leaves.
    assert panel.tabs.widget.height > MODULE_HEIGHT - panel.bar.widget.sizeHint.height() - 60


def test_the_tabs_follow_a_change_of_the_style(docked):
    """A style sheet would keep the colours of the style with which they were made."""
    tabs = docked.widget.panel.tabs.widget
    assert not tabs.styleSheet and not tabs.tabBar().styleSheet


@pytest.mark.parametrize(
    ("tab", "button", "window"),
    [
        ("compare", "studyButton", "ReaderStudyWindow"),
        ("export", "cohortButton", "CohortWindow"),
        ("export", "phantomButton", "PhantomWindow"),
    ],
)
def test_a_window_opens_over_the_panel_as_high_as_what_it_shows(docked, slicer_app, tab, button, window):
    import qt

    panel = docked.widget.panel
    panel.tabs.open(tab)
    (opening,) = panel.widget.findChildren(qt.QPushButton, button)
    opening.click()
    slicer_app.process_events()
    (dialog,) = panel.widget.findChildren(qt.QDialog, f"{window}Dialog")
    (content,) = dialog.findChildren(qt.QWidget, window)
    assert dialog.visible
    assert content.sizeHint.height() <= dialog.height <= content.sizeHint.height() + 40
    place = dialog.parentWidget().mapToGlobal(qt.QPoint(0, 0))
    assert (dialog.pos.x(), dialog.pos.y()) == (place.x(), place.y())
    dialog.move(place.x() + 50, place.y() + 20)
    dialog.resize(500, 333)
    dialog.close()
    opening.click()
    slicer_app.process_events()
    assert (dialog.width, dialog.height) == (500, 333)
    assert dialog.pos.x() == place.x() + 50
