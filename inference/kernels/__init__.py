"""Triton kernels for a packed batch. Knows tensors. Knows nothing of models, requests or scheduling."""
