"""The trainer's interface over a function that trains one voice from beginning to end: joins wait, steps are long.
Knows that function's arguments. Knows nothing of jobs; it goes when the trainer itself takes several voices at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.training.dataset import DataSet
from adapters.training.events import OnEvent
from adapters.training.recipe import Recipe
from adapters.training.stopping import Stopped
from adapters.training.trainer import Trained, train

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True)
class Training:
    """One voice to train."""

    data: DataSet
    """What it learns from and is measured on."""
    recipe: Recipe
    """How."""
    on_event: OnEvent
    """Is told everything, in the thread that calls `step`."""
    should_stop: Callable[[], bool]
    """Asked often; training ends as Stopped soon after it says yes."""
    out: Path
    """Folder for the finished adapter."""
    base_name: str | None = None
    """For the adapter's configuration."""
    sample_briefs: Sequence[str] = ()
    """Each is answered by a short text at every evaluation."""
    checkpoint: Path | None = None
    """Folder to go on from and to save in; not used here."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A training that has left the trainer."""

    training: Training
    """Which."""
    result: Trained | Stopped | Exception
    """How."""


class Trainer:
    """Trains whatever was added, one voice after another, on one base model."""

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._inside: deque[Training] = deque()

    @property
    def busy(self) -> bool:
        """Whether any training is inside."""
        return bool(self._inside)

    def add(self, training: Training) -> None:
        """Train it too."""
        self._inside.append(training)

    def step(self) -> list[Ended]:
        """Go on for a while; those that have left."""
        training = self._inside.popleft()
        try:
            trained: Trained | Stopped | Exception = train(
                self.model,
                self.tokenizer,
                training.data,
                training.recipe,
                training.on_event,
                training.should_stop,
                training.out,
                base_name=training.base_name,
                sample_briefs=training.sample_briefs,
            )
        except BrokenPipeError:
            raise  # nobody listens any more: that is not the training's own fault
        except Exception as error:  # noqa: BLE001 - whatever it is, it is how this training ended
            trained = error
        return [Ended(training=training, result=trained)]
