"""Words of messages."""

from __future__ import annotations

import pytest

from ThyroidSynthLib.cli.commands.phantom import _nodule_lines
from ThyroidSynthLib.common.wording import counted


@pytest.mark.parametrize(
    ("number", "nouns", "text"),
    [
        (0, ("phantom",), "0 phantoms"),
        (1, ("phantom",), "1 phantom"),
        (2, ("training case",), "2 training cases"),
        (1, ("mesh", "meshes"), "1 mesh"),
        (3, ("mesh", "meshes"), "3 meshes"),
    ],
)
def test_a_noun_agrees_with_its_number(number, nouns, text):
    assert counted(number, *nouns) == text


@pytest.mark.parametrize(("number", "start"), [(1, "1 nodule (modelled"), (2, "2 nodules (modelled")])
def test_the_nodules_of_a_phantom_are_counted_as_one_or_several(number, start):
    nodule = {"name": "thyroid_nodule_1", "on_label_map": {"met": True, "volume_ml": 0.25}}
    (line,) = _nodule_lines({"nodules": {"nodules": [nodule] * number}})
    assert line.startswith(start) and f"{0.25 * number:.2f} mL in all" in line
