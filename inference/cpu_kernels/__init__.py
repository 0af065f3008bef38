"""Numba kernels for a packed batch on a CPU: what `inference.kernels` has for a GPU, under the same names.
Knows tensors. Knows nothing of models, requests or scheduling."""
