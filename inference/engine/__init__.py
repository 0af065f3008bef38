"""The multi-LoRA engine: one base model, many adapters, many requests at a time.
Knows tensors and text. Knows nothing of HTTP, Django or users."""

from inference.engine.adapters import Adapter, AdapterRejected
from inference.engine.engine import Engine, Snapshot
from inference.engine.pool import AdapterInfo, UnknownAdapter
from inference.engine.scheduler import QueueFull
from inference.engine.types import EngineConfig, InvalidField, Output, Request, SamplingParams

__all__ = [
    "Adapter",
    "AdapterInfo",
    "AdapterRejected",
    "Engine",
    "EngineConfig",
    "InvalidField",
    "Output",
    "QueueFull",
    "Request",
    "SamplingParams",
    "Snapshot",
    "UnknownAdapter",
]
