"""The devices' tasks: an id in, one operation called."""

from celery import shared_task

from devices.operations import import_work
from devices.operations.transfer_acceptance import sweep_transfers
from portal import jobs


@shared_task(name="transfers.sweep")
def transfers_sweep() -> None:
    """Complete transfers whose date has come, and close those that lapsed; the first node to ask does it."""
    if jobs.claim_slot("transfers.sweep", 30):
        sweep_transfers()


@shared_task(name="imports.run")
def imports_run(run_id: str) -> None:
    """Go on with one import."""
    import_work.run_import(run_id)


@shared_task(name="imports.sweep")
def imports_sweep() -> None:
    """Go on with imports whose ring nobody heard; the first node to ask does it."""
    if jobs.claim_slot("imports.sweep", 10):
        import_work.sweep()
