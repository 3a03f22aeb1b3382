"""What works on PySide6, on which the tests run, and not on PythonQt: seen on PythonQt 4.1 with Qt 5.15.

Each function lists what breaks one rule, and takes the text of a file.
"""

from __future__ import annotations

import ast

_QT_MODULES = {"qt", "ctk"}


def _is_qt_class(node: ast.expr) -> bool:
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return False
    return node.value.id in _QT_MODULES or (node.value.id == "slicer" and node.attr.startswith("qMRML"))


def instance_checks_of_qt_classes(source: str) -> list[str]:
    """``isinstance`` of a Qt class: PythonQt's classes have no bases, a QPushButton is no QWidget there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
            classes = node.args[1].elts if isinstance(node.args[1], ast.Tuple) else [node.args[1]]
            if any(_is_qt_class(each) for each in classes):
                found.append(f"{node.lineno}: {ast.unparse(node)}; use inherits() or className()")
    return found


def images_of_raw_bytes(source: str) -> list[str]:
    """``QImage(bytes, width, height, …)``: PythonQt does not wrap that constructor."""
    return [
        f"{node.lineno}: {ast.unparse(node)[:80]}; use loadFromData()"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "qt.QImage" and len(node.args) > 3
    ]
