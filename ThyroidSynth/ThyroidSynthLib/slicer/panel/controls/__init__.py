"""Qt controls of the panel: tabs, windows, status line, shortcuts, drawing, and what guards them.

Imports `scene`, and nothing else of the panel.
"""

from ThyroidSynthLib.common.lazy import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "shortcuts": ["Shortcut"],
        "status_line": ["StatusLine"],
        "tabs": ["Tabs"],
        "window": ["SectionWindow"],
    },
)
