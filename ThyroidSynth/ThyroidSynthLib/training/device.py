"""The device that a training runs on."""

from __future__ import annotations

import torch

from ThyroidSynthLib.common.errors import ModelError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device named "cpu", "cuda" or "cuda:1"; for "auto" the GPU if PyTorch can use one, else the CPU.

    `ModelError` if there is no such device, or this PyTorch cannot use it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(
            f"Device '{name}' is not available: PyTorch {torch.__version__} finds no CUDA GPU. "
            "Install a PyTorch with CUDA that fits the driver, or choose 'cpu' or 'auto'."
        )
    try:
        return torch.device(name)
    except RuntimeError:
        raise ModelError(f"There is no device '{name}'. Choose 'auto', 'cpu' or 'cuda'.") from None
