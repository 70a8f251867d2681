"""The Celery application. Tasks live in each app's `tasks` module."""

import os

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def refuse_broken_settings(**kwargs: object) -> None:
    """A worker with a broken setting stops with one line, as the web server does."""
    from portal.checks import require_safe_settings

    require_safe_settings()
