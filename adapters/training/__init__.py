"""Training: from an author's posts and a base model to a small adapter that writes like them.
Knows data sets, recipes, LoRA and its own process. Knows nothing of Django, Celery or who the author is."""
