"""Precision: what the base model is held and multiplied in while voices are trained on it.
Knows what machines are fast at. Knows nothing of how models are loaded."""

from __future__ import annotations

import torch

from inference.layers.weights import multiplies_bf16


def chosen(device: str, dtype: str) -> str:
    """The dtype to load the base model in; the adapters, their gradients and AdamW are fp32 in any case.

    "auto" is bf16 on a GPU, and on a CPU that has instructions for it and then trains several times faster; else fp32.
    """
    if dtype != "auto":
        return dtype
    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    return "bfloat16" if on_gpu or multiplies_bf16() else "float32"
