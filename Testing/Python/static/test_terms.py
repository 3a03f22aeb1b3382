"""The project keeps to its table of terms, and the check is able to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.rules import terms

PROJECT = Path(__file__).resolve().parents[3]


def test_texts_keep_to_the_table_of_terms() -> None:
    faults = [
        f"{path.relative_to(PROJECT)}:{fault}"
        for path in terms.files(PROJECT)
        for fault in terms.words_to_replace(path.read_text(encoding="utf-8"))
    ]

    assert not faults, f"{len(faults)} words to replace:\n" + "\n".join(faults[:50])


def test_docstrings_begin_with_a_plain_imperative() -> None:
    faults = [
        f"{path.relative_to(PROJECT)}:{fault}"
        for path in terms.files(PROJECT)
        if path.suffix == ".py"
        for fault in terms.docstrings_to_rewrite(path.read_text(encoding="utf-8"))
    ]

    assert not faults, f"{len(faults)} docstrings to rewrite:\n" + "\n".join(faults[:50])


@pytest.mark.parametrize(
    "text",
    ["def wish(): ...", "carveButton", "x = ghost_of(y)", "What was asked for.", "one-shot PCC", "LeakageMatrix"],
)
def test_a_replaced_term_is_found_in_prose_and_in_identifiers(text: str) -> None:
    assert len(terms.words_to_replace(text)) == 1


@pytest.mark.parametrize(
    "text", ["targets", "removeOverlapButton", "reaskedness", "soundtrack", "cross-talk", "speed of sound"]
)
def test_other_words_are_left_alone(text: str) -> None:
    assert terms.words_to_replace(text) == []


def test_a_docstring_that_gives_is_found() -> None:
    assert terms.docstrings_to_rewrite('def f():\n    """Give it."""') == ["2: Give"]
    assert terms.docstrings_to_rewrite('def f():\n    """Return it."""') == []
