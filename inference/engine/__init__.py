"""The multi-LoRA engine: one base model, many adapters, many requests at a time.
Knows tensors and text. Knows nothing of HTTP, Django or users."""

from adapters.lora_files import Adapter, AdapterRejected, Checked
from inference.engine.engine import Engine
from inference.engine.pool import UnknownAdapter
from inference.engine.scheduler import QueueFull
from inference.engine.types import (
    MOST_LOGPROBS,
    AdapterInfo,
    EngineConfig,
    InvalidField,
    Output,
    Request,
    SamplingParams,
    Snapshot,
    Tier,
    TokenLogprobs,
)

__all__ = [
    "MOST_LOGPROBS",
    "Adapter",
    "AdapterInfo",
    "AdapterRejected",
    "Checked",
    "Engine",
    "EngineConfig",
    "InvalidField",
    "Output",
    "QueueFull",
    "Request",
    "SamplingParams",
    "Snapshot",
    "Tier",
    "TokenLogprobs",
    "UnknownAdapter",
]
