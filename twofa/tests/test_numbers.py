"""Number matching: what the waiting side shows is typed by the owner."""

import pytest

from portal.core.errors import VerificationFailed
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request
from twofa.tests.asking import Scene, events, nothing_changes, refused_late, signed

pytestmark = pytest.mark.django_db

NUMBER_WRONG = ("two-factor.failed", "refused", "number-wrong")


@pytest.fixture
def matching() -> Scene:
    return Scene(rules={"number_matching": True})


def other_than(number: str, by: int = 1) -> str:
    return f"{(int(number) + by) % 100:02}"


def test_the_number_opens_what_the_signature_alone_does_not(matching: Scene) -> None:
    asked = matching.ask()
    assert len(asked.number) == 2
    request = asked.request
    assert len(request.number_digest) == 64
    for wrong, number in enumerate(["", other_than(asked.number)], start=1):
        with nothing_changes(NUMBER_WRONG), pytest.raises(VerificationFailed) as refused:
            approve_request(actor=matching.owner, id=str(request.pk), signature=signed(request), number=number)
        request.refresh_from_db()
        assert (refused.value.code, request.wrong_numbers) == ("number-wrong", wrong)
    approve_request(actor=matching.owner, id=str(request.pk), signature=signed(request), number=asked.number)
    assert TwoFactorRequest.objects.get().state == "approved"


def test_the_third_wrong_number_closes_the_request(matching: Scene) -> None:
    asked = matching.ask()
    request = asked.request
    for by in (1, 2, 3):
        with pytest.raises(VerificationFailed):
            approve_request(
                actor=matching.owner,
                id=str(request.pk),
                signature=signed(request),
                number=other_than(asked.number, by),
            )
    request.refresh_from_db()
    assert (request.state, request.wrong_numbers, request.closed_at is not None) == ("cancelled", 3, True)
    assert [event for event in events() if event[0] == "two-factor.failed"] == [
        ("two-factor.failed", "refused", "number-wrong")
    ] * 3
    refused_late(matching, request, "request-closed", signed(request))


def test_a_denial_needs_no_number(matching: Scene) -> None:
    assert deny_request(actor=matching.owner, id=str(matching.ask().request.pk)).state == "denied"
