"""Nodules from tables and distributions: every entry is read right, or refused with its place and a remedy."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.common.errors import InputError
from ThyroidSynthLib.export.nodules import Nodule, NoduleDistribution, read_nodule_table


def table(tmp_path, text: str):
    path = tmp_path / "nodules.csv"
    path.write_text(text, encoding="utf-8")
    return read_nodule_table(path)


def test_a_table_gives_every_property_and_the_phantom_of_each_nodule(tmp_path):
    first, second = table(
        tmp_path,
        "phantom;part;r_mm;a_mm;s_mm;diameter_mm;diameter_si_mm;angle_s_deg;margin;composition;calcification;bulge\n"
        "2;Right;;;;8;;;lobulated;cystic;rim;20%\n;;12.5;-3;900;10;16.5;30;;;;\n",
    )
    assert first.phantom == 2 and second.phantom is None
    assert first.nodule == Nodule(
        (8.0, 8.0, 8.0), "right", margin="lobulated", composition="cystic", calcification="rim", bulge=0.2
    )
    assert second.nodule == Nodule((10.0, 10.0, 16.5), position_ras_mm=(12.5, -3.0, 900.0), angles_deg=(0.0, 0.0, 30.0))
    assert (first.nodule.material, second.nodule.material) == ("thyroid_nodule_cystic", "thyroid_nodule_solid")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("part,diameter\nright,8\n", "has the column 'diameter'.*diameter_mm"),
        ("part,diameter_mm\n", "no row under its first line"),
        ("part,diameter_mm\nright,\n", "line 2: The nodule has no diameter"),
        ("part,diameter_mm\nright,8\nmiddle,8\n", "line 3: 'middle' is no part.*right, left, isthmus"),
        ("part,diameter_mm\nright,1e5\n", "line 2: A nodule of 100000 x .* is impossible.*1 to 80 mm"),
        ("part,diameter_mm\nright,8 mm\n", "line 2: '8 mm' is not a number"),
        ("part,diameter_mm\n,8\n", "line 2: A nodule needs a position"),
        ("r_mm,a_mm,diameter_mm\n1,2,8\n", "line 2: s_mm is empty"),
        ("part,diameter_lr_mm,diameter_ap_mm\nleft,5,5\n", "line 2: diameter_si_mm is empty"),
        ("part,diameter_mm,diameter_si_mm\nleft,5,40\n", "line 2: .*too long for its width"),
        ("part,diameter_mm,bulge\nleft,5,0.9\n", "line 2: A nodule cannot bulge by 0.9"),
        ("part,diameter_mm,phantom\nleft,5,0\n", "line 2: The phantom '0' is no number"),
        ("part,diameter_mm,composition\nleft,5,hard\n", "line 2: 'hard' is no composition.*solid, mixed, cystic"),
    ],
)
def test_a_fault_in_a_table_is_named_with_its_line_and_remedy(tmp_path, text, fault):
    with pytest.raises(InputError, match=rf"nodules\.csv.*{fault}"):
        table(tmp_path, text)


def test_a_distribution_is_drawn_as_it_is_written():
    text = "count=0-4,diameter=normal(10, 2),aspect=0.8,bulge=0-0.3,lobe=right:3/left:1,composition=solid/cystic"
    spread = NoduleDistribution.parse(text)
    rng = np.random.default_rng(0)
    counts = [spread.count.draw_whole(rng) for _ in range(500)]
    assert set(counts) == {0, 1, 2, 3, 4} and np.mean(counts) == pytest.approx(2.0, abs=0.2)
    diameters = [spread.diameter.draw(rng) for _ in range(500)]
    assert np.mean(diameters) == pytest.approx(10.0, abs=0.3) and np.std(diameters) == pytest.approx(2.0, abs=0.3)
    parts = [spread.part.draw(rng) for _ in range(500)]
    assert parts.count("right") / 500 == pytest.approx(0.75, abs=0.06) and "isthmus" not in parts
    assert dict(spread.composition.shares) == {"solid": 0.5, "cystic": 0.5}
    assert spread.aspect.draw(rng) == 0.8
    assert NoduleDistribution.parse(str(spread)) == spread
    assert np.mean([NoduleDistribution.parse("count=poisson(2)").count.draw_whole(rng) for _ in range(800)]) == (
        pytest.approx(2.0, abs=0.2)
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        ("2", "'2' is not a property"),
        ("size=5", "no property 'size'.*diameter"),
        ("count=1.5", "no whole number"),
        ("count=1000", "impossible: values must be from 0 to 20"),
        ("count=normal(2,1)", "not a distribution"),
        ("diameter=500", "impossible: values must be from 1 to 80"),
        ("diameter=20-5", "is empty"),
        ("diameter=uniform(5)", "not a distribution.*LOW-HIGH"),
        ("diameter=5,diameter=6", "named twice"),
        ("composition=solid:-1", "negative"),
        ("composition=solid/solid", "named twice"),
        ("margin=spiky", "'spiky' is no margin.*smooth, lobulated, irregular"),
        ("bulge=0-0.9", "values must be from 0 to 0.7"),
    ],
)
def test_a_distribution_that_cannot_be_is_refused_with_a_remedy(text, fault):
    with pytest.raises(InputError, match=fault):
        NoduleDistribution.parse(text)
