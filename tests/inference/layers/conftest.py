"""Kernels run in Triton's interpreter where there is no GPU. Knows one environment variable."""

from __future__ import annotations

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is first imported, which transformers may do
