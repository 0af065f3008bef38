"""Sampling: one token a sequence from a step's logits, each by its own parameters.
Knows penalties and filters. Knows nothing of models, caches or text."""

from __future__ import annotations

import math

import torch

from inference.engine.sequence import Sequence


def is_greedy(sequence: Sequence) -> bool:
    """Whether the likeliest token is the answer as it stands."""
    return sequence.request.sampling.temperature == 0 and not _penalised(sequence)


def sample(logits: torch.Tensor, sequences: list[Sequence]) -> list[int]:
    """logits is (sequences, vocabulary) and stays as it is; returns a token for each."""
    if all(is_greedy(sequence) for sequence in sequences):
        likeliest: list[int] = logits.argmax(dim=-1).tolist()
        return likeliest
    logits = logits.to(torch.float32, copy=True)
    _penalise(logits, sequences)
    tokens: list[int] = logits.argmax(dim=-1).tolist()
    drawn = [i for i, sequence in enumerate(sequences) if sequence.request.sampling.temperature > 0]
    if drawn:
        rows = logits if len(drawn) == len(sequences) else logits[drawn]
        for i, token in zip(drawn, _draw(rows, [sequences[i] for i in drawn]), strict=True):
            tokens[i] = token
    return tokens


def _penalised(sequence: Sequence) -> bool:
    sampling = sequence.request.sampling
    return bool(
        sampling.repetition_penalty != 1
        or sampling.presence_penalty
        or sampling.frequency_penalty
        or (sequence.must_go_on and sequence.end_ids)
    )


def _penalise(logits: torch.Tensor, sequences: list[Sequence]) -> None:
    """Penalties as OpenAI and vLLM define them, in place on (sequences, vocabulary)."""
    repeated: list[tuple[int, int, float]] = []  # row, token, value
    written: list[tuple[int, int, float]] = []
    forbidden: list[tuple[int, int, float]] = []
    for row, sequence in enumerate(sequences):
        sampling = sequence.request.sampling
        if sampling.repetition_penalty != 1:
            seen = {*sequence.request.prompt, *sequence.written}
            repeated += [(row, token, sampling.repetition_penalty) for token in seen]
        if sampling.presence_penalty or sampling.frequency_penalty:
            for token, times in sequence.written.items():
                written.append((row, token, sampling.presence_penalty + sampling.frequency_penalty * times))
        if sequence.must_go_on:
            forbidden += [(row, token, math.inf) for token in sequence.end_ids]
    if repeated:
        place, penalty = _places(repeated, logits.device)
        values = logits[place]
        logits[place] = torch.where(values > 0, values / penalty, values * penalty)
    for entries in (written, forbidden):
        if entries:
            place, amount = _places(entries, logits.device)
            logits[place] = logits[place] - amount


def _places(
    entries: list[tuple[int, int, float]], device: torch.device
) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Index (rows, tokens) and values."""
    rows, tokens, values = zip(*entries, strict=True)
    return (torch.tensor(rows, device=device), torch.tensor(tokens, device=device)), torch.tensor(values, device=device)


def _draw(logits: torch.Tensor, sequences: list[Sequence]) -> list[int]:
    """One uniform number a sequence, looked up in its cumulative distribution.

    The lookup is in vocabulary order, not in order of likelihood: rounding differs with the size of the batch, and two
    tokens that are nearly as likely must not change places by it.
    """
    sampling = [sequence.request.sampling for sequence in sequences]
    device = logits.device
    temperature = torch.tensor([s.temperature for s in sampling], device=device)
    # Below this, division would overflow, and the likeliest token has all the probability anyway.
    probabilities = torch.softmax(logits / temperature.clamp(min=1e-4)[:, None], dim=-1)
    if any(s.top_k > 0 or s.top_p < 1 or s.min_p > 0 for s in sampling):
        vocabulary = logits.shape[-1]
        top_k = torch.tensor([min(s.top_k, vocabulary) if s.top_k > 0 else vocabulary for s in sampling], device=device)
        top_p = torch.tensor([s.top_p for s in sampling], device=device)
        min_p = torch.tensor([s.min_p for s in sampling], device=device)
        probabilities = _filter(probabilities, top_k, top_p, min_p)
    cumulative = probabilities.cumsum(dim=-1)
    # Just under 1: rounded up to the whole sum, the lookup would run past the last token.
    uniform = torch.tensor([min(s.random.random(), 1 - 1e-6) for s in sequences], device=device)
    aims = uniform[:, None] * cumulative[:, -1:]
    chosen = torch.searchsorted(cumulative, aims, right=True)[:, 0]
    # An adapter with absurd weights makes logits that are no numbers: its text is nonsense, but must stay tokens.
    tokens: list[int] = chosen.clamp(max=logits.shape[-1] - 1).tolist()
    return tokens


def _filter(probabilities: torch.Tensor, top_k: torch.Tensor, top_p: torch.Tensor, min_p: torch.Tensor) -> torch.Tensor:
    """Zero what the filters leave out: min-p and top-k first, top-p of what these keep."""
    ordered, order = probabilities.sort(dim=-1, descending=True)
    ranks = torch.arange(ordered.shape[-1], device=ordered.device)
    ordered = ordered * ((ranks < top_k[:, None]) & (ordered >= min_p[:, None] * ordered[:, :1]))
    before = ordered.cumsum(dim=-1) - ordered
    # At top_p 1 nothing is left out, whatever rounding says of the sum.
    keep = (before < top_p[:, None] * ordered.sum(dim=-1, keepdim=True)) | (top_p[:, None] >= 1)
    return torch.zeros_like(probabilities).scatter(-1, order, ordered * keep)
