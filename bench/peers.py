"""The engine beside what else one could run on a CPU, by turns and on the same prompts: `python -m bench.peers`.
Knows transformers' generate, PEFT's two ways and ours. Knows nothing of GPUs; results go to bench/results/serving/."""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel, StoppingCriteria, StoppingCriteriaList

from adapters import base_model
from adapters.store import WEIGHTS, AdapterStore
from adapters.training.paragraphs import plain
from bench import machine
from bench.demo_posts import newest
from bench.driving import Driver, percentile
from bench.quality import KINDS, load
from bench.workload import BASE_DIGEST, Job, write_dummy_adapter
from inference.engine import Engine, EngineConfig, Output

Prompt = tuple[int, ...]


@dataclass
class Told:
    """One run: for each request its first token's time and all its tokens."""

    seconds: float = 0.0
    first: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)
    tokens: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Something that answers the prompts, `prompts[i]` in voice `i`, or all of them in the base model's."""

    engine: str
    weights: str = "float32"
    voices: int
    requests: int
    run: Callable[[], Told]


class _Clock(StoppingCriteria):  # type: ignore[misc]
    """Asked by `generate` after every token."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        self.times.append(time.perf_counter())
        return torch.zeros(len(input_ids), dtype=torch.bool)


@torch.inference_mode()
def generate(model: Any, prompts: Sequence[Prompt], new: int, **extra: Any) -> Told:
    """transformers' own loop on one batch of prompts of the same length; `extra` goes to the model."""
    started = time.perf_counter()
    clock = _Clock()
    ids = torch.tensor([list(prompt) for prompt in prompts])
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=new,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
        stopping_criteria=StoppingCriteriaList([clock]),
        **extra,
    )
    steps = [after - before for before, after in zip(clock.times, clock.times[1:], strict=False)]
    return Told(
        seconds=time.perf_counter() - started,
        first=[clock.times[0] - started] * len(prompts),
        between=steps * len(prompts),
        tokens=out[:, ids.shape[1] :].tolist(),
    )


def one_by_one(peft: Any, names: Sequence[str], prompts: Sequence[Prompt], new: int) -> Told:
    """PEFT as its guide has it: switch to a voice, generate, switch to the next one."""
    started = time.perf_counter()
    told = Told()
    for name, prompt in zip(names, prompts, strict=True):
        waited = time.perf_counter() - started
        peft.set_adapter(name)
        one = generate(peft, [prompt], new)
        told.first += [waited + first for first in one.first]
        told.between += one.between
        told.tokens += one.tokens
    told.seconds = time.perf_counter() - started
    return told


