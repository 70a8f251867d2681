"""The authority's tasks: an id in, one operation called."""

from uuid import UUID

from celery import shared_task

from pki.operations import (
    crls,
    ending,
    hierarchy,
    ocsp,
    requests,
    responders,
    roll_over,
    roll_over_work,
    rotation_sweeps,
    rotation_work,
    rotations,
    signing_work,
)
from portal import jobs
from portal.core.actor import Actor


@shared_task(name="pki.issue")
def issue(request_id: str) -> None:
    """Sign what two people allowed."""
    signing_work.issue_ready(request_id)


@shared_task(name="pki.settle")
def settle() -> None:
    """Settle serials that a crash left, sign what no worker heard of; the first node to ask does it."""
    if jobs.claim_slot("pki.settle", 30):
        signing_work.sweep()


@shared_task(name="pki.lapse_requests")
def lapse_requests() -> None:
    """Close requests that nobody signed in time; the first node to ask does it."""
    if jobs.claim_slot("pki.lapse_requests", 300):
        requests.lapse()


@shared_task(name="pki.publish_crl")
def publish_crl(authority_id: str) -> None:
    """Publish one authority's list, where something changed that no list says yet."""
    crls.publish_if_due(UUID(authority_id))


@shared_task(name="pki.publish_crls")
def publish_crls() -> None:
    """Publish the lists whose ring nobody heard, and those that are an hour old; the first node to ask does it."""
    if jobs.claim_slot("pki.publish_crls", 60):
        crls.publish_due()


@shared_task(name="pki.presign")
def presign(certificate_id: str) -> None:
    """Sign the OCSP answer of one certificate."""
    ocsp.presign([UUID(certificate_id)])


@shared_task(name="pki.refresh_ocsp")
def refresh_ocsp() -> None:
    """Sign OCSP answers that are old or missing; the first node to ask does it."""
    if jobs.claim_slot("pki.refresh_ocsp", 60):
        ocsp.refresh()
        ocsp.forget_over()


@shared_task(name="pki.renew_responders")
def renew_responders() -> None:
    """Give authorities a new responder in time; the first node to ask does it."""
    if jobs.claim_slot("pki.renew_responders", 3600):
        responders.renew_responders()


@shared_task(name="pki.expire")
def expire() -> None:
    """Mark certificates that ran out; the first node to ask does it."""
    if jobs.claim_slot("pki.expire", 600):
        ending.expire()


@shared_task(name=roll_over.JOB)
def roll_over_authority(roll_over_id: str) -> None:
    """Make the authority that was ordered."""
    roll_over_work.carry_out(UUID(roll_over_id))


@shared_task(name="pki.roll_overs")
def roll_overs() -> None:
    """Make authorities whose ring nobody heard, and end those that are over; the first node to ask does it."""
    if jobs.claim_slot("pki.roll_overs", 60):
        roll_over_work.sweep()
        hierarchy.end_retired(actor=Actor.system("pki.roll_overs"))


@shared_task(name="pki.plan_rotations")
def plan_rotations() -> None:
    """Open rotations for certificates whose slot has come; the first node to ask does it."""
    if jobs.claim_slot("pki.plan_rotations", 60) and rotation_sweeps.plan_rotations():
        rotation_work.rotate_batch()


@shared_task(name=rotations.BATCH_TASK)
def rotate_batch(rung_by: str = "") -> None:
    """Carry out what is due. Every node may: they share the work."""
    rotation_work.rotate_batch()


@shared_task(name="pki.end_overlaps")
def end_overlaps() -> None:
    """End overlaps and rotations that time has ended, ask devices again; the first node to ask does it."""
    if jobs.claim_slot("pki.end_overlaps", 60):
        rotation_sweeps.end_overlaps()
        rotation_sweeps.close_late()
        rotation_sweeps.remind_devices()
