"""Run: one voice in training, from its first measurement to its files, in parts that others' may come between.
Knows schedule, evaluations, candidates and checkpoints. Knows nothing of the other runs, processes or the store."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adapters.training import checkpoint, lora, samples
from adapters.training.assess import Budget, assess
from adapters.training.assessment import Assessment
from adapters.training.candidate import Candidate
from adapters.training.evaluation import bits_per_byte
from adapters.training.events import (
    Assessing,
    Baseline,
    Checkpoint,
    Dropped,
    Evaluation,
    Prepared,
    Recited,
    Resumed,
    Sample,
    Step,
)
from adapters.training.learner import Diverged, Learner, Lesson
from adapters.training.pace import Pace
from adapters.training.reciting import STOP_AT, recited
from adapters.training.schedule import Schedule
from adapters.training.stopping import ShouldStop, Stopped
from adapters.training.training import Trained, Training

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHECKPOINT_SECONDS: Final = 60.0
"""A killed process costs at most so much work; every evaluation leaves a checkpoint too."""
TRIAL_MEASUREMENTS: Final = 2
"""After so many measurements the worst of several candidates leaves, and another one after as many more."""


_KEPT: Final = ("base", "base_recites", "step", "measured_at", "measurements", "seconds")
"""What a checkpoint says of the run itself."""

Work = Generator["Sequence[Lesson] | None", "Sequence[float]", Trained]
"""Yields lessons and is sent their losses, or yields None where others may come between."""


class Run:
    """The state of one training."""

    def __init__(
        self, training: Training, learner: Learner, tokenizer: PreTrainedTokenizerBase, interrupted: ShouldStop
    ) -> None:
        """`interrupted` is asked within measurements: somebody, maybe another run, wants to end soon."""
        self.training = training
        self.learner = learner
        self.tokenizer = tokenizer
        self.interrupted = interrupted
        self.schedule = Schedule(len(training.data.windows), training.recipe)
        self.pace = Pace()
        self.base = math.nan
        self.base_recites: int | None = None
        self.step = 0
        self.measured_at = -1
        self.measurements = 0
        self.seconds = 0.0
        self.candidates: list[Candidate] = []
        self._saved_at = (-1, -1)
        self._saved_when = time.monotonic()

    def work(self) -> Work:
        """The whole training."""
        training, recipe, data = self.training, self.training.recipe, self.training.data
        self.training.on_event(
            Prepared(
                train_posts=len(data.train),
                held_out_posts=len(data.held_out),
                train_tokens=data.train_tokens,
                held_out_tokens=data.held_out_tokens,
                steps=self.schedule.steps,
                data_hash=data.hash,
            )
        )
        self._began = time.monotonic()
        if self._resume():
            self._began -= self.seconds
            training.on_event(Resumed(step=self.step, steps=self.schedule.steps))
        else:
            self.candidates = [self._candidate(factor) for factor in recipe.factors_on(self.learner.model.device.type)]
            yield from self._measure_base()
        batches = self.schedule.batches()
        for _ in range(self.step):
            next(batches)
        if self.step in self.schedule.evaluations and self.measured_at < self.step:
            yield from self._evaluate()
        for batch in batches:
            if not self.learning:
                break
            yield from self._learn(batch)
            if self.step in self.schedule.evaluations:
                yield from self._evaluate()
                self.save()
            elif time.monotonic() - self._saved_when > CHECKPOINT_SECONDS:
                self.save()
        return (yield from self._finish())

    def save(self) -> None:
        """Leave a checkpoint of the last finished step, unless it is there. Raises OSError."""
        folder = self.training.checkpoint
        if (
            folder is None
            or not self.candidates
            or math.isnan(self.base)
            or self._saved_at == (self.step, self.measured_at)
        ):
            return
        tensors = {
            f"{index}.{name}": tensor
            for index, candidate in enumerate(self.candidates)
            for name, tensor in candidate.tensors().items()
        }
        self.seconds = time.monotonic() - self._began
        progress = {
            **{name: getattr(self, name) for name in _KEPT},
            "candidates": [candidate.progress() for candidate in self.candidates],
        }
        checkpoint.write(folder, belongs_to=self._belongs_to(), progress=progress, tensors=tensors)
        self._saved_at, self._saved_when = (self.step, self.measured_at), time.monotonic()
        self.training.on_event(Checkpoint(step=self.step))

    def _belongs_to(self) -> dict[str, Any]:
        model = self.learner.model
        shape = [sum(parameter.numel() for parameter in model.parameters()), str(model.dtype)]
        return {"data": self.training.data.hash, "recipe": self.training.recipe.as_dict(), "base model": shape}

    def _resume(self) -> bool:
        folder = self.training.checkpoint
        found = checkpoint.read(folder, belongs_to=self._belongs_to()) if folder is not None else None
        if found is None:
            return False
        progress, tensors = found
        self.candidates = [self._candidate(kept["factor"]) for kept in progress["candidates"]]
        for index, (candidate, kept) in enumerate(zip(self.candidates, progress["candidates"], strict=True)):
            own = {name.removeprefix(f"{index}."): t for name, t in tensors.items() if name.startswith(f"{index}.")}
            candidate.restore(kept, own)
        for name in _KEPT:
            setattr(self, name, progress[name])
        self._saved_at = (self.step, self.measured_at)
        return True

    @property
    def leader(self) -> Candidate:
        """The candidate that did best so far; among those not yet measured the first."""
        return _best(self.candidates)

    @property
    def learning(self) -> list[Candidate]:
        """The candidates that may still get better; the others stand by with their best weights."""
        patience = self.training.recipe.patience
        return [candidate for candidate in self.candidates if candidate.without_gain < patience]

    def _candidate(self, factor: float) -> Candidate:
        return Candidate(self.learner.new_adapter(self.training.recipe), factor)

    def _measure_base(self) -> Generator[None, Sequence[float], None]:
        started = time.monotonic()
        self.base = yield from self._bits_per_byte(None)
        self.training.on_event(Baseline(bits_per_byte=self.base))
        yield from self._write_samples(None)
        self.pace.evaluation(time.monotonic() - started)
        self.measured_at = 0

    def _learn(self, batch: Sequence[int]) -> Generator[Sequence[Lesson], Sequence[float], None]:
        windows = self.training.data.windows
        rows = [(windows[index].ids, windows[index].labels) for index in batch]
        rate = self.schedule.learning_rate(self.step + 1)
        candidates = self.learning
        lessons = [
            Lesson(adapter=candidate.adapter, rows=rows, learning_rate=rate * candidate.factor, step=self.step + 1)
            for candidate in candidates
        ]
        started = time.monotonic()
        losses = yield lessons
        self.pace.step(time.monotonic() - started, sum(len(ids) for ids, _ in rows))
        self.step += 1
        for candidate, loss in zip(candidates, losses, strict=True):
            candidate.losses.append(loss)
            if not math.isfinite(loss):
                self._drop(candidate, f"the loss is {loss}")
        learned = [candidate for candidate in candidates if candidate in self.candidates]
        if not learned:
            return  # others stand by
        evaluations_left = [step for step in self.schedule.evaluations if step >= self.step]
        leader = _best(learned)
        # The texts that are compared at the end are written side by side, in hardly more time than one of them.
        comparing = self.pace.writing(Budget().tokens) if self.training.texts else 0.0
        self.training.on_event(
            Step(
                step=self.step,
                steps=self.schedule.steps,
                loss=leader.losses[-1],
                learning_rate=rate * leader.factor,
                tokens_per_second=self.pace.tokens_per_second,
                eta_seconds=self.pace.left(self.schedule.steps - self.step, len(evaluations_left)) + comparing,
                comparing_seconds=comparing,
            )
        )

    def _evaluate(self) -> Generator[None, Sequence[float], None]:
        started = time.monotonic()
        before = self.leader.bits_per_byte
        for candidate in self.learning:
            found = yield from self._bits_per_byte(candidate)
            if not math.isfinite(found):
                self._drop(candidate, f"bits per byte are {found}")
                continue
            candidate.measured(found, self.step)
            self.training.on_event(
                Evaluation(
                    step=self.step,
                    bits_per_byte=found,
                    best=found < before,
                    train_loss=sum(candidate.losses) / max(1, len(candidate.losses)),
                    learning_rate=self.training.recipe.learning_rate * candidate.factor,
                )
            )
            before = min(before, found)
            candidate.losses.clear()
            if candidate.step == self.step > self.schedule.steps_an_epoch:  # nobody recites what was read once
                yield from self._stop_reciting(candidate)
        self.measured_at = self.step
        self.measurements += 1
        if len(self.candidates) > 1 and self.measurements % TRIAL_MEASUREMENTS == 0:
            self._drop(max(self.candidates, key=lambda candidate: candidate.bits_per_byte), "")
        yield from self._write_samples(self.leader)
        self.pace.evaluation(time.monotonic() - started)

    def _stop_reciting(self, candidate: Candidate) -> Generator[None, Sequence[float], None]:
        # A second stop: held-out posts may still gain a little while the training posts are being learned by heart.
        words = yield from self._recited(candidate)
        if self.base_recites is None and words >= STOP_AT:
            self.base_recites = yield from self._recited(None)
        if words >= max(STOP_AT, 2 * (self.base_recites or 0)):
            candidate.without_gain = self.training.recipe.patience
            self.training.on_event(Recited(step=self.step, words=words, base_words=self.base_recites or 0))

    def _recited(self, candidate: Candidate | None) -> Generator[None, Sequence[float], int]:
        ask = partial(
            recited,
            self.learner.model,
            self.tokenizer,
            self.training.data.train,
            seed=self.training.recipe.seed,
            should_stop=self.interrupted,
        )
        found: int | None = yield from self._undisturbed(candidate, ask)
        return found or 0

    def _drop(self, candidate: Candidate, why: str) -> None:
        if len(self.candidates) == 1:
            raise Diverged(why)
        self.candidates.remove(candidate)
        rate = self.training.recipe.learning_rate * candidate.factor
        figure = candidate.bits_per_byte if math.isfinite(candidate.bits_per_byte) else None
        self.training.on_event(Dropped(step=self.step, learning_rate=rate, bits_per_byte=figure))

    def _bits_per_byte(self, candidate: Candidate | None) -> Generator[None, Sequence[float], float]:
        held_out = self.training.data.held_out
        found: float = yield from self._undisturbed(
            candidate, lambda: bits_per_byte(self.learner.model, self.tokenizer, held_out, self.interrupted)
        )
        return found

    def _write_samples(self, candidate: Candidate | None) -> Generator[None, Sequence[float], None]:
        recipe, model = self.training.recipe, self.learner.model
        for brief in self.training.sample_briefs:
            ask = partial(samples.write, model, self.tokenizer, brief, self.interrupted, seed=recipe.seed)
            started = time.monotonic()
            text = yield from self._undisturbed(candidate, ask)
            self.pace.wrote(time.monotonic() - started, samples.TOKENS)
            self.training.on_event(Sample(step=self.step, brief=brief, text=text))

    def _undisturbed(
        self, candidate: Candidate | None, ask: Callable[[], Any]
    ) -> Generator[None, Sequence[float], Any]:
        # Another run that shall stop may not wait for a long measurement: this one begins again afterwards.
        while True:
            try:
                with self.learner.using(None if candidate is None else candidate.adapter):
                    found = ask()
                yield None
                return found
            except Stopped:
                if self.training.should_stop():
                    raise
                yield None

    def _finish(self) -> Generator[None, Sequence[float], Trained]:
        leader = self.leader
        assert leader.best is not None, "the last step is always measured"
        recipe, model = self.training.recipe, self.learner.model
        name = self.training.base_name or Path(model.name_or_path).name
        size = lora.save(leader.best, recipe, self.training.out, base_name=name, dtype=model.dtype)
        assessment = yield from self._assess(leader)
        return Trained(
            folder=self.training.out,
            bits_per_byte=leader.bits_per_byte,
            base_bits_per_byte=self.base,
            rank=recipe.rank,
            bytes=size,
            learning_rate=recipe.learning_rate * leader.factor,
            step=leader.step,
            steps=self.step,
            assessment=assessment,
            seconds=time.monotonic() - self._began,
        )

    def _assess(self, leader: Candidate) -> Generator[None, Sequence[float], Assessment]:
        training = self.training
        training.on_event(Assessing(texts=training.texts))
        ask = partial(
            assess,
            self.learner.model,
            self.tokenizer,
            training.data,
            training.out,
            budget=Budget(texts=training.texts),
            others=training.others,
            other_voice=training.other_voice,
            measured=(self.base, leader.bits_per_byte),
            seed=training.recipe.seed,
            should_stop=self.interrupted,
        )
        found: Assessment = yield from self._undisturbed(None, ask)
        return found


def _best(candidates: Sequence[Candidate]) -> Candidate:
    return min(candidates, key=lambda candidate: candidate.bits_per_byte)
