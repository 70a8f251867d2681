"""The commands that make authorities."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from devices.tests.factories import make_bank
from pki.models import CertificateAuthority, CertificatePolicy
from pki.operations import authority_making
from pki.states import CaState
from portal.audit.models import AuditEvent

pytestmark = pytest.mark.django_db(transaction=True)


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_a_first_call_makes_both_and_a_second_has_nothing_to_do() -> None:
    bank = make_bank("harbour")
    told = run("init_ca", "--bank", "harbour", "--country", "NG", "--zone", "devices.harbour.example")
    assert "Root authority “Harbour Root”: key root-" in told
    assert "Issuing authority “Harbour CA 1”: key harbour-" in told
    assert CertificatePolicy.objects.get(bank=bank).zone == "devices.harbour.example"
    assert run("init_ca", "--bank", "harbour") == "Harbour has an authority: Harbour CA 1. Nothing to do.\n"
    assert CertificateAuthority.objects.count() == 2


def test_every_name_and_key_can_be_chosen() -> None:
    make_bank("harbour")
    words = ("--organisation", "Harbour plc", "--name", "Issuing A", "--root-name", "Top", "--key", "ed25519")
    run("init_ca", "--bank", "harbour", "--country", "NG", *words, "--root-key", "p256")
    assert set(CertificateAuthority.objects.values_list("name", flat=True)) == {"Issuing A", "Top"}
    assert CertificatePolicy.objects.get().organisation == "Harbour plc"


def test_a_roll_over_says_what_it_did() -> None:
    bank = make_bank("harbour")
    run("init_ca", "--bank", "harbour", "--country", "NG")
    told = run("roll_over_ca", "--bank", "harbour", "--reason", "Yearly")
    assert "Issuing authority “Harbour CA 2”" in told
    assert "Harbour CA 1 only revokes from now on." in told
    states = CertificateAuthority.objects.filter(bank=bank).order_by("name").values_list("state", flat=True)
    assert list(states) == [CaState.RETIRING, CaState.ACTIVE]
    assert AuditEvent.objects.get(event="ca-roll-over.requested").channel == "command"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("init_ca", "--bank", "nobody"), "no bank with the code nobody"),
        (("init_ca", "--bank", "harbour"), "--country: Two capital letters"),
        (("roll_over_ca", "--bank", "harbour", "--reason", "x"), "no authority yet"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(words: tuple[str, ...], says: str) -> None:
    make_bank("harbour")
    with pytest.raises(CommandError, match=says):
        run(*words)
    assert CertificateAuthority.objects.count() == 0


def test_a_roll_over_that_waits_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    make_bank("harbour")
    run("init_ca", "--bank", "harbour", "--country", "NG")
    monkeypatch.setattr(authority_making, "issue", lambda *_: 1 / 0)
    with pytest.raises(CommandError, match=r"Not done yet \(in progress\): Something broke"):
        run("roll_over_ca", "--bank", "harbour", "--reason", "x")
