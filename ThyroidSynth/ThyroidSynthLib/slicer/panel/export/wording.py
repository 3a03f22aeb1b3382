"""Texts about an export and a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ThyroidSynthLib.export.cohort.cohort_run import CohortState
    from ThyroidSynthLib.export.merging import Merged, NeighbourChange
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
    changed = [each.name for each in written if each.changed]
    if changed:
        text = _("Changed since they were generated, and measured as they are now: {names}.")
        lines.append(text.format(names=_listed(changed)))
    lines += [_("Note: {note}.").format(note=note) for note in notes]
    return "\n".join(lines)


def _overlapText(merged: Merged) -> str:
    parts = [_("merged without overlap")]
    if merged.written_ml < merged.new_ml:
        structures = _listed([f"{other.name} {other.volume_ml:.2f} mL" for other in merged.overlaps])
        text = _("merged with {volume:.1f} mL, overlap left to {structures}")
        parts = [text.format(volume=merged.written_ml, structures=structures)]
    elif merged.overlaps:
        parts = [_("merged, overlap taken from other structures")]
    return "; ".join([*parts, *(_changeText(change) for change in merged.changes[:_MAX_LISTED])])


def _changeText(change: NeighbourChange) -> str:
    if change.after_ml == 0:
        return _("{name} is no longer in the map").format(name=change.name)
    text = (
        _("{name} gained {volume:.2f} mL") if change.after_ml > change.before_ml else _("{name} lost {volume:.2f} mL")
    )
    text = text.format(name=change.name, volume=abs(change.after_ml - change.before_ml))
    if change.components_after > change.components_before:
        text += " " + _("and broke into {count} components").format(count=change.components_after)
    return text


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MAX_LISTED]) + ("…" if len(names) > _MAX_LISTED else "")


def cohortText(state: CohortState) -> str:
    """Return the state of a cohort."""
    texts = {
        "none": _("There is no cohort in this folder."),
        "running": _("{done} of {total} thyroids") if state.done else _("Starting…"),
        "stopping": _("{done} of {total} thyroids, stopping"),
        "stopped": _("Stopped: {done} of {total} thyroids are complete and in the manifest."),
        "finished": _("Finished. Thyroids: {done}. All files were read back and match the manifest."),
        "failed": _("Failed after {done} of {total} thyroids."),
    }
    return _stateText(texts, state)


def phantomText(state: CohortState) -> str:
    """Return the state of phantoms that are made in the background."""
    texts = {
        "none": _("There are no phantoms in this folder."),
        "running": _("{done} of {total} phantoms") if state.done else _("Starting…"),
        "stopping": _("{done} of {total} phantoms, stopping"),
        "stopped": _("Stopped: {done} of {total} phantoms are complete."),
        "finished": _("Finished. Synthetic phantoms: {done}."),
        "failed": _("Failed after {done} of {total} phantoms."),
    }
    return _stateText(texts, state)


def _stateText(texts: Mapping[str, str], state: CohortState) -> str:
    text = texts[state.status].format(done=state.done, total=state.total)
    return f"{text} {state.message}".strip()
