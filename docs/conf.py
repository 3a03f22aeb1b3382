"""Configuration of the documentation site: ``make docs`` builds it into ``docs/_build/html``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "ThyroidSynth")]

from ThyroidSynthLib import __version__  # noqa: E402

project = "ThyroidSynth"
author = "ThyroidSynth contributors"
project_copyright = "ThyroidSynth contributors, Apache License 2.0"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "api_reference",
    "cli_reference",
]
exclude_patterns = ["_build", "_ext", "extension-index"]

# MyST: definition lists for the options of the command, heading anchors for links between pages.
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3

# Quotes and dashes stay as typed: options such as --out must be copyable.
smartquotes = False

# Docstrings name arguments and files in single backquotes.
default_role = "code"

napoleon_google_docstring = False
napoleon_numpy_docstring = True
autosummary_generate = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"ThyroidSynth {version}"
html_logo = "../ThyroidSynth/Resources/Icons/ThyroidSynth.png"
