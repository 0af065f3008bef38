# mypy: ignore-errors
"""Attention over a paged cache on a CPU: Numba writes new keys and values and decodes, torch reads prompts.
Knows pages, heads and the sliding window. Knows nothing of models or scheduling."""

import functools

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

from inference.cpu_kernels.tape import launch, looks_at_numbers
from inference.cpu_kernels.vectors import (
    BYTES,
    LANES,
    dot,
    exp,
    highest,
    inlined,
    kernel,
    load,
    load_one,
    prefetch,
    put,
    splat,
    store,
    store_one,
    take,
    total,
    zeros,
)
from inference.kernels.inputs import BatchTensors

_LOWEST = np.float32(-3e38)
"""A score that weighs nothing."""


@kernel
def _write(keys, values, cache, slots, heads, page, dim, key_row, key_head, value_row, value_head, frame, side):
    for row in range(len(slots)):
        token = (slots[row] // page) * frame + slots[row] % page * dim
        for head in range(heads):
            key = keys + (row * key_row + head * key_head) * BYTES
            value = values + (row * value_row + head * value_head) * BYTES
            place = cache + (token + head * page * dim) * BYTES
            for d in range(0, dim, LANES):
                here = d * BYTES
                put(place + here, take(key + here, dim - d), dim - d)
                put(place + side * BYTES + here, take(value + here, dim - d), dim - d)


@inlined
def _softmax(scores, count):
    """In place, of whole vectors."""
    top = load_one(scores)
    for t in range(0, count, LANES):
        top = max(top, highest(load(scores + t * BYTES)))
    sums = zeros()
    for t in range(0, count, LANES):
        weights = exp(load(scores + t * BYTES) - splat(top))
        store(scores + t * BYTES, weights)
        sums = sums + weights
    scale = splat(np.float32(1.0) / total(sums))
    for t in range(0, count, LANES):
        store(scores + t * BYTES, load(scores + t * BYTES) * scale)


@kernel
def _decode(
    query, cache, out, table, width, pieces, rows, lengths, count,
    kv_heads, groups, dim, page, q_row, q_head, frame, side, scale, window,
):  # fmt: skip
    """A token of each of `count` sequences: scores of all that it sees, a softmax, and the sum of values."""
    for index in range(count):
        length = np.int64(lengths[index])
        if length == 0:
            continue
        first = max(0, length - window) if window else 0
        pages = table[pieces[index] * width[0] : (pieces[index] + 1) * width[0]]
        row = np.int64(rows[index])
        seen = length - first
        room = (seen + LANES - 1) // LANES * LANES
        scratch = np.empty(groups * room, np.float32)
        scores = scratch.ctypes.data
        for head in range(kv_heads):
            own_query = query + (row * q_row + head * groups * q_head) * BYTES
            own_out = out + (row * kv_heads + head) * groups * dim * BYTES
            for number in range(first // page, (length + page - 1) // page):
                start = number * page
                place = cache + (pages[number] * frame + head * page * dim) * BYTES
                # Pages lie anywhere, and a CPU reads ahead within one only.
                last = number == (length - 1) // page
                ahead = cache + (pages[number + (0 if last else 1)] * frame + head * page * dim) * BYTES
                for t in range(max(first, start), min(length, start + page)):
                    key = place + (t - start) * dim * BYTES
                    for d in range(0, dim, LANES):
                        prefetch(ahead + ((t - start) * dim + d) * BYTES)
                        prefetch(key + (side + d) * BYTES)
                    for g in range(groups):
                        score = dot(own_query + g * q_head * BYTES, key, dim) * np.float32(scale)
                        store_one(scores + (g * room + t - first) * BYTES, score)
            for g in range(groups):
                for t in range(seen, room):
                    store_one(scores + (g * room + t) * BYTES, _LOWEST)
                _softmax(scores + g * room * BYTES, room)
            for number in range(first // page, (length + page - 1) // page):
                start = number * page
                place = cache + (pages[number] * frame + head * page * dim + side) * BYTES
                for g in range(groups):
                    weights = scores + (g * room - first) * BYTES
                    for d in range(0, dim, LANES):
                        into = own_out + (g * dim + d) * BYTES
                        sums = take(into, dim - d) if number > first // page else zeros()
                        for t in range(max(first, start), min(length, start + page)):
                            weight = splat(load_one(weights + t * BYTES))
                            sums = sums + weight * take(place + ((t - start) * dim + d) * BYTES, dim - d)
                        put(into, sums, dim - d)
        scratch[0] = _LOWEST  # and until here it is there


def attend(query, keys, values, cache, batch: BatchTensors, *, scale, window):
    """As on a GPU: write the new keys and values, then attend; (tokens, heads, head_dim).

    query is (tokens, heads, head_dim), keys and values are (tokens, kv_heads, head_dim), cache is one layer's,
    (frames, 2, kv_heads, PAGE, head_dim). Rows are contiguous in head_dim, whatever the other strides.
    """
    tokens, heads, dim = query.shape
    kv_heads, page = cache.shape[2:4]
    out = torch.empty((tokens, heads, dim), dtype=query.dtype)
    frame, side = cache.stride()[:2]
    step = batch.arrays
    width = int(step["width"][0])
    if query.dtype == torch.float32:
        launch(
            _write,
            keys.data_ptr(), values.data_ptr(), cache.data_ptr(), step["slots"], kv_heads, page, dim,
            *keys.stride()[:2], *values.stride()[:2], frame, side,
        )  # fmt: skip
        tiles = step["tiles"].T.tolist()
        if count := len(batch.rows):
            launch(
                _decode,
                query.data_ptr(), cache.data_ptr(), out.data_ptr(), step["table"], step["width"],
                step["pieces"], step["rows"], step["lengths"], count,
                kv_heads, heads // kv_heads, dim, page, *query.stride()[:2], frame, side, scale, window or 0,
            )  # fmt: skip
    else:
        slots = batch.slots.long()
        cache[slots // page, :, :, slots % page] = torch.stack((keys, values), dim=1)
        tiles = batch.tiles.T.tolist()
        tiles += torch.stack((batch.pieces, batch.rows, batch.lengths - 1, torch.ones_like(batch.rows)), 1).tolist()
    if tiles:
        looks_at_numbers()
    for piece, row, past, count in tiles:
        pages = batch.table[piece * width :][: -(-(past + count) // page)].long()
        held = cache[pages].movedim(0, 2).flatten(2, 3)[:, :, : past + count]  # (2, kv_heads, tokens, head_dim)
        # The heads that share a key head become rows of one query, so that keys and values are not repeated.
        grouped = query[row : row + count].transpose(0, 1).reshape(kv_heads, -1, dim)
        mask = _mask(count, past, window, heads // kv_heads)
        found = scaled_dot_product_attention(grouped[None], held[0][None], held[1][None], attn_mask=mask, scale=scale)
        out[row : row + count] = found.view(heads, count, dim).transpose(0, 1)
    return out


@functools.lru_cache(maxsize=16)
def _mask(count, past, window, groups):
    """(groups * tokens, past + tokens), True is visible; the same in every layer."""
    mask = torch.ones(count, past + count, dtype=torch.bool).tril(past)
    if window is not None:
        mask = mask.triu(past - window + 1)
    return mask.repeat(groups, 1)
