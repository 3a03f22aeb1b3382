"""Pictures of the section Inspect in both themes, and of its charts."""

from __future__ import annotations

import numpy as np
import pytest

from support.panel_hands import in_theme
from support.table_hands import Table, make


@pytest.fixture
def opened(ready):
    ready.open("compare")
    ready.module.panel.show()
    make(ready, 1, 2)
    ready.exactCheckBox.setChecked(False)
    make(ready, 3, 4)
    table = Table(ready)
    ready.wait(lambda: not any(text == "…" for text in table.texts(5)), 60)
    return ready, table


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_section_is_drawn_in_both_themes(opened, picture_folder, theme):
    from standin import pictures

    hands, table = opened
    with in_theme(theme == "dark"):
        table.click(table.texts()[1])
        hands.click("distanceMapButton")
        hands.app.process_events()
        picture = pictures.of_widget(hands.InspectSection, 450)
        path = pictures.save(picture, picture_folder / f"inspect_{theme}.png")
        pictures.save(hands.app.four_views("Coloured by distance"), picture_folder / f"inspect_views_{theme}.png")
    assert path.stat().st_size > 5_000
    assert np.ptp(picture) > 100


@pytest.mark.parametrize("line", ["Volume in the cohort", "Isthmus area in the cohort", "Volume: target and measured"])
def test_charts_show_the_thyroids_of_the_scene(opened, picture_folder, line):
    from standin import pictures
    from standin.charts import draw_chart

    hands, _table = opened
    hands.click("chartButton")
    hands.choose("chartSelector", line)
    picture = draw_chart(hands.app.scene.GetFirstNodeByClass("vtkMRMLPlotChartNode"))
    name = line.lower().replace(" ", "_").replace(",", "")
    pictures.save(picture, picture_folder / f"chart_{name}.png")
    green = picture[..., 1].astype(int) > picture[..., 0].astype(int) + 60
    assert green.sum() > 50
