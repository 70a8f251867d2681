"""Background work of the audit log."""

import logging

from celery import shared_task

from portal.audit import sealing

logger = logging.getLogger(__name__)


@shared_task(name="audit.seal", ignore_result=True)
def seal() -> None:
    """Each second: seal what was written."""
    try:
        sealing.seal_now()
    except sealing.LogBroken as broken:
        logger.critical("the audit log is not sealed: %s", broken)


@shared_task(name="audit.sweep", ignore_result=True)
def sweep() -> None:
    """Each hour: seal what committed very late."""
    try:
        sealing.seal_all()
    except sealing.LogBroken as broken:
        logger.critical("the audit log is not sealed: %s", broken)
