"""Pictures to look at: a generated thyroid over the example CT, and the panel beside the views."""

from __future__ import annotations

from ThyroidSynthLib.slicer.scene.display.overlay import bounds_of, look_from_front, show_own_gland


def test_the_overlay_picture_shows_the_thyroid_in_all_four_views(ready, picture_folder):
    from standin import pictures

    ready.seedSpinBox.setValue(3)
    ready.click("generateButton")
    node, parameters = ready.parameters.result, ready.parameters
    # Only the synthetic gland: the patient's own would lie in the same place.
    show_own_gland(parameters.segmentation, parameters.thyroidSegmentID, False)
    lower, upper = bounds_of(node)
    look_from_front(ready.app.scene, (lower + upper) / 2, float((upper - lower).max()))
    for name in ("Red", "Green", "Yellow"):
        logic = ready.app.view(name).logic
        logic.GetSliceNode().SetFieldOfView(120.0, 120.0, logic.GetSliceNode().GetFieldOfView()[2])
    title = "Generated thyroid over an example CT (synthetic; not for clinical use)"
    picture = ready.app.four_views(title)
    path = pictures.save(picture, picture_folder / "generated_thyroid_over_ct.png")
    assert path.stat().st_size > 10_000
    for name in ("Red", "Green", "1"):
        view = ready.app.view(name).grab().astype(int)
        green = (view[..., 1] > view[..., 0] + 25) & (view[..., 1] > view[..., 2] + 10)
        assert green.sum() > 100, name


def test_the_panel_is_pictured_beside_the_four_views(ready, picture_folder):
    ready.click("generateButton")
    ready.wait(lambda: "mL" in ready.ownFeaturesLabel.text)
    path = picture_folder / "panel_and_views.png"
    ready.app.screenshot(ready.module, "ThyroidSynth", path)
    assert path.stat().st_size > 10_000
