"""Train with the authors' own code: `python authors_training.py CODE SET CHECKPOINT EPOCHS TIMES`.

`authors.py` starts it with a Python that has the packages their code needs. Nothing of this project is imported. Their
training script runs as it is, but for two arguments: the number of epochs, which it does not offer as an option, and
the meshes whose Chamfer distances it computes after the first and every thousandth epoch, which trains nothing.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main(code: str, folder: str, checkpoint: str, epochs: str, times: str) -> None:
    """Train, and write the elapsed and the CPU seconds of it, without the start of Python."""
    sys.path.insert(0, code)
    from thyroidsynthesis.nn import train

    published = train.Autodecoder.fit

    def fit(model: object, *given: object, **options: object) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        published(model, *given, **{**options, "epochs": int(epochs), "target_meshes": None})
        spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
        Path(times).write_text(json.dumps(spent), encoding="utf-8")

    train.Autodecoder.fit = fit
    fix_random_numbers()
    train.main(Path(folder), Path(checkpoint), ["volume", "isthmus_area", "symmetry"])


def fix_random_numbers() -> None:
    """Set the random seeds of their weights and codes, and of their samples."""
    import numpy as np
    import torch

    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (their code uses this generator)


if __name__ == "__main__":
    main(*sys.argv[1:])
