"""The choices of the panel are those of the library."""

from __future__ import annotations


def values(choice) -> set:
    return {each.value for each in choice}


def test_choices_have_the_values_of_the_library(slicer_app):
    from ThyroidSynthLib.generation.cohort.marginals import KINDS
    from ThyroidSynthLib.imaging.label_map_files import LABEL_FORMATS
    from ThyroidSynthLib.imaging.mesh_files import SPACES
    from ThyroidSynthLib.model.presets import PRESETS
    from ThyroidSynthLib.model.settings import VARIANTS
    from ThyroidSynthLib.slicer.panel.shared import choices

    assert values(choices.Preset) == set(PRESETS)
    assert values(choices.Variant) == set(VARIANTS)
    # The others are two files each, or what NRRD becomes when there are several structures.
    assert values(choices.LabelFormat) == set(LABEL_FORMATS) - {"mhd", "raw", "seg.nrrd"}
    assert values(choices.MeshSpace) == set(SPACES)
    assert values(choices.Spread) == set(KINDS)


def test_a_choice_has_a_value_and_a_label(slicer_app):
    from ThyroidSynthLib.slicer.panel.shared.choices import ClassMap, SurfaceDetail

    assert (ClassMap.NAMED.value, ClassMap.NAMED.label()) == (None, "named in the file")
    assert SurfaceDetail(128) is SurfaceDetail.FINE
