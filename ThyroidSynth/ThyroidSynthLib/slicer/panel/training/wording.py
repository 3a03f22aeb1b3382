"""Texts about a training: its state, duration and device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ThyroidSynthLib.geometry.features import FEATURE_NAMES
from ThyroidSynthLib.slicer.panel.shared.wording import durationText, featureName, featureText

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.quality_table import CaseVerdict
    from ThyroidSynthLib.jobs.estimate import Estimate
    from ThyroidSynthLib.jobs.job import JobState
    from ThyroidSynthLib.jobs.machine import Machine

_GB = 1e9
LONG_ON_CPU_S = 3600.0


def stateName(status: str) -> str:
    """Return the name of a status of `job.STATUSES`."""
    return {
        "created": _("Starting"),
        "running": _("Running"),
        "stopping": _("Stopping"),
        "checked": _("Cases checked"),
        "stopped": _("Stopped"),
        "finished": _("Finished"),
        "failed": _("Failed"),
        "interrupted": _("Interrupted"),
    }[status]


def stateText(state: JobState, *, runs: bool) -> str:
    """Return the state and progress of a training."""
    if state.status == "running" and 0 < state.epochs <= state.epoch:
        # The trained model is being completed.
        return state.message
    if state.status in ("running", "stopping") and state.epoch:
        parts = [
            _("Epoch {epoch} of {epochs}").format(epoch=state.epoch, epochs=state.epochs),
            _("{time} left").format(time=durationText(state.eta_s)) if state.eta_s is not None else "",
            _("loss {loss:.3g}").format(loss=state.loss) if state.loss is not None else "",
            _("on {device}").format(device=deviceName(state.device)) if state.device else "",
            _("stopping after this epoch") if state.status == "stopping" else "",
        ]
        return ", ".join(part for part in parts if part)
    if state.status == "created" and not runs:
        return _("Ready to start.")
    name = stateName(state.status)
    if state.status == "checked":
        return _("{state}. Include or exclude cases manually if necessary, then start the training.").format(state=name)
    if state.status == "stopped":
        return _("{state}. {why} It can be resumed.").format(state=name, why=state.message)
    # The message of an interruption includes the remedy.
    return state.message if state.message.startswith(name) else f"{name}. {state.message}".strip()


def deviceName(device: str) -> str:
    """Return the name of a PyTorch device."""
    return _("the CPU") if device == "cpu" else _("the GPU")


def machineText(machine: Machine, device: str) -> str:
    """Return the GPUs or the CPU that a device such as "auto" or "cuda" means on a computer, with the free memory."""
    lines = []
    if device != "cpu":
        text = _("{name}: {free:.1f} of {total:.1f} GB free")
        lines += [
            text.format(name=gpu.name, free=gpu.free_bytes / _GB, total=gpu.memory_bytes / _GB) for gpu in machine.gpus
        ] or [machine.problem or _("There is no GPU that PyTorch can use.")]
    if device == "cpu" or not machine.gpus:
        cpu = _("CPU: {n} cores").format(n=machine.cores)
        if machine.memory_bytes is not None and machine.free_bytes is not None:
            cpu += _(", {free:.1f} of {total:.1f} GB free").format(
                free=machine.free_bytes / _GB, total=machine.memory_bytes / _GB
            )
        lines.append(cpu)
    return "\n".join(lines)


def estimateText(estimate: Estimate, epochs: int, done: int = 0) -> str:
    """Return the estimated duration of a training, or of the rest after some completed epochs."""
    where = _("on this CPU") if estimate.device == "cpu" else _("on this GPU")
    if done:
        time = durationText((epochs - done) * estimate.seconds_per_epoch)
        text = _("About {time} more {where} ({left} of {epochs} epochs left).")
        return text.format(time=time, where=where, left=epochs - done, epochs=epochs)
    time = durationText(estimate.total_s(epochs))
    if estimate.cases_checked:
        text = _("About {time} {where} ({cases} cases{held}, {epochs} epochs).")
    else:
        text = _("At most about {time} {where} ({cases} cases{held}, if none is excluded, {epochs} epochs).")
    held = _(" and {n} held out").format(n=estimate.held_out) if estimate.held_out else ""
    return text.format(time=time, where=where, cases=estimate.cases, held=held, epochs=epochs)


def paceText(seconds_per_epoch: float, epochs: int) -> str:
    """Return the duration of a running training, from the time per epoch."""
    return _("{pace:.2g} s per epoch, {time} in all.").format(
        pace=seconds_per_epoch, time=durationText(seconds_per_epoch * epochs)
    )


def restText(seconds_per_epoch: float, left: int, epochs: int) -> str:
    """Return the duration of the rest of a training that is resumed, from the time per epoch so far."""
    text = _("About {time} more if it is as fast as before ({left} of {epochs} epochs left).")
    return text.format(time=durationText(seconds_per_epoch * left), left=left, epochs=epochs)


def warningText(estimate: Estimate, machine: Machine, epochs: int) -> str:
    """Return the problem of a training with these settings; empty if there is none."""
    total = estimate.total_s(epochs)
    if estimate.device == "cpu" and machine.gpus:
        text = _("This computer has a GPU ({name}). Choose the device Automatic to use it.")
        return text.format(name=machine.gpus[0].name)
    if estimate.device == "cpu" and total > LONG_ON_CPU_S:
        text = _(
            "Without a GPU the training takes {time} and slows this computer down. Choose a faster preset or fewer "
            "epochs, or use a computer with an NVIDIA GPU."
        )
        return text.format(time=durationText(total))
    if estimate.gpu_bytes and estimate.gpu_bytes > machine.gpus[0].free_bytes:
        text = _(
            "The samples need {needed:.1f} GB of GPU memory, but only {free:.1f} GB are free. Close other programs "
            "that use the GPU, or train on the CPU."
        )
        return text.format(needed=estimate.gpu_bytes / _GB, free=machine.gpus[0].free_bytes / _GB)
    return ""


def casesText(verdicts: list[CaseVerdict]) -> str:
    """Return how many cases are used, flagged, and included or excluded manually."""
    accepted = sum(verdict.accepted for verdict in verdicts)
    flagged = sum(_isFlagged(verdict) for verdict in verdicts)
    manual = sum(verdict.accepted != verdict.accepted_by_rules for verdict in verdicts)
    text = _("{accepted} of {cases} cases are used").format(accepted=accepted, cases=len(verdicts))
    text += _(", {n} of them flagged").format(n=flagged) if flagged else ""
    return text + (_(", {n} included or excluded manually").format(n=manual) if manual else "") + "."


def verdictText(verdict: CaseVerdict) -> str:
    """Return the verdict on a case with its reason."""
    if verdict.error:
        return _("unreadable: {why}").format(why=verdict.error)
    why = "; ".join(verdict.reasons)
    if verdict.accepted != verdict.accepted_by_rules:
        text = _("included manually: {why}") if verdict.accepted else _("excluded manually")
        return text.format(why=why)
    if not verdict.accepted:
        return _("excluded: {why}").format(why=why)
    return _("flagged: {why}").format(why="; ".join(verdict.notes)) if _isFlagged(verdict) else _("accepted")


def caseText(verdict: CaseVerdict) -> str:
    """Return a case with its features, its verdict and all notes."""
    values = verdict.features
    texts = (
        [] if values is None else [f"{featureName(name)} {featureText(name, values[name])}" for name in FEATURE_NAMES]
    )
    lines = [f"{verdict.id}: {', '.join(texts)}" if texts else verdict.id, verdictText(verdict)]
    return "\n".join([*lines, *(note for note in verdict.notes if not _isFlagged(verdict))])


def _isFlagged(verdict: CaseVerdict) -> bool:
    """Check whether quality control accepts a case and remarks on it."""
    return verdict.accepted and verdict.accepted_by_rules and bool(verdict.notes)


def alignmentText(alignment: str) -> str:
    """Return the alignment of shapes in the trachea frame, one of `geometry.frame.ALIGNMENTS`, in words."""
    return {
        "upright": _("Shapes are aligned with the trachea's axis at the height of the gland."),
        "trachea": _("Shapes are centred on the trachea's centroid, as published."),
    }.get(alignment, alignment)
