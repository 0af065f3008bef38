"""What only a GPU needs: graphs, pinned memory, copies that nobody waits for.
Knows torch.cuda. Knows nothing of what is copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch


def captured(work: Callable[[], None], memory: Any) -> torch.cuda.CUDAGraph:
    work()  # compiles kernels and sets libraries up, which a capture cannot
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=memory):
        work()
    return graph


def graph_memory() -> Any:
    """For graphs that share it."""
    torch.cuda.synchronize()
    return torch.cuda.graph_pool_handle()


def bytes_that_fit(device: torch.device) -> int:
    """Memory of a GPU for pages and adapters, leaving a part of what is free for activations and graphs."""
    free, _ = torch.cuda.mem_get_info(device)
    return max(0, free - max(free * 8 // 100, 2**31))


def to_device(values: Sequence[float], device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor of them (int64, or float32 when they are floats), without waiting for what the device is doing."""
    return torch.tensor(values, dtype=dtype, pin_memory=device.type == "cuda").to(device, non_blocking=True)


def pinned(like: torch.Tensor, size: int) -> torch.Tensor:
    """An arena of the same frames in `size` bytes of host memory, from which a GPU copies without help."""
    frames = max(1, size // like[0].nbytes)
    arena = torch.empty((frames + 1, like.shape[1]), dtype=like.dtype)
    # Not torch's own pinned memory: that comes in powers of two.
    _done(torch.cuda.cudart().cudaHostRegister(arena.data_ptr(), arena.nbytes, 0))
    return arena


def unpin(arena: torch.Tensor) -> None:
    _done(torch.cuda.cudart().cudaHostUnregister(arena.data_ptr()))


def _done(code: int) -> None:
    if int(code):
        raise MemoryError(f"CUDA refuses to pin or unpin host memory (error {int(code)}): lower host_bytes")
