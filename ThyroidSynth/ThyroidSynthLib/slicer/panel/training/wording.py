"""What is said of a training: its state, how long it takes, and on what it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ThyroidSynthLib.slicer.panel.shared.wording import durationText

if TYPE_CHECKING:
    from ThyroidSynthLib.dataset.quality_table import CaseVerdict
    from ThyroidSynthLib.jobs.estimate import Estimate
    from ThyroidSynthLib.jobs.job import JobState
    from ThyroidSynthLib.jobs.machine import Machine

_GB = 1e9
LONG_ON_CPU_S = 3600.0


def stateName(status: str) -> str:
    """Give a status of `job.STATUSES` in a word or two."""
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
    """Say how far a training is."""
    if state.status in ("running", "stopping") and state.epoch:
        parts = [
            _("Epoch {epoch} of {epochs}").format(epoch=state.epoch, epochs=state.epochs),
            _("loss {loss:.3g}").format(loss=state.loss) if state.loss is not None else "",
            _("{time} left").format(time=durationText(state.eta_s)) if state.eta_s is not None else "",
            _("on {device}").format(device=deviceName(state.device)) if state.device else "",
            _("stopping after this epoch") if state.status == "stopping" else "",
        ]
        return ", ".join(part for part in parts if part)
    if state.status == "created" and not runs:
        return _("Ready to start.")
    name = stateName(state.status)
    if state.status == "checked":
        return _("{state}. Include or exclude cases by ticks if needed, then start the training.").format(state=name)
    if state.status == "stopped":
        return _("{state}. {why} It can be resumed.").format(state=name, why=state.message)
    # The message of an interruption says itself how to go on.
    return f"{name}. {state.message}".strip()


def deviceName(device: str) -> str:
    """Give a device of PyTorch in a person's words."""
    return _("the processor") if device == "cpu" else _("the GPU")


def machineText(machine: Machine, device: str) -> str:
    """Say what a computer has, and what is free of it.

    Parameters
    ----------
    device : str
        The choice "auto", "cpu" or "cuda".
    """
    lines = []
    if device != "cpu":
        lines += [
            _("{name}: {free:.1f} of {total:.1f} GB free").format(
                name=gpu.name, free=gpu.free_bytes / _GB, total=gpu.memory_bytes / _GB
            )
            for gpu in machine.gpus
        ]
        if not machine.gpus:
            lines.append(machine.problem or _("No GPU that PyTorch can use."))
    if device == "cpu" or not machine.gpus:
        processor = _("Processor: {n} cores").format(n=machine.cores)
        if machine.memory_bytes is not None and machine.free_bytes is not None:
            processor += _(", {free:.1f} of {total:.1f} GB free").format(
                free=machine.free_bytes / _GB, total=machine.memory_bytes / _GB
            )
        lines.append(processor)
    return "\n".join(lines)


def estimateText(estimate: Estimate, epochs: int, done: int = 0) -> str:
    """Say how long a training will take, or the rest of one that has done some epochs."""
    where = _("on this processor") if estimate.device == "cpu" else _("on this GPU")
    if done:
        time = durationText((epochs - done) * estimate.seconds_per_epoch)
        text = _("About {time} more {where} ({left} of {epochs} epochs are left).")
        return text.format(time=time, where=where, left=epochs - done, epochs=epochs)
    time = durationText(estimate.total_s(epochs))
    if estimate.cases_checked:
        text = _("About {time} {where} ({cases} cases{held}, {epochs} epochs).")
    else:
        text = _("At most about {time} {where} ({cases} cases{held}, if none is refused, {epochs} epochs).")
    held = _(" and {n} held out").format(n=estimate.held_out) if estimate.held_out else ""
    return text.format(time=time, where=where, cases=estimate.cases, held=held, epochs=epochs)


def paceText(seconds_per_epoch: float, epochs: int) -> str:
    """Say how long a running training takes, from its own speed."""
    return _("At its speed of {pace:.2g} s an epoch it takes {time} in all.").format(
        pace=seconds_per_epoch, time=durationText(seconds_per_epoch * epochs)
    )


def warningText(estimate: Estimate, machine: Machine, epochs: int) -> str:
    """Say what speaks against training like this; empty when nothing does."""
    total = estimate.total_s(epochs)
    if estimate.device == "cpu" and machine.gpus:
        return _("This computer has a GPU ({name}); the device Automatic uses it.").format(name=machine.gpus[0].name)
    if estimate.device == "cpu" and total > LONG_ON_CPU_S:
        return _(
            "Without a GPU this takes {time}, and the computer is slow meanwhile. Choose a faster preset, fewer "
            "epochs, or train on a computer with an NVIDIA GPU."
        ).format(time=durationText(total))
    if estimate.gpu_bytes and estimate.gpu_bytes > machine.gpus[0].free_bytes:
        return _(
            "The samples need {needed:.1f} GB of the GPU's memory, and {free:.1f} GB are free. Close other programs "
            "that use it, or train on the processor."
        ).format(needed=estimate.gpu_bytes / _GB, free=machine.gpus[0].free_bytes / _GB)
    return ""


def casesText(verdicts: list[CaseVerdict]) -> str:
    """Say how many cases are learnt from, and how often the user decided otherwise than the rules."""
    accepted = sum(verdict.accepted for verdict in verdicts)
    manual_decision = sum(verdict.accepted != verdict.accepted_by_rules for verdict in verdicts)
    text = _("{accepted} of {cases} cases are used").format(accepted=accepted, cases=len(verdicts))
    return text + (_(", {n} included or excluded manually").format(n=manual_decision) if manual_decision else "") + "."


def alignmentText(alignment: str) -> str:
    """Say how shapes are laid in the trachea frame, see `anatomy.frame.ALIGNMENTS`."""
    return {
        "upright": _("Shapes stand upright on the trachea's axis at the gland's level."),
        "trachea": _("Shapes are centred on the trachea's centre of mass, as published."),
    }.get(alignment, alignment)