class _Listener(Driver):
    """Keeps the tokens."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.tokens: dict[str, list[int]] = {}

    def step(self) -> list[Output]:
        outputs = super().step()
        for output in outputs:
            self.tokens.setdefault(output.request_id, []).extend(output.token_ids)
        return outputs


def ours(engine: Engine, digests: Sequence[str], prompts: Sequence[Prompt], new: int) -> Told:
    """All at once."""
    jobs = [Job(arrival=0.0, voice=voice, prompt=prompt, output=new) for voice, prompt in enumerate(prompts)]
    driver = _Listener(engine)
    done = driver.run(jobs, digests)
    tokens = [driver.tokens[str(number)] for number in range(len(jobs))]
    return Told(seconds=done.seconds, first=list(done.first.values()), between=done.between, tokens=tokens)


class Stage:
    """The base model in every kind of weights that is asked for, and voices for it."""

    def __init__(self, arguments: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
        self.new: int = arguments.new
        base = base_model.find(arguments.base, arguments.models)
        self.model, tokenizer = load(base.folder, "float32")
        self.model.generation_config.eos_token_id = None
        texts = [plain(post.text) for post in newest(-(-arguments.requests // 2))]
        prompts = [tuple(tokenizer(text, add_special_tokens=False).input_ids) for text in texts]
        self.prompts = [prompt[: arguments.prompt] for prompt in prompts[: arguments.requests]]
        self.voices = _voices(self.model, folder, len(self.prompts), arguments.rank)
        self._engines: dict[str, Engine] = {}
        for kind in arguments.weights:
            # In fp32 a tree of modules of its own around the same weights, which the peers use meanwhile.
            own = _twin(self.model) if kind == "float32" else load(base.folder, kind)[0]
            # What was read for one repetition must not be there for the next.
            config = EngineConfig(base_digest=BASE_DIGEST, max_rank=arguments.rank, prefix_cache=False)
            engine = self._engines[kind] = Engine(own, None, config)
            stack.callback(engine.close)
            for digest, path in self.voices.items():
                engine.add_adapter(digest, path)
        names = list(self.voices)
        peft: Any = PeftModel.from_pretrained(_twin(self.model), self.voices[names[0]], adapter_name=names[0])
        for name in names[1:]:
            peft.load_adapter(self.voices[name], adapter_name=name)
        self.peft = peft.eval()

    def contenders(self) -> Iterator[Contender]:
        """A peer, and behind it ours in each kind of weights."""
        many, new, digests = self.prompts, self.new, list(self.voices)
        all_in: dict[str, Any] = {"voices": len(many), "requests": len(many)}
        alone: dict[str, Any] = {"voices": 0, "requests": 1}
        yield Contender(engine="transformers", **alone, run=partial(generate, self.model, many[:1], new))
        for kind, engine in self._engines.items():
            yield Contender(engine="idiolect", weights=kind, **alone, run=partial(ours, engine, [], many[:1], new))
        yield Contender(engine="peft", **all_in, run=partial(one_by_one, self.peft, digests, many, new))
        mixed = partial(generate, self.peft, many, new, adapter_names=digests)
        yield Contender(engine="peft-mixed", **all_in, run=mixed)
        for kind, engine in self._engines.items():
            yield Contender(engine="idiolect", weights=kind, **all_in, run=partial(ours, engine, digests, many, new))


def _twin(model: PreTrainedModel) -> PreTrainedModel:
    return copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})


def _voices(model: PreTrainedModel, folder: Path, count: int, rank: int) -> dict[str, Path]:
    """Adapters with weights of their own, in a store: digest -> folder."""
    store = AdapterStore(folder / "store")
    digests = []
    for number in range(count):
        made = write_dummy_adapter(model, folder / "made", rank=rank, modules="all")
        plain_weights = load_file(made / WEIGHTS)
        # Strong enough that each writes another text.
        save_file({name: tensor * (4 + number / 2) for name, tensor in plain_weights.items()}, made / WEIGHTS)
        digests.append(store.put(made))
    return {digest: store.verify(digest) for digest in digests}


def measure(contenders: Sequence[Contender], repetitions: int) -> list[list[Told]]:
    """All of them by turns, so that whatever else the machine does meets them alike; the first round warms up."""
    told: list[list[Told]] = [[] for _ in contenders]
    for repetition in range(repetitions + 1):
        for place, contender in enumerate(contenders):
            one = contender.run()
            if repetition:
                told[place].append(one)
    return told


def row(
    contender: Contender, told: Sequence[Told], peer: Sequence[Told], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Medians over the repetitions. `peer` is what the first contender for the same requests did."""

    def rates(runs: Sequence[Told]) -> list[float]:
        return [sum(map(len, run.tokens)) / run.seconds for run in runs]

    def median(share: float, values: Callable[[Told], list[float]]) -> float:
        return round(statistics.median(percentile(values(run), share) or 0.0 for run in told), 4)

    return {
        "engine": contender.engine,
        "weights": contender.weights,
        "shape": Path(arguments.base).name,
        "device": "cpu",
        "rank": arguments.rank,
        "modules": "all",
        "voices": contender.voices,
        "requests": contender.requests,
        "rate": None,
        "prompt_tokens": arguments.prompt,
        "new_tokens": arguments.new,
        "output_tokens_per_s": round(statistics.median(rates(told)), 1),
        "of_each_repetition": [round(rate, 1) for rate in rates(told)],
        # Of each round, because the machine may be busier in one than in the next.
        "times_the_peer": round(
            statistics.median(mine / its for mine, its in zip(rates(told), rates(peer), strict=True)), 2
        ),
        "same_text_as_the_peer": sum(mine == its for mine, its in zip(told[0].tokens, peer[0].tokens, strict=True)),
        "first_token_p50_s": median(50, lambda run: run.first),
        "first_token_p99_s": median(99, lambda run: run.first),
        "between_tokens_p50_s": median(50, lambda run: run.between),
        "between_tokens_p99_s": median(99, lambda run: run.between),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", default=base_model.STARTER, help="name or folder of the base model")
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("IDIOLECT_MODELS", "var/models")))
    parser.add_argument("--weights", nargs="+", choices=sorted(KINDS), default=list(KINDS), help="ours; peers: fp32")
    parser.add_argument("--requests", type=int, default=8, help="together, each in a voice of its own")
    parser.add_argument("--alone", action="store_true", help="only one request, which names no voice")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--prompt", type=int, default=64, help="tokens")
    parser.add_argument("--new", type=int, default=64, help="tokens")
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        contenders = [
            contender
            for contender in Stage(arguments, Path(folder), stack).contenders()
            if not contender.voices or not arguments.alone
        ]
        told = measure(contenders, arguments.repetitions)
    rows = []
    for contender, runs in zip(contenders, told, strict=True):
        alike = next(place for place, other in enumerate(contenders) if other.requests == contender.requests)
        rows.append(row(contender, runs, told[alike], arguments))
        print(
            f"{contender.engine:14}{contender.weights:17}{contender.requests:>3} requests "
            f"{rows[-1]['output_tokens_per_s']:>7} tokens/s {rows[-1]['times_the_peer']:>6} times",
            flush=True,
        )
    print(machine.write("serving", f"peers-{Path(arguments.base).name}-cpu", 0, rows))


if __name__ == "__main__":
    main()
