"""Work is recorded once and replayed; the tests' own recorder is as strict as they rely on."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from support.tape_recorder import TapeRecorder
from ThyroidSynthLib.training.recording import Recordings


def test_work_is_done_once_at_each_call_whether_it_is_recorded_or_replayed() -> None:
    recorder, values = TapeRecorder(), torch.zeros(2)
    recordings = Recordings(recorder)

    for number in range(4):
        recordings.do("count", lambda: values.add_(1))
        assert values.tolist() == [number + 1] * 2
    recordings.do("other", lambda: values.zero_())

    assert (recorder.recorded, recorder.replayed) == (1, 3)
    assert values.tolist() == [0, 0]


def test_a_replay_sees_what_lies_in_the_tensors_and_nothing_of_python() -> None:
    given, found, factor = torch.ones(2), torch.zeros(2), 2.0

    replay = TapeRecorder().record(lambda: found.copy_((given * factor)[:1] + 1))
    assert found.tolist() == [0, 0]  # Recording does nothing.
    factor = 100.0
    given.fill_(5.0)
    replay()
    assert found.tolist() == [11, 11]
    given = torch.full((2,), 7.0)
    replay()
    assert found.tolist() == [11, 11]


def test_what_a_gpu_would_wait_for_or_keep_for_ever_is_refused() -> None:
    values = torch.ones(3)
    for work, why in (
        (lambda: values.mul_(values.sum().item()), "waits for the device"),
        (lambda: values[values > 0].sum(), "waits for the device"),
        (lambda: values.add_(torch.tensor(1.0)), "keeps what Python holds"),
        (lambda: values.add_(torch.from_numpy(np.ones(3, dtype=np.float32))), "keeps what Python holds"),
    ):
        with pytest.raises(RuntimeError, match=why):
            TapeRecorder().record(work)
        assert values.tolist() == [1, 1, 1]


def test_where_recording_fails_it_says_so_once_and_the_work_is_done_all_the_same(caplog) -> None:
    class Refusing(TapeRecorder):
        def record(self, work):
            try:
                raise RuntimeError("operation not permitted\nwith a long explanation")
            finally:
                raise RuntimeError("capture was invalidated")

    done: list[str] = []
    recordings = Recordings(Refusing())
    with caplog.at_level(logging.WARNING):
        for name in ("a", "b", "a", "b", "a"):
            recordings.do(name, lambda name=name: done.append(name))

    assert "".join(done) == "ababa"
    assert len(caplog.records) == 1
    assert "(operation not permitted)" in caplog.text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_recorded_steps_follow_the_curve_of_the_same_steps_one_by_one(tmp_path, caplog) -> None:
    from support.tiny_cohort import write_tiny_cohort
    from ThyroidSynthLib.model.presets import settings_for
    from ThyroidSynthLib.training.loop import train
    from ThyroidSynthLib.training.recording import CudaRecorder

    class Refusing(CudaRecorder):
        def record(self, work):
            raise RuntimeError("not asked for")

    cohort = write_tiny_cohort(tmp_path / "cohort", cases=9, samples_per_shape=500)
    for settings in (
        settings_for("paper", "correlation", epochs=30, samples_per_shape=100),
        settings_for("fast", "fixed", epochs=30, samples_per_shape=100),
    ):
        curves = []
        for recorder, warnings in ((None, 0), (Refusing(torch.device("cuda")), 1)):
            caplog.clear()
            curve: list[float] = []
            train(cohort, settings, device="cuda", recorder=recorder, on_epoch=lambda r, c=curve: c.append(r.loss))
            assert len(caplog.records) == warnings
            curves.append(curve)
        np.testing.assert_allclose(*curves, rtol=1e-4)
        assert curves[0][-1] < curves[0][0]
