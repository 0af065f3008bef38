"""Trainer: any number of voices in training at once on one loaded base model, joining and leaving between steps.
Knows runs and who shares a step. Knows nothing of jobs, processes or the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from adapters.training.dataset import DataSet
from adapters.training.events import OnEvent
from adapters.training.learner import Learner, Lesson
from adapters.training.recipe import Recipe
from adapters.training.run import Run, Work
from adapters.training.stopping import ShouldStop, Stopped
from adapters.training.training import Trained, Training

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A training that has left."""

    training: Training
    """Which."""
    result: Trained | Stopped | Exception
    """How."""


class _Member:
    """A run with its place in it: what it waits for."""

    def __init__(self, training: Training, run: Run) -> None:
        self.training = training
        self.run = run
        self.work: Work = run.work()
        self.lessons: Sequence[Lesson] | None = None
        self.begun = False


class Trainer:
    """Trains whoever is added; `close` gives the model back exactly as it was.

    What each training learns does not depend on the others: together it is what it would be alone, up to rounding.
    """

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, *, memory_bytes: int | None = None) -> None:
        """`memory_bytes`: how much of a GPU's memory may be held.

        Raises ValueError for a model that cannot be trained on.
        """
        self._learner = Learner(model, memory_bytes=memory_bytes)
        self._tokenizer = tokenizer
        self._members: list[_Member] = []

    def add(self, training: Training) -> None:
        """Let it join at the next step."""
        self._members.append(_Member(training, Run(training, self._learner, self._tokenizer, self._anyone_stops)))

    @property
    def busy(self) -> bool:
        """Whether anybody is in training."""
        return bool(self._members)

    def step(self) -> list[Ended]:
        """One step of the optimizer for all who are ready, one measurement for each of the others; who has left by it.

        A training that fails ends with its exception, and the others go on.
        """
        ended = []
        for member in list(self._members):
            result = self._stop(member) if member.training.should_stop() else self._advance(member, None)
            if result is not None:
                ended.append(self._leave(member, result))
        for member, losses in self._learn([member for member in self._members if member.lessons is not None]):
            result = losses if isinstance(losses, Exception) else self._advance(member, losses)
            if result is not None:
                ended.append(self._leave(member, result))
        return ended

    def close(self) -> None:
        """Take everything off the model."""
        self._learner.close()

    def _advance(self, member: _Member, losses: Sequence[float] | None) -> Trained | Exception | None:
        if member.lessons is not None and losses is None:
            return None
        member.lessons = None
        try:
            member.lessons = member.work.send(losses) if losses is not None else next(member.work)
        except StopIteration as done:
            trained: Trained = done.value
            return trained
        except Stopped:
            return self._stop(member)
        except Exception as error:  # noqa: BLE001 - told to whoever asked for this training; the others go on
            return error
        return None

    def _learn(self, members: Sequence[_Member]) -> list[tuple[_Member, Sequence[float] | Exception]]:
        if not members:
            return []
        lessons = [lesson for member in members for lesson in member.lessons or ()]
        try:
            losses = self._learner.step(lessons, lambda: all(member.training.should_stop() for member in members))
        except Stopped:
            return []  # the next step ends them
        except torch.OutOfMemoryError as error:
            if len(members) == 1:
                return [(members[0], error)]
            # One after another needs less.
            return [answer for member in members for answer in self._learn([member])]
        except Exception as error:  # noqa: BLE001 - a fault that cannot be told apart by training
            return [(member, error) for member in members]
        answers: list[tuple[_Member, Sequence[float] | Exception]] = []
        for member in members:
            count = len(member.lessons or ())
            answers.append((member, losses[:count]))
            losses = losses[count:]
        return answers

    def _anyone_stops(self) -> bool:
        return any(member.training.should_stop() for member in self._members)

    def _stop(self, member: _Member) -> Stopped | Exception:
        try:
            member.run.save()
        except OSError as error:
            return error
        return Stopped(member.run.step)

    def _leave(self, member: _Member, result: Trained | Exception) -> Ended:
        member.work.close()
        self._members.remove(member)
        return Ended(training=member.training, result=result)


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
    checkpoint: Path | None = None,
) -> Trained:
    """Train one voice alone and write its adapter into `out`; afterwards `model` is exactly what it was before.

    The arguments are those of `Training`. The same model, data and recipe give the same weights on a CPU. Raises
    Stopped when `should_stop()` becomes true (no adapter is written then), Diverged when a figure stops being a number,
    ValueError for a model that cannot be trained on.
    """
    if should_stop():
        raise Stopped
    trainer = Trainer(model, tokenizer)
    try:
        trainer.add(
            Training(
                data=data,
                recipe=recipe,
                on_event=on_event,
                should_stop=should_stop,
                out=out,
                base_name=base_name,
                sample_briefs=sample_briefs,
                checkpoint=checkpoint,
            )
        )
        while not (ended := trainer.step()):
            pass
    finally:
        trainer.close()
    result = ended[0].result
    if isinstance(result, Exception):
        raise result
    return result
