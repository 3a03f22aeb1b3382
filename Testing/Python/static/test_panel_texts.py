"""Everything the user reads can be translated, every widget explains itself, colours are the theme's."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.rules import panel_texts as rules

MODULE = Path(__file__).resolve().parents[3] / "ThyroidSynth"
PYTHON = [MODULE / "ThyroidSynth.py", *sorted((MODULE / "ThyroidSynthLib" / "slicer" / "panel").rglob("*.py"))]
UI = sorted((MODULE / "Resources" / "UI").glob("*.ui"))


def _name(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", PYTHON, ids=_name)
@pytest.mark.parametrize("rule", [rules.untranslated, rules.joined_translations, rules.fixed_colours])
def test_texts_of_the_panel_can_be_translated_and_follow_the_theme(path: Path, rule) -> None:
    if path.name == "self_test.py":
        pytest.skip("speaks to developers")
    assert rule(path.read_text()) == []


@pytest.mark.parametrize("path", UI, ids=_name)
@pytest.mark.parametrize(
    "rule",
    [
        rules.without_tooltip,
        rules.translated_identifiers,
        rules.repeated_mnemonics,
        rules.lost_tab_stops,
        rules.fixed_colours,
    ],
)
def test_widgets_explain_themselves_and_are_reached_by_the_keyboard(path: Path, rule) -> None:
    assert rule(path.read_text()) == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (rules.untranslated, "label.text = 'Ready'"),
        (rules.untranslated, "label.text = f'{n} cases'"),
        (rules.untranslated, "label.text = 'Ready: ' + name"),
        (rules.untranslated, "label.text = '{n} cases'.format(n=1)"),
        (rules.untranslated, "session.showStatus('Ready' if ok else _('Not ready'))"),
        (rules.untranslated, "table.setHorizontalHeaderLabels(['Name', _('Kind')])"),
        (rules.untranslated, "raise InputError(f'{path} is missing')"),
        (rules.untranslated, "box = qt.QCheckBox('Exact')"),
        (rules.joined_translations, "showStatus(_(f'{n} cases'))"),
        (rules.joined_translations, "showStatus(_('one ' + name))"),
        (rules.joined_translations, "showStatus(_('{} cases').format(n))"),
        (rules.fixed_colours, "label.setStyleSheet('color: #ff0000')"),
        (rules.fixed_colours, "label.setStyleSheet('background-color: white')"),
    ],
)
def test_a_planted_violation_is_found_in_a_source(rule, source: str) -> None:
    assert rule(source)


@pytest.mark.parametrize(
    "source",
    [
        "label.text = _('{n} cases').format(n=1)",
        "label.text = ''",
        "label.text = '–'",
        "label.text = f'{value:.1f} mL'",
        "label.text = ', '.join(parts)",
        "label.text = _('Ready') if ok else str(error)",
        "slicer.util.errorDisplay(str(error), windowTitle='ThyroidSynth')",
        "label.setStyleSheet('color: palette(mid)')",
    ],
)
def test_what_is_allowed_is_not_called_a_violation(source: str) -> None:
    for rule in (rules.untranslated, rules.joined_translations, rules.fixed_colours):
        assert rule(source) == []


_UI = '<ui><widget class="QWidget" name="top">{}</widget>{}</ui>'
_BUTTON = '<widget class="QPushButton" name="{0}"><property name="text"><string>{1}</string></property></widget>'


@pytest.mark.parametrize(
    ("rule", "ui"),
    [
        (rules.without_tooltip, _UI.format(_BUTTON.format("go", "Go"), "")),
        (
            rules.repeated_mnemonics,
            _UI.format(_BUTTON.format("a", "&amp;Go") + _BUTTON.format("b", "Do &amp;good"), ""),
        ),
        (
            rules.translated_identifiers,
            _UI.format('<property name="SlicerParameterName"><string>volumeMl</string></property>', ""),
        ),
        (rules.lost_tab_stops, _UI.format("", "<tabstops><tabstop>gone</tabstop></tabstops>")),
        (
            rules.lost_tab_stops,
            _UI.format(
                _BUTTON.format("a", "A") + _BUTTON.format("b", "B"), "<tabstops><tabstop>a</tabstop></tabstops>"
            ),
        ),
    ],
)
def test_a_planted_violation_is_found_in_a_ui_file(rule, ui: str) -> None:
    assert rule(ui)
