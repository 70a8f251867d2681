"""The Celery application. Tasks live in each app's `tasks` module."""

import os

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def prepare_worker(**kwargs: object) -> None:
    """As the web server: a broken setting stops it with one line, and no statement takes for ever."""
    from portal.checks import require_safe_settings
    from portal.database import limit_statements

    require_safe_settings()
    limit_statements()
