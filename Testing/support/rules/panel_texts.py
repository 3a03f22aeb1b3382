"""What the user reads and reaches, checked in the source text: translation, tooltips, mnemonics, colours.

Each function lists what breaks one rule, and takes the text of a file, so that the tests can also show
that a planted violation is found.
"""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

# Properties and functions by which a text reaches the user; of a function, the arguments that are texts.
SHOWN_PROPERTIES = {
    "text",
    "toolTip",
    "title",
    "windowTitle",
    "statusTip",
    "whatsThis",
    "placeholderText",
    "noneDisplay",
    "suffix",
    "prefix",
    "plainText",
    "html",
    "accessibleName",
}
SHOWN_BY_CALL = {
    "showStatus": 1,
    "work": 1,
    "start": 1,
    "progress": 2,
    "setText": 2,
    "setToolTip": 2,
    "setTitle": 2,
    "setWindowTitle": 1,
    "setPlaceholderText": 1,
    "setItemText": 2,
    "addItem": 1,
    "addItems": 1,
    "addAction": 1,
    "addTab": 2,
    "addRow": 1,
    "setHorizontalHeaderLabels": 1,
    "setVerticalHeaderLabels": 1,
    "QLabel": 1,
    "QPushButton": 1,
    "QCheckBox": 1,
    "QAction": 1,
    "QTableWidgetItem": 1,
    "errorDisplay": 1,
    "infoDisplay": 1,
    "warningDisplay": 1,
    "messageBox": 1,
    "confirmOkCancelDisplay": 1,
    "confirmYesNoDisplay": 1,
    "getExistingDirectory": 2,
    "getOpenFileName": 2,
    "getSaveFileName": 2,
    "getText": 3,
    "InputError": 1,
    "ModelError": 1,
    "Cancelled": 1,
    "ThyroidSynthError": 1,
}
# A name of the product, and letters that are no words.
_NOT_WORDS = re.compile(r"ThyroidSynth|\bmL\b|\bmm[²³]?\b|<[^>]*>|\{[^}]*\}|\*\.[\w.]+")

INTERACTIVE = {
    "QPushButton",
    "QToolButton",
    "QComboBox",
    "QCheckBox",
    "QRadioButton",
    "QSpinBox",
    "QDoubleSpinBox",
    "QSlider",
    "QLineEdit",
    "QPlainTextEdit",
    "QTextEdit",
    "QTableWidget",
    "QTableView",
    "QListWidget",
    "QTreeWidget",
    "QProgressBar",
    "ctkSliderWidget",
    "ctkDoubleSpinBox",
    "ctkRangeWidget",
    "ctkPathLineEdit",
    "ctkComboBox",
    "ctkMenuButton",
    "ctkCheckablePushButton",
    "ctkColorPickerButton",
    "ctkCollapsibleButton",
    "ctkCollapsibleGroupBox",
    "qMRMLNodeComboBox",
    "qMRMLCheckableNodeComboBox",
    "qMRMLSegmentSelectorWidget",
    "qMRMLCollapsibleButton",
    "qMRMLSegmentsTableView",
    "qMRMLTableView",
}


def untranslated(source: str) -> list[str]:
    """Texts for the user that do not pass through ``_()``: "line: text"."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for text in _shown(node):
            for literal in _bare_literals(text):
                if _has_words(literal):
                    found.append(f"{text.lineno}: {literal!r}")
    return found


def _shown(node: ast.AST) -> list[ast.expr]:
    """Expressions of a statement or a call that end before the user's eyes."""
    if isinstance(node, ast.Assign):
        targets = [target for target in node.targets if isinstance(target, ast.Attribute)]
        return [node.value] if any(target.attr in SHOWN_PROPERTIES for target in targets) else []
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return node.args[: SHOWN_BY_CALL.get(name, 0)]
    return []


def _bare_literals(expression: ast.expr) -> list[str]:
    """Literal texts within an expression that no function has had in its hands."""
    match expression:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.JoinedStr(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [text for part in parts for text in _bare_literals(part)]
        case ast.BinOp(left=left, right=right):
            return _bare_literals(left) + _bare_literals(right)
        case ast.IfExp(body=body, orelse=other):
            return _bare_literals(body) + _bare_literals(other)
        case ast.Call(func=ast.Attribute(value=ast.Constant() as text, attr="format" | "join")):
            return _bare_literals(text)
    return []


def _has_words(text: str) -> bool:
    return re.search(r"[A-Za-z]{2}", _NOT_WORDS.sub("", text)) is not None


def joined_translations(source: str) -> list[str]:
    """Texts that a translator cannot move about: ``_()`` of something that is not one literal text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
            literal = len(node.args) == 1 and isinstance(node.args[0], ast.Constant)
            if not literal or not isinstance(node.args[0].value, str):
                found.append(f"{node.lineno}: _({ast.unparse(node)[2:-1][:60]})")
            elif re.search(r"\{\}|\{\d|%[sd]", node.args[0].value):
                found.append(f"{node.lineno}: {node.args[0].value!r} has placeholders without names")
    return found


def fixed_colours(source: str) -> list[str]:
    """Style sheets with colours of their own, which a dark theme cannot change: "line: text"."""
    lines = enumerate(source.splitlines(), 1)
    colour = re.compile(r"(?<![-\w])(background(-color)?|color)\s*:\s*(?!palette|transparent|none)[#\w]", re.IGNORECASE)
    return [f"{number}: {line.strip()}" for number, line in lines if colour.search(line)]


def _property(widget: ElementTree.Element, name: str) -> str:
    for each in widget.findall("property"):
        if each.get("name") == name:
            return "".join(each.itertext()).strip()
    return ""


def without_tooltip(ui: str) -> list[str]:
    """Widgets a user touches that do not say what they are for."""
    widgets = [each for each in ElementTree.fromstring(ui).iter("widget") if each.get("class") in INTERACTIVE]
    return [each.get("name", "") for each in widgets if not _property(each, "toolTip")]


def translated_identifiers(ui: str) -> list[str]:
    """Names of parameters, settings and node classes that a translator would be offered, and that must not change."""
    identifiers = ("SlicerParameterName", "nodeTypes", "settingKey")
    properties = [each for each in ElementTree.fromstring(ui).iter("property") if each.get("name") in identifiers]
    # A list has the attribute for all its texts.
    return ["".join(each.itertext()).strip() for each in properties if each[0].get("notr") != "true"]


def repeated_mnemonics(ui: str) -> list[str]:
    """Letters that stand underlined twice in one section."""
    texts = [_property(each, "text") for each in ElementTree.fromstring(ui).iter("widget")]
    letters = Counter(found.lower() for text in texts for found in re.findall(r"(?<!&)&(\w)", text))
    return [letter for letter, count in letters.items() if count > 1]


def lost_tab_stops(ui: str) -> list[str]:
    """Tab stops that name no widget of the file, or widgets that a list of tab stops leaves out."""
    root = ElementTree.fromstring(ui)
    stops = [each.text or "" for each in root.iter("tabstop")]
    named = {each.get("name", "") for each in root.iter("widget")}
    passive = {"QProgressBar", "ctkCollapsibleButton", "ctkCollapsibleGroupBox", "qMRMLCollapsibleButton"}
    touched = {e.get("name", "") for e in root.iter("widget") if e.get("class") in INTERACTIVE - passive}
    left_out = sorted(touched - set(stops)) if stops else []
    return [stop for stop in stops if stop not in named] + left_out
