"""Histograms under the sliders of Generate, percentiles, and warnings about targets outside the cohort."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.model.description import describe_model


def test_a_histogram_marks_target_and_measured_value_below_the_handle(ready):
    import qt

    ready.click("generateButton")
    label, slider = ready.volumeHistogramLabel, ready.volumeSlider

    def pixels() -> np.ndarray:
        image = label.pixmap.toImage().convertToFormat(qt.QImage.Format_ARGB32)
        rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.width(), 4)
        return rows.astype(int)

    ready.module.panel.resize(450, 1200)
    ready.module.panel.show()
    ready.app.process_events()
    assert label.pixmap.width() == label.width
    inner = next(each for each in slider.children() if each.objectName == "Slider")
    for value in (8.0, 20.0):
        ready.liveCheckBox.checked = False
        slider.setValue(value)
        ready.app.process_events()
        picture = pixels()
        blue = (picture[:3, :, 3] > 200).all(axis=0)  # Only the target's bar reaches the top.
        share = (value - slider.minimum) / (slider.maximum - slider.minimum)
        expected = inner.x + 8 + share * (inner.width - 16)
        assert np.nonzero(blue)[0].mean() == pytest.approx(expected, abs=8)
    green = (pixels()[..., 1] > pixels()[..., 2] + 40) & (pixels()[..., 3] > 128)
    assert green.any()
    before = pixels()
    ready.volumeCheckBox.click()
    assert not np.array_equal(pixels(), before)


@pytest.mark.parametrize("name", ["volume", "isthmusArea", "symmetry"])
def test_histograms_stay_below_their_handles_when_the_panel_is_resized(ready, name):
    ready.click("generateButton")
    ready.module.panel.show()
    rows = ready.module.widget.panel.generate._rows.values()
    label = getattr(ready, f"{name}HistogramLabel")
    (histogram,) = (row._histogram for row in rows if row._histogram._label is label)
    for width in (450, 700, 460):
        ready.module.panel.resize(width, 1200)
        ready.app.process_events()
        assert histogram._drawn[1:3] == histogram._groove()
        assert label.pixmap.width() == label.width


def test_percentile_and_warning_show_where_a_target_is_in_the_cohort(ready, model_file):
    values = describe_model(model_file).features[:, 0]
    low, high = values.min(), values.max()
    ready.volumeSlider.setValue(float(np.median(values)))
    assert f"percentile of {len(values)}" in ready.volumeRangeLabel.text
    assert ready.targetWarningLabel.isHidden()
    ready.volumeSlider.setValue(ready.volumeSlider.maximum)
    assert f"above all {len(values)}" in ready.volumeRangeLabel.text
    by = ready.volumeSlider.value - high
    assert f"{by:.1f} mL above the cohort's maximum" in ready.targetWarningLabel.text
    ready.volumeSlider.setValue(ready.volumeSlider.minimum)
    if ready.volumeSlider.value < round(low, 1):
        assert "below the cohort's minimum" in ready.targetWarningLabel.text
    ready.volumeCheckBox.click()
    assert not ready.targetWarningLabel.text
    assert ready.volumeRangeLabel.text == "free"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, "1st percentile of 100"),
        (2.4, "2nd percentile of 100"),
        (11.2, "11th percentile of 100"),
        (62.6, "62nd percentile of 100"),
        (100.0, "99th percentile of 100"),
        (100.5, "above all 100"),
        (0.5, "below all 100"),
    ],
)
def test_percentiles_are_ordinal_numbers(slicer_app, value, expected):
    from ThyroidSynthLib.slicer.panel.generate.targets import percentileText

    assert percentileText(np.arange(1.0, 101.0), value) == expected


def test_equal_values_count_half(slicer_app):
    from ThyroidSynthLib.slicer.panel.generate.targets import percentileText

    assert percentileText(np.array([0.0] * 40 + [5.0] * 60), 0.0).startswith("20th")
