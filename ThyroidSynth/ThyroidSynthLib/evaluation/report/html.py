"""HTML pages from the Jinja2 templates in `templates`. A page embeds its style and figures, so it is a single file."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ThyroidSynthLib.evaluation.metrics.headline import MEASURE_BY_KEY, MEASURES
from ThyroidSynthLib.evaluation.metrics.published import PUBLISHED, PUBLISHED_CASES, published_text

# Label, unit and decimals of each feature.
_FEATURES = {
    "volume_ml": {"label": "Volume", "unit": "mL", "digits": 2},
    "isthmus_area_mm2": {"label": "Isthmus area", "unit": "mm²", "digits": 1},
    "symmetry": {"label": "Symmetry", "unit": "", "digits": 3},
}


def render_page(template: str, **values: object) -> str:
    """Render the template of this name with the values that it shows."""
    return _ENVIRONMENT.get_template(template).render(values)


def _fixed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _by_group(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Group rows of measures by their key "group", in their order (Jinja's own filter sorts them)."""
    return [(group, list(found)) for group, found in groupby(rows, lambda row: row["group"])]


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    fixed=_fixed,
    percent=_percent,
    p_value=_p_value,
    by_group=_by_group,
    measure_label=lambda key: MEASURE_BY_KEY[key].label,
    paper_heading=lambda variant: f"Paper: {variant}",
    base64=lambda data: base64.b64encode(data).decode("ascii"),
)
_ENVIRONMENT.globals.update(
    FEATURES=_FEATURES,
    MEASURES=MEASURES,
    MEASURE_BY_KEY=MEASURE_BY_KEY,
    PUBLISHED=PUBLISHED,
    PUBLISHED_CASES=PUBLISHED_CASES,
    published_text=published_text,
)
