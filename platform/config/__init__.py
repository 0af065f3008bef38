"""The Django project. Importing it makes the Celery application the default one for `shared_task`."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
