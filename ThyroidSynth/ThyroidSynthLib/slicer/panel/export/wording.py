"""Texts about an export and a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ThyroidSynthLib.export.cohort.cohort_run import CohortState
    from ThyroidSynthLib.export.merging import Merged
    from ThyroidSynthLib.slicer.scene.thyroids.export import ExportedThyroid

_MAX_LISTED = 3


def exportedText(written: Sequence[ExportedThyroid], folder: Path, notes: Sequence[str]) -> str:
    """Return a report of an export."""
    text = _("Written to {folder} and read back. Files: {files}, thyroids: {thyroids}.")
    lines = [text.format(files=sum(len(each.files) for each in written), thyroids=len(written), folder=folder)]
    for each in written[:_MAX_LISTED]:
        parts = []
        if each.label_volume_ml is not None:
            parts.append(_("label map {volume:.1f} mL").format(volume=each.label_volume_ml))
        if each.merged is not None:
            parts.append(_overlapText(each.merged))
        if parts:
            lines.append(_("{name}: {what}").format(name=each.name, what=", ".join(parts)))
    if len(written) > _MAX_LISTED:
        lines.append(_("The others are listed in thyroids.csv."))
    lines += [_("Note: {note}.").format(note=note) for note in notes]
    return "\n".join(lines)


def _overlapText(merged: Merged) -> str:
    if not merged.overlaps:
        return _("merged without overlap")
    structures = ", ".join(f"{other.name} {other.volume_ml:.2f} mL" for other in merged.overlaps[:_MAX_LISTED])
    if len(merged.overlaps) > _MAX_LISTED:
        structures += "…"
    # Only if the other structures were kept is part of the thyroid missing.
    if merged.written_ml < merged.new_ml:
        return _("merged, overlap left to {structures}").format(structures=structures)
    return _("merged, overlap taken from {structures}").format(structures=structures)


def cohortText(state: CohortState) -> str:
    """Return the state of a cohort."""
    texts = {
        "none": _("There is no cohort in this folder."),
        "running": _("{done} of {total} thyroids") if state.done else _("Starting…"),
        "stopping": _("{done} of {total} thyroids, stopping"),
        "stopped": _("Stopped: {done} of {total} thyroids are complete and in the manifest."),
        "finished": _("Finished: {done} thyroids; all files were read back and match the manifest."),
        "failed": _("Failed after {done} of {total} thyroids."),
    }
    text = texts[state.status].format(done=state.done, total=state.total)
    return f"{text} {state.message}".strip()
