"""What is said of an export: what was written, what overlaps, and how far a cohort is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ThyroidSynthLib.export.cohort.cohort_run import CohortState
    from ThyroidSynthLib.slicer.scene.thyroids.export import ExportedThyroid

_FEW = 3


def exportedText(written: Sequence[ExportedThyroid], folder: Path, notes: Sequence[str]) -> str:
    """Say what was written, and what the user should know of it."""
    count = sum(len(each.files) for each in written)
    lines = [
        _("Written to {folder} and read back. Files: {files}, thyroids: {thyroids}.").format(
            files=count, thyroids=len(written), folder=folder
        )
    ]
    for each in written[:_FEW]:
        parts = []
        if each.label_volume_ml is not None:
            parts.append(_("label map {volume} mL").format(volume=f"{each.label_volume_ml:.1f}"))
        if each.merged is not None:
            parts.append(_overlapText(each))
        if parts:
            lines.append(_("{name}: {what}").format(name=each.name, what=", ".join(parts)))
    if len(written) > _FEW:
        lines.append(_("The others are in the table thyroids.csv."))
    lines += [_("Note: {note}.").format(note=note) for note in notes]
    return "\n".join(lines)


def _overlapText(each: ExportedThyroid) -> str:
    merged = each.merged
    if not merged.overlaps:
        return _("merged without overlap")
    shown = ", ".join(f"{other.name} {other.volume_ml:.2f} mL" for other in merged.overlaps[:_FEW])
    if len(merged.overlaps) > _FEW:
        shown += "…"
    # What the others kept is what of the thyroid was not written.
    if merged.written_ml < merged.new_ml:
        return _("merged, kept out of {structures}").format(structures=shown)
    return _("merged over {structures}").format(structures=shown)


def cohortText(state: CohortState) -> str:
    """Say how far a cohort is."""
    texts = {
        "none": _("No cohort is made in this folder."),
        "running": _("{done} of {total} thyroids") if state.done else _("Starting…"),
        "stopping": _("{done} of {total} thyroids, stopping"),
        "stopped": _("Stopped: {done} of {total} thyroids are whole and in the manifest."),
        "finished": _("Finished: {done} thyroids, every file read back and compared with the manifest."),
        "failed": _("Failed after {done} of {total} thyroids."),
    }
    text = texts[state.status].format(done=state.done, total=state.total)
    return f"{text} {state.message}".strip()
