"""The two ownership calls of the vendor's page, with its own bodies: only ids and the code are living ones."""

from typing import Any

import pytest
import time_machine

from devices.models import Device, Transfer
from devices.operations.transfers import approve_transfer
from devices.tests.factories import make_customer, make_staff, make_token, staff_actor
from devices.tests.moving import code_sent, reachable
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.accounts.tests.people import proof_of
from portal.api.tests.doors import Caller, golden, in_order

pytestmark = pytest.mark.django_db
TRANSFER, ACCEPT = "/v1/device/ownership/transfer", "/v1/device/ownership/accept"
FORM = "application/x-www-form-urlencoded"  # what curl -d says


def living(body: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """The printed body with the ids it names replaced by ours."""
    return {name: ids.get(str(value), value) for name, value in body.items()}


@pytest.mark.parametrize("by", ["owner", "staff"])
def test_both_calls_are_as_printed(by: str, ada: User, phone: Device) -> None:
    cem = reachable(make_customer(ada.bank, "Cem"))
    avi = make_staff(ada.bank, Role.APPROVER, "Avi")
    ids = {
        "DEV_001_20241201_001": phone.public_id,
        "USR_001_20241201_001": ada.public_id,
        "USR_002_20241201_001": cem.public_id,
    }
    asker = make_token(user=ada if by == "owner" else make_staff(ada.bank))

    with time_machine.travel("2024-12-01T14:50:00Z", tick=False) as at:
        request = living(golden(__file__, "transfer.request"), ids)
        response = Caller(asker).send("POST", TRANSFER, request, label=FORM)
        assert response.status_code == 202, response.content
        transfer = Transfer.objects.get()
        ids["TRF_001_20241201_001"] = transfer.public_id
        expected = living(golden(__file__, "transfer.answer"), ids)
        assert response.json() == expected
        assert in_order(response.json()) == in_order(expected)
        assert response["Location"] == f"/v1/device/ownership/{transfer.public_id}"

        at.move_to("2024-12-01T14:55:00Z")
        approve_transfer(actor=staff_actor(avi), transfer_id=transfer.public_id, proof=proof_of(avi))

        at.move_to("2024-12-02T00:00:00Z")  # the date of the sample: now it means at once
        ids["123456"] = code_sent()
        taker = Caller(make_token(user=cem))
        answer = taker.send("POST", ACCEPT, living(golden(__file__, "accept.request"), ids), label=FORM)
    expected = living(golden(__file__, "accept.answer"), ids) | {"completedAt": "2024-12-02T00:00:00Z"}
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json() == expected
    assert in_order(answer.json()) == in_order(expected)
    phone.refresh_from_db()
    assert phone.owner == cem
