"""Whether there is a GPU, without asking torch."""

from __future__ import annotations

import pytest

from config import accelerator


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(accelerator, "DRIVER", tmp_path / "version")
    monkeypatch.setattr(accelerator.shutil, "which", lambda _: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(("device", "found"), [("cpu", False), ("cuda", True), ("cuda:1", True), ("auto", False)])
def test_what_is_asked_for_counts(device, found):
    assert accelerator.on_gpu(device) is found


def test_auto_is_the_gpu_where_its_driver_is(tmp_path, monkeypatch):
    (tmp_path / "version").write_text("NVRM version")
    assert accelerator.on_gpu("auto")
    assert not accelerator.on_gpu("cpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not accelerator.on_gpu("auto")


@pytest.mark.parametrize(("text", "meant"), [("auto", 8), ("", 8), ("3", 3), ("0", 0)])
def test_a_number_may_be_left_to_the_machine(text, meant):
    assert accelerator.number(text, auto=8) == meant
