import smtplib
from collections.abc import Sequence

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends import locmem

from portal.core import ids
from portal.outbox.gateways import GatewayError, Outgoing, gateway_for
from portal.outbox.gateways.email import EmailGateway
from portal.outbox.gateways.sink import SinkGateway
from portal.outbox.models import MessageKind, SinkDelivery
from portal.outbox.tests.factories import BANK, make_message

ADDRESS = "ana.horvat@bank.example"


def outgoing(*, recipient: str = ADDRESS, subject: str = "Signed in") -> Outgoing:
    return Outgoing(
        id=ids.uuid7(),
        bank_id=BANK,
        kind=MessageKind.EMAIL,
        template="sign-in",
        recipient=recipient,
        subject=subject,
        body="Somebody signed in.",
    )


class Failing(locmem.EmailBackend):
    """A mail server that answers with the next of `errors`."""

    errors: list[Exception] = []

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        raise self.errors.pop()


def test_in_the_demo_every_kind_goes_to_the_sink(settings: LazySettings) -> None:
    settings.DEMO = True
    assert all(isinstance(gateway_for(kind), SinkGateway) for kind in MessageKind.values)


@pytest.mark.parametrize(("given", "kinds"), [(True, {"email", "webhook"}), (False, {"webhook"})])
def test_in_production_messages_to_people_need_a_configured_gateway(
    settings: LazySettings, given: bool, kinds: set[str]
) -> None:
    settings.DEMO, settings.EMAIL_HOST_GIVEN = False, given
    assert {kind for kind in MessageKind.values if gateway_for(kind)} == kinds


@pytest.mark.django_db
def test_the_sink_keeps_one_delivery_for_a_message_that_came_twice() -> None:
    message = make_message(subject="A code")
    twice = Outgoing(id=message.pk, bank_id=BANK, kind="sms", template="code", recipient="x", subject="s", body="b")
    SinkGateway().send(twice)
    SinkGateway().send(twice)
    assert SinkDelivery.objects.count() == 1


def test_an_e_mail_leaves_with_an_id_that_a_repeat_has_too(settings: LazySettings) -> None:
    settings.EMAIL_FROM = "Device Trust <portal@bank.example>"
    message = outgoing()
    EmailGateway().send(message)
    EmailGateway().send(message)
    first, second = mail.outbox
    assert (first.to, first.subject, first.body) == ([ADDRESS], "Signed in", "Somebody signed in.")
    assert first.from_email == "Device Trust <portal@bank.example>"
    assert first.message()["Message-ID"] == f"<{message.id}@bank.example>" == second.message()["Message-ID"]


@pytest.mark.parametrize(
    ("error", "reason", "retry"),
    [
        (
            smtplib.SMTPRecipientsRefused({ADDRESS: (550, b"no " + ADDRESS.encode())}),
            "mail server answered 550",
            False,
        ),
        (smtplib.SMTPRecipientsRefused({ADDRESS: (450, b"greylisted")}), "mail server answered 450", True),
        (smtplib.SMTPDataError(554, "spam: " + ADDRESS), "mail server answered 554", False),
        (smtplib.SMTPConnectError(421, b"busy"), "mail server answered 421", True),
        (smtplib.SMTPServerDisconnected(ADDRESS), "mail server unavailable: SMTPServerDisconnected", True),
        (ConnectionRefusedError(ADDRESS), "mail server unavailable: ConnectionRefusedError", True),
        (TimeoutError(ADDRESS), "mail server unavailable: TimeoutError", True),
    ],
)
def test_a_mail_servers_refusal_is_told_without_the_address(
    settings: LazySettings, error: Exception, reason: str, retry: bool
) -> None:
    Failing.errors = [error]
    settings.MAILERS = {"default": {"BACKEND": f"{__name__}.Failing"}}
    with pytest.raises(GatewayError) as caught:
        EmailGateway().send(outgoing())
    assert (caught.value.reason, caught.value.retry) == (reason, retry)


@pytest.mark.parametrize(
    "message", [outgoing(recipient="a@b.example\nBcc: eve@b.example"), outgoing(subject="A\nBcc: eve@b.example")]
)
def test_a_line_break_adds_no_header_and_fails_for_good(message: Outgoing) -> None:
    with pytest.raises(GatewayError) as caught:
        EmailGateway().send(message)
    assert not caught.value.retry
    assert mail.outbox == []
