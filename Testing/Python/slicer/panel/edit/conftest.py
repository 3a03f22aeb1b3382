"""A panel in which the patient's thyroid has been fitted; each thyroid is fitted once for all tests."""

from __future__ import annotations

import pytest

from support import edit_hands

_FITS: dict[tuple, object] = {}


@pytest.fixture
def remembered_fits(monkeypatch):
    """Return the result of an earlier fit of the same thyroid by the same model, which takes seconds to compute."""
    from ThyroidSynthLib.generation.edit import editing

    fit_mask = editing.fit_mask

    def remembered(model, mask, placement, *, scan, seed, **options):
        grids = [grid and (grid.shape, grid.ijk_to_ras.tobytes()) for grid in (mask.grid, scan)]
        key = (model.checksum, mask.array.tobytes(), *grids, placement.trachea_to_ras.tobytes(), seed)
        if key not in _FITS:
            _FITS[key] = fit_mask(model, mask, placement, scan=scan, seed=seed, **options)
        return _FITS[key]

    monkeypatch.setattr(editing, "fit_mask", remembered)


@pytest.fixture
def fitted(ready, remembered_fits):
    edit_hands.fit(ready)
    return ready
