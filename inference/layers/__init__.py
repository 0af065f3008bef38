"""Modules that take the place of a transformers model's own, and give it back.
Knows modules. Knows nothing of batches, requests or adapters."""
