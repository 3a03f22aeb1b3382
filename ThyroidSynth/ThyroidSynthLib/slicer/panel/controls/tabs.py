"""The tabs of the panel, each scrolled by itself."""

from __future__ import annotations

import ctk
import qt

PAGE_WIDTH = 360
"""Pixels that every page and the titles fit into, with fonts of up to 150 %; with a scroll bar, the dock takes 380."""
_SMALLEST_WIDTH = 310
_SMALLEST_HEIGHT = 200
_TITLE_STEP_POINTS = 0.5


class Tabs:
    """Tabs with stacked sections.

    Each page has its own scroll area, so that the bar and the titles of the tabs stay in sight. Slicer makes its dock
    as wide as a module's size hint and about 70 pixels more, and scrolls a module whose preferred height does not fit:
    so the tabs have a smallest size, and no hint that counts.

    Attributes
    ----------
    widget : QTabWidget
        The tabs.
    """

    def __init__(self, parent) -> None:
        self.widget = qt.QTabWidget(parent)
        self.widget.objectName = "thyroidSynthTabs"
        self.widget.documentMode = True
        self.widget.usesScrollButtons = False
        self.widget.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Ignored)
        self.widget.setMinimumSize(_SMALLEST_WIDTH, _SMALLEST_HEIGHT)
        self._names: list[str] = []

    def add(self, name: str, title: str, toolTip: str, *widgets) -> None:
        """Add a page with widgets below each other."""
        page = qt.QWidget()
        page.objectName = f"{name}Page"
        layout = qt.QVBoxLayout(page)
        layout.setContentsMargins(4, 4, 4, 4)
        for widget in widgets:
            layout.addWidget(widget)
        layout.addStretch(1)
        scroll = qt.QScrollArea()
        scroll.objectName = f"{name}Scroll"
        scroll.setFrameShape(qt.QFrame.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        self.widget.addTab(scroll, title)
        self.widget.setTabToolTip(self.widget.count - 1, toolTip)
        self._names.append(name)
        self._fitTitles()

    def _fitTitles(self) -> None:
        """Reduce the font of the titles until all fit into a narrow dock.

        A style sheet with less padding would do as well, but then the tabs no longer follow a change of the
        application's style.
        """
        bar = self.widget.tabBar()
        font = qt.QFont(bar.font)
        while bar.sizeHint.width() > PAGE_WIDTH and font.pointSizeF() > 1:
            font.setPointSizeF(font.pointSizeF() - _TITLE_STEP_POINTS)
            bar.setFont(font)

    @property
    def current(self) -> str:
        """Name of the page that is shown."""
        return self._names[self.widget.currentIndex]

    def open(self, name: str) -> None:
        """Show a page."""
        self.widget.setCurrentIndex(self._names.index(name))

    def allowOnly(self, *names: str) -> None:
        """Enable these pages and disable the others."""
        for index, name in enumerate(self._names):
            self.widget.setTabEnabled(index, name in names)

    def allowAll(self) -> None:
        """Enable all pages."""
        self.allowOnly(*self._names)


def openOneOf(*collapsibles) -> None:
    """Fold the others when one of some collapsible parts is opened."""

    def fold(opened) -> None:
        for other in collapsibles:
            if other is not opened:
                other.collapsed = True

    for each in collapsibles:
        each.connect("contentsCollapsed(bool)", lambda collapsed, each=each: None if collapsed else fold(each))


def layOutAgainWhenOpened(top) -> None:
    """Lay out again everything below a collapsible part when it is opened.

    Otherwise Qt keeps the heights from the time when it was folded, and squashes its widgets.
    """

    def invalidate(opened) -> None:
        for widget in (opened, *opened.findChildren(qt.QWidget)):
            if widget.layout() is not None:
                widget.layout().invalidate()

    for each in top.findChildren(ctk.ctkCollapsibleButton):
        each.connect("contentsCollapsed(bool)", lambda collapsed, each=each: None if collapsed else invalidate(each))
