"""The Celery application: two queues, one timer. Knows where its settings are. Knows no tasks."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("idiolect")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["adapters", "inference"])
