"""The trainer's workshop: a loaded base model, and jobs that become trainings and finished voices on it.
Knows specs, data sets, manifests and the trainer. Knows nothing of pipes, queues or records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from adapters import base_model
from adapters.style.writers import demo_writers
from adapters.training import dataset, manifest
from adapters.training.job import Job
from adapters.training.precision import chosen
from adapters.training.recipe import readiness
from adapters.training.spec import Spec
from adapters.training.stopping import Stopped
from adapters.training.trainer import Ended, Trainer
from adapters.training.training import Training


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a workshop is set up with."""

    base_model: str
    """Name of the base model."""
    models: Path
    """Folder of base models."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    dtype: str = "auto"
    """auto, float32, bfloat16 or nf4 (see `adapters.training.precision`)."""


def others(voice: str) -> dict[str, list[str]]:
    """Other writers for the judges: the demo's, whoever of them it is not."""
    handle = voice.partition("/")[0]
    return {name: texts for name, texts in demo_writers().items() if name != handle}


class Workshop:
    """Takes jobs, and makes steps for all of them at once."""

    def __init__(self, options: Options) -> None:
        """Load the base model. Raises LookupError when it is not there."""
        from transformers.utils import logging

        logging.disable_progress_bar()
        self.base = base_model.find(options.base_model, options.models)
        self.dtype = chosen(options.device, options.dtype)
        model, self.tokenizer = base_model.load(self.base.folder, device=options.device, dtype=self.dtype)
        self.trainer = Trainer(model, self.tokenizer)
        self._inside: list[tuple[Training, Job, Spec]] = []

    @property
    def busy(self) -> bool:
        """Whether any job is in training."""
        return bool(self._inside)

    def take(self, job: Job, leaving: Callable[[], bool]) -> None:
        """Have the job join before the next step; one that cannot be trained ends here.

        It stops when it is cancelled, and when `leaving()` says that nobody stays.
        """
        try:
            self._take(job, leaving)
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - the job's own end: the others go on
            job.fail(error)

    def step(self) -> None:
        """One step of every job inside; jobs that are done are told so."""
        for ended in self.trainer.step():
            [entry] = [entry for entry in self._inside if entry[0] is ended.training]
            self._inside.remove(entry)
            self._end(ended, *entry[1:])

    def _take(self, job: Job, leaving: Callable[[], bool]) -> None:
        spec = Spec.from_dict(job.spec)
        data = dataset.build(spec.posts, self.tokenizer, spec.recipe)
        ready = readiness(len(data.train) + len(data.held_out), data.train_tokens + data.held_out_tokens)
        if not ready.enough:
            job.end("failed", error="training.not_ready", message=ready.message, infrastructure=False)
            return
        if spec.checkpoint:
            spec.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        if not job.begin_training():
            return
        training = Training(
            data=data,
            recipe=spec.recipe,
            on_event=lambda event: job.tell(event.kind, **asdict(event)),
            should_stop=lambda: job.stop.is_set() or leaving(),
            out=spec.out,
            base_name=self.base.name,
            sample_briefs=spec.sample_briefs,
            checkpoint=spec.checkpoint,
            texts=spec.texts,
            others=others(spec.voice),
            other_voice=spec.other_voice,
        )
        self.trainer.add(training)
        self._inside.append((training, job, spec))

    def _end(self, ended: Ended, job: Job, spec: Spec) -> None:
        result = ended.result
        if isinstance(result, Stopped):
            job.end("cancelled", step=result.step)
            return
        if isinstance(result, Exception):
            job.fail(result)
            return
        try:
            about = manifest.build(
                base=self.base,
                voice=spec.voice,
                data=ended.training.data,
                recipe=spec.recipe,
                trained=result,
                extra={**spec.manifest, "trained_in": self.dtype},
            )
            manifest.write(about, spec.out)
        except (OSError, ValueError) as error:
            job.fail(error)
            return
        job.end(
            "saved",
            folder=str(result.folder),
            bits_per_byte=result.bits_per_byte,
            base_bits_per_byte=result.base_bits_per_byte,
            rank=result.rank,
            bytes=result.bytes,
            assessment=result.assessment.as_dict(),
            manifest=about,
        )
