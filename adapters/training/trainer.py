"""Trainer: from a data set and a base model to a finished adapter in PEFT's layout.
Knows steps, evaluations and the best weights so far. Knows nothing of jobs, processes or the store."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from adapters.training import lora, samples
from adapters.training.dataset import DataSet
from adapters.training.evaluation import bits_per_byte
from adapters.training.events import Baseline, Evaluation, OnEvent, Prepared, Sample, Step
from adapters.training.learner import Diverged, Learner, precision
from adapters.training.loss import layers_of, require_plain_output
from adapters.training.pace import Pace
from adapters.training.recipe import Recipe
from adapters.training.schedule import Schedule
from adapters.training.stopping import ShouldStop, Stopped, stoppable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished voice."""

    folder: Path
    """Where adapter_config.json and adapter_model.safetensors lie."""
    bits_per_byte: float
    """Of the voice on the held-out posts; the stored weights are the best measured."""
    base_bits_per_byte: float
    """Of the base model on the same."""
    rank: int
    """Of the adapter."""
    bytes: int
    """Size of both files."""
    step: int
    """After which step the stored weights were measured."""
    steps: int
    """Steps made in all."""
    seconds: float
    """From the first measurement to the last file."""


def train(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    data: DataSet,
    recipe: Recipe,
    on_event: OnEvent,
    should_stop: ShouldStop,
    out: Path,
    *,
    base_name: str | None = None,
    sample_briefs: Sequence[str] = (),
) -> Trained:
    """Train a voice and write its adapter into `out`; afterwards `model` is exactly what it was before.

    `base_name` goes into the adapter's configuration (default: the name of the model's folder). To each of
    `sample_briefs` a short text is written at every evaluation. The same model, data and recipe give the same weights
    on a CPU. Raises Stopped when `should_stop()` becomes true (nothing is written
    then), Diverged when a figure stops being a number, ValueError for a model that cannot be trained.
    """
    started = time.monotonic()
    require_plain_output(model)
    schedule = Schedule(len(data.windows), recipe)
    on_event(
        Prepared(
            train_posts=len(data.train),
            held_out_posts=len(data.held_out),
            train_tokens=data.train_tokens,
            held_out_tokens=data.held_out_tokens,
            steps=schedule.steps,
            data_hash=data.hash,
        )
    )
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices), precision(model):
        torch.manual_seed(recipe.seed)
        run = _Run(model, tokenizer, data, recipe, schedule, on_event, should_stop, sample_briefs)
        base = run.measure_base()
        with lora.attached(model, recipe) as wrapped, stoppable(layers_of(model), should_stop):
            run.train(wrapped)
    assert run.best is not None, "the last step is always measured"
    name = base_name or Path(model.name_or_path).name
    size = lora.save(run.best, recipe, out, base_name=name, dtype=model.dtype)
    return Trained(
        folder=out,
        bits_per_byte=run.best_bits_per_byte,
        base_bits_per_byte=base,
        rank=recipe.rank,
        bytes=size,
        step=run.best_step,
        steps=run.step,
        seconds=time.monotonic() - started,
    )


class _Run:
    """One voice in training: optimizer, place in the schedule, best weights so far."""

    def __init__(
        self,
        model: Any,
        tokenizer: PreTrainedTokenizerBase,
        data: DataSet,
        recipe: Recipe,
        schedule: Schedule,
        on_event: OnEvent,
        should_stop: ShouldStop,
        sample_briefs: Sequence[str],
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.data = data
        self.recipe = recipe
        self.schedule = schedule
        self.on_event = on_event
        self.should_stop = should_stop
        self.sample_briefs = sample_briefs
        self.pace = Pace()
        self.step = 0
        self.best: lora.Weights | None = None
        self.best_bits_per_byte = float("inf")
        self.best_step = 0

    def measure_base(self) -> float:
        started = time.monotonic()
        found = self._measure()
        self.on_event(Baseline(bits_per_byte=found))
        with stoppable(layers_of(self.model), self.should_stop):
            self._write_samples()
        self.pace.evaluation(time.monotonic() - started)
        return found

    def train(self, wrapped: Any) -> None:
        learner = Learner(self.model)
        evaluations = self.schedule.evaluations
        losses: list[float] = []
        without_gain = 0
        wrapped.train()
        try:
            for batch in self.schedule.batches():
                rows = [(self.data.windows[index].ids, self.data.windows[index].labels) for index in batch]
                rate = self.schedule.learning_rate(self.step + 1)
                started = time.monotonic()
                losses.append(learner.step(rows, rate, self.should_stop))
                self.pace.step(time.monotonic() - started, sum(len(ids) for ids, _ in rows))
                self.step += 1
                self._tell_step(losses[-1], rate, [step for step in evaluations if step >= self.step])
                if self.step in evaluations:
                    without_gain = 0 if self._evaluate(wrapped, sum(losses) / len(losses)) else without_gain + 1
                    losses.clear()
                    if without_gain >= self.recipe.patience:
                        return
        except Stopped:
            raise Stopped(self.step) from None

    def _tell_step(self, loss: float, rate: float, evaluations_left: Sequence[int]) -> None:
        self.on_event(
            Step(
                step=self.step,
                steps=self.schedule.steps,
                loss=loss,
                learning_rate=rate,
                tokens_per_second=self.pace.tokens_per_second,
                eta_seconds=self.pace.left(self.schedule.steps - self.step, len(evaluations_left)),
            )
        )

    def _evaluate(self, wrapped: Any, train_loss: float) -> bool:
        started = time.monotonic()
        found = self._measure()
        if not math.isfinite(found):
            raise Diverged(f"bits per byte are {found}")
        best = found < self.best_bits_per_byte
        if best:
            self.best, self.best_bits_per_byte, self.best_step = lora.weights_of(wrapped), found, self.step
        self.on_event(Evaluation(step=self.step, bits_per_byte=found, best=best, train_loss=train_loss))
        self._write_samples()
        self.pace.evaluation(time.monotonic() - started)
        return best

    def _measure(self) -> float:
        return bits_per_byte(self.model, self.tokenizer, self.data.held_out, self.should_stop)

    def _write_samples(self) -> None:
        for brief in self.sample_briefs:
            text = samples.write(self.model, self.tokenizer, brief, seed=self.recipe.seed)
            self.on_event(Sample(step=self.step, brief=brief, text=text))
