"""What the HTML pages are made of: tables, figures, sections, and a page that needs no other file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from .style import STYLE

if TYPE_CHECKING:
    from ThyroidSynthLib.evaluation.report.figures.illustrations import Illustration

NAMES = {"volume_ml": "Volume", "isthmus_area_mm2": "Isthmus area", "symmetry": "Symmetry"}
DIGITS = {"volume_ml": 2, "isthmus_area_mm2": 1, "symmetry": 3}
_UNITS = {"volume_ml": "mL", "isthmus_area_mm2": "mm²", "symmetry": ""}


def whole_page(title: str, subtitle: str, parts: Sequence[str]) -> str:
    """Give a page of HTML parts that loads nothing."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} ({escape(subtitle)})</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def banners(document: Mapping[str, Any], notes: Sequence[str]) -> str:
    """Give what stands above all numbers: that a cohort is synthetic, notes (HTML), and what it is not for."""
    texts = []
    if document["synthetic_cohort"]:
        statement = document["cohort"].get("statement") or "Its cases are software input, not anatomy."
        texts.append(
            f"<strong>Synthetic cohort.</strong> {escape(statement)} The numbers say how well the software "
            "works, and nothing about patients."
        )
    texts += [*notes, escape(document["notice"])]
    return "\n".join(f'<p class="banner">{text}</p>' for text in texts)


def tile_row(tiles: Sequence[tuple[str, str, str]]) -> str:
    """Give the numbers that stand out, each as its value, what it is, and a note."""
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><b>{escape(value)}</b><span>{escape(label)}</span><small>{escape(note)}</small></div>'
            for value, label, note in tiles
        )
        + "</div>"
    )


def section(title: str, body: str, illustrations: Mapping[str, Illustration], *names: str) -> str:
    """Give a section: its first figure, its text and tables, then the other figures, as far as there are any."""
    figures = [figure(illustrations[name]) for name in names if name in illustrations]
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join([*figures[:1], body, *figures[1:]]) + "\n</section>"


def figure(illustration: Illustration) -> str:
    """Give a figure with its picture inside the page."""
    data = base64.b64encode(illustration.png).decode("ascii")
    caption = escape(illustration.caption)
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "") -> str:
    """Give a table; cells are HTML, headings are text. `kind` names a style."""
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    thead = f"<thead><tr>{top}</tr></thead>" if any(head) else ""
    mark = f' class="{kind}"' if kind else ""
    return f'<div class="scroll"><table{mark}>{thead}<tbody>{body}</tbody></table></div>'


def with_unit(name: str) -> str:
    """Name a feature with its unit."""
    return f"{NAMES[name]}, {_UNITS[name]}" if _UNITS[name] else NAMES[name]


def spread(value: Mapping[str, Any], unit: str = "", digits: int = 3) -> str:
    """Write mean ± SD."""
    if value["mean"] is None:
        return "–"
    return f"{value['mean']:.{digits}f} ± {value['sd']:.{digits}f}" + (f" {unit}" if unit else "")


def estimate(value: float | None, interval: Sequence[float] | None, digits: int) -> str:
    """Write a value with its interval in small brackets."""
    if value is None:
        return "–"
    if interval is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} <small>[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]</small>"


def percent(share: float) -> str:
    """Write a share as a percentage."""
    return f"{100 * share:.1f}%"


def p_value(p: float) -> str:
    """Write a p value."""
    return "p &lt; 0.001" if p < 0.001 else f"p = {p:.2g}"
