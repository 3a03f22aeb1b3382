"""Adam for a large table of which a step touches a few rows.

It moves them as PyTorch's `SparseAdam` does: moments and values of all other rows stay as they are. Unlike
that, it keeps its count of steps on the table's device and waits for no number from there, so that a GPU's
steps can be recorded (see `recording`).
"""

from __future__ import annotations

import torch

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class DrawnAdam(torch.optim.Optimizer):
    """Moves the rows of a table that were drawn.

    Parameters
    ----------
    table : torch.nn.Parameter, shape (rows, size)
    lr : float or Tensor
    """

    def __init__(self, table: torch.nn.Parameter, lr: float | torch.Tensor) -> None:
        super().__init__([table], {"lr": lr})
        self._table = table
        self._drawn: tuple[torch.Tensor, torch.Tensor] | None = None

    def take(self, rows: torch.Tensor | None, gradients: torch.Tensor | None) -> None:
        """Take the rows that were drawn, none of them twice, and their gradients; None for none."""
        self._drawn = None if rows is None else (rows, gradients)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Move the rows that were drawn."""
        if self._drawn is None:
            return
        rows, gradients = self._drawn
        state = self.state[self._table]
        if not state:
            state["step"] = torch.zeros((), device=self._table.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(self._table), torch.zeros_like(self._table)
        state["step"] += 1
        moments = []
        for name, beta, new in zip(("exp_avg", "exp_avg_sq"), _BETAS, (gradients, gradients.square()), strict=True):
            moment = torch.lerp(state[name].index_select(0, rows), new, 1 - beta)
            state[name].index_copy_(0, rows, moment)
            moments.append(moment)
        # In double precision: in single precision 1 - 0.999 has four digits only.
        step = state["step"].double()
        first, second = (1 - torch.pow(beta, step) for beta in _BETAS)
        size = self.param_groups[0]["lr"] * second.sqrt() / first
        move = moments[0] / moments[1].sqrt().add_(_EPSILON)
        self._table.index_add_(0, rows, move.mul_(-size))
