"""Reads about steps over many devices."""

from uuid import UUID

from devices import policies
from devices.models import BulkRun, Device
from devices.querysets import read_device_id
from portal.approvals.models import ApprovalRequest
from portal.core.actor import Actor
from portal.core.errors import NotFound


def get_run(actor: Actor, run_id: UUID) -> BulkRun:
    """A run of the actor's bank. Raises Forbidden, NotFound."""
    policies.read(actor).require()
    run = BulkRun.objects.visible_to(actor).select_related("started_by").filter(pk=run_id).first()
    if run is None:
        raise NotFound("There is no such run.")
    return run


def devices_of_run(actor: Actor, run: BulkRun) -> dict[str, Device]:
    """The devices that a run was about, by `DEV_…`. One query."""
    keys = [read_device_id(entry["device"]) for entry in run.outcomes]
    found = Device.objects.visible_to(actor).filter(pk__in=[key for key in keys if key])
    return {device.public_id: device for device in found.select_related("owner")}


def request_for_run(actor: Actor, run_id: UUID) -> ApprovalRequest | None:
    """The request for a second person that a run which was not taken (yet) waits or waited for. One query."""
    asked = ApprovalRequest.objects.visible_to(actor)
    return asked.filter(object_type="bulkrun", object_id=str(run_id)).order_by("-created_at").first()
