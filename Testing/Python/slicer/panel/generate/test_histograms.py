"""Histograms under the sliders of Generate, percentiles, and warnings about targets outside the cohort."""

from __future__ import annotations

import numpy as np
import pytest

from ThyroidSynthLib.model.description import describe_model


def pixels(label) -> np.ndarray:
    """Return a label's picture, shape (height, width, 4), blue first."""
    import qt

    image = label.pixmap.toImage().convertToFormat(qt.QImage.Format_ARGB32)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.width(), 4)
    return rows.astype(int)


def target_column(label) -> float:
    """Return the horizontal centre of the target's bar, which alone reaches the top."""
    return float(np.nonzero((pixels(label)[:3, :, 3] > 200).all(axis=0))[0].mean() + 0.5)


def handle_column(slider) -> float:
    """Return the horizontal centre of a slider's handle."""
    import qt

    inner = next(each for each in slider.children() if each.objectName == "Slider")
    handle = inner.style().pixelMetric(qt.QStyle.PM_SliderLength)
    share = (slider.value - slider.minimum) / (slider.maximum - slider.minimum)
    return inner.x + handle / 2 + share * (inner.width - handle)


def test_a_histogram_marks_the_measured_value_and_whether_there_is_a_target(ready):
    ready.click("generateButton")
    label = ready.volumeHistogramLabel
    ready.module.panel.resize(450, 1200)
    ready.module.panel.show()
    ready.app.process_events()
    picture = pixels(label)
    assert ((picture[..., 1] > picture[..., 2] + 40) & (picture[..., 3] > 128)).any()  # The thyroid's colour.
    ready.volumeCheckBox.click()
    assert not (pixels(label)[:3, :, 3] > 200).any()


@pytest.mark.parametrize("name", ["volume", "isthmusArea", "symmetry"])
def test_the_target_is_marked_below_the_handle_whatever_the_width_of_the_panel(ready, name):
    ready.click("generateButton")
    ready.liveCheckBox.checked = False
    ready.module.panel.show()
    label, slider = getattr(ready, f"{name}HistogramLabel"), getattr(ready, f"{name}Slider")
    for width, share in ((450, 0.3), (700, 0.6), (460, 0.8)):
        ready.module.panel.resize(width, 1200)
        slider.setValue(slider.minimum + share * (slider.maximum - slider.minimum))
        ready.app.process_events()
        assert label.pixmap.width() == label.width
        assert target_column(label) == pytest.approx(handle_column(slider), abs=1.5)


def test_percentile_and_warning_show_where_a_target_is_in_the_cohort(ready, model_file):
    values = describe_model(model_file).features[:, 0]
    low, high = values.min(), values.max()
    ready.volumeSlider.setValue(float(np.median(values)))
    assert f"percentile of the {len(values)} synthetic training cases" in ready.volumeRangeLabel.text
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
        (1.0, "1st percentile of the 100 training cases"),
        (2.4, "2nd percentile of the 100 training cases"),
        (11.2, "11th percentile of the 100 training cases"),
        (62.6, "62nd percentile of the 100 training cases"),
        (100.0, "99th percentile of the 100 training cases"),
        (100.5, "above all 100 training cases"),
        (0.5, "below all 100 training cases"),
    ],
)
def test_percentiles_are_ordinal_numbers(slicer_app, value, expected):
    from ThyroidSynthLib.slicer.panel.generate.targets import percentileText

    assert percentileText(np.arange(1.0, 101.0), value, synthetic=False) == expected
    synthetic = expected.replace("100 training", "100 synthetic training")
    assert percentileText(np.arange(1.0, 101.0), value, synthetic=True) == synthetic


def test_equal_values_count_half(slicer_app):
    from ThyroidSynthLib.slicer.panel.generate.targets import percentileText

    assert percentileText(np.array([0.0] * 40 + [5.0] * 60), 0.0, synthetic=False).startswith("20th")
