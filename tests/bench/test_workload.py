"""The workload that published figures come from, and adapters of real shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors import safe_open

from bench.workload import SHAPES, STANDARD, Workload, dummy_model, lora_values, write_dummy_adapter


def test_jobs_are_drawn_as_the_published_generator_draws_them():
    jobs = Workload(voices=2000, requests=1200, rate=10.0).jobs(vocabulary=512)
    np.random.seed(42)
    voices = (np.random.power(1.0, 1200) * 2000).astype(int)
    prompts, outputs = np.random.randint(8, 512, 1200), np.random.randint(8, 512, 1200)
    arrivals = np.cumsum([np.random.gamma(1.0, 0.1) for _ in range(1200)])
    assert [job.voice for job in jobs] == voices.tolist()
    assert [len(job.prompt) for job in jobs] == prompts.tolist()
    assert [job.output for job in jobs] == outputs.tolist()
    assert [job.arrival for job in jobs] == pytest.approx(arrivals.tolist())


def test_without_a_rate_all_arrive_at_once_and_the_same_seed_draws_the_same():
    workload = Workload(voices=3, requests=20)
    jobs = workload.jobs(vocabulary=512)
    assert {job.arrival for job in jobs} == {0.0}
    assert {job.voice for job in jobs} == {0, 1, 2}
    assert jobs == workload.jobs(vocabulary=512)


def test_an_adapter_is_as_large_as_its_rank_and_layers_say(tmp_path):
    model = dummy_model("tiny", device="cpu", dtype=torch.float32)
    for modules in ("attention", "all"):
        folder = write_dummy_adapter(model, tmp_path / modules, rank=4, modules=modules)
        with safe_open(folder / "adapter_model.safetensors", framework="pt") as file:
            values = sum(file.get_tensor(key).numel() for key in file.keys())  # noqa: SIM118
        assert values == 4 * lora_values(model, modules)


def test_every_shape_has_a_usual_table():
    assert STANDARD.keys() == SHAPES.keys()
