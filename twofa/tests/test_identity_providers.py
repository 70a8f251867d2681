"""Setting up identity providers, codes and where applications want their customers back."""

import json
from dataclasses import replace
from typing import Any

import pytest

from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_application,
    make_bank,
    make_customer,
    make_staff,
    staff_actor,
)
from portal import vault
from portal.accounts.models import Bank
from portal.accounts.operations.clients import set_possession, set_redirect_uris
from portal.accounts.roles import Role
from portal.approvals.models import ApprovalPolicy, ApprovalRequest
from portal.approvals.payloads import open_payload
from portal.approvals.registry import registered
from portal.approvals.tests.asking import approve
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor, Approval
from portal.core.errors import (
    ApprovalRequired,
    Conflict,
    DomainError,
    Forbidden,
    InvalidInput,
    InvalidState,
    NotFound,
    RateLimited,
)
from portal.keys import engine
from portal.keys.change import start_change
from portal.keys.standing import standing
from portal.keys.tests import rings
from portal.outbox.models import Message
from twofa.models import ActivationCode, IdentityProvider
from twofa.operations.activation_codes import issue_activation_code
from twofa.operations.enrolment_policy import IN_PERSON, set_in_person
from twofa.operations.identity_providers import (
    CHANGE,
    CREATE,
    RESUME,
    SECRET,
    change_provider,
    create_provider,
    resume_provider,
    suspend_provider,
)
from twofa.operations.provider_secrets import KEEP, keep_client_secret, set_client_secret
from twofa.sealed_columns import held_secrets
from twofa.tests.identities import AUDIENCE, ISSUER, key_set

pytestmark = pytest.mark.django_db

WANTED: dict[str, Any] = {
    "name": "bank-id",
    "issuer": ISSUER,
    "audience": AUDIENCE,
    "algorithms": ["ES256"],
    "key_set": key_set(),
    "reason": "Ticket 7",
}


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def alone(bank: Bank) -> Actor:
    return staff_actor(make_staff(bank, Role.ADMINISTRATOR, "Max"))


@pytest.fixture
def max_(alone: Actor) -> Actor:
    """Max, with a second person's yes to whom the bank believes."""
    covers = frozenset({CREATE, CHANGE, RESUME})
    return replace(alone, approval=Approval(id="APR_1", by="Avi", covers=covers, asked_at=clock.now()))


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("event", flat=True))


def test_a_provider_is_switched_off_and_on_and_repeats_are_quiet(max_: Actor) -> None:
    provider = create_provider(actor=max_, **WANTED)
    for step in (suspend_provider, suspend_provider, resume_provider, resume_provider):
        step(actor=max_, provider_id=str(provider.pk), reason="Ticket 8")
    assert events() == ["identity-provider.created", "identity-provider.suspended", "identity-provider.resumed"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"issuer": ""}, "issuer"),
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"key_set": ""}, "jwks_uri"),
        ({"jwks_uri": "https://id.bank.example/keys"}, "jwks_uri"),
        ({"key_set": "", "jwks_uri": "http://id.bank.example/keys"}, "jwks_uri"),
        ({"key_set": "{}"}, "key_set"),
        ({"token_endpoint": "https://id.bank.example/token"}, "token_endpoint"),
    ],
)
def test_what_is_wrong_is_named(max_: Actor, values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        create_provider(actor=max_, **{**WANTED, **values})
    assert [problem.field for problem in wrong.value.fields] == [field]
    assert not IdentityProvider.objects.exists()


def test_a_name_is_taken_once(max_: Actor) -> None:
    create_provider(actor=max_, **WANTED)
    with pytest.raises(Conflict) as taken:
        create_provider(actor=max_, **WANTED)
    assert taken.value.code == "provider-name-taken"


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_other_roles_add_no_provider(bank: Bank, role: Role) -> None:
    with pytest.raises(Forbidden):
        create_provider(actor=staff_actor(make_staff(bank, role)), **WANTED)


def test_another_banks_provider_is_unknown(max_: Actor) -> None:
    provider = create_provider(actor=max_, **WANTED)
    cem = staff_actor(make_staff(make_bank(), Role.ADMINISTRATOR, "Cem"))
    for name in (str(provider.pk), "x"):
        with pytest.raises(NotFound):
            suspend_provider(actor=cem, provider_id=name, reason="Mine")


BROWSER = {"authorization_endpoint": f"{ISSUER}/authorize", "token_endpoint": f"{ISSUER}/token"}


def require(bank: Bank, *operations: str) -> None:
    ApprovalPolicy.objects.create(bank=bank, required=list(operations), bulk_threshold=10, updated_at=clock.now())


def test_nobody_adds_a_provider_alone(bank: Bank, alone: Actor) -> None:
    with pytest.raises(ApprovalRequired):
        create_provider(actor=alone, **WANTED)
    assert not IdentityProvider.objects.exists()
    approve(make_staff(bank, Role.APPROVER, "Avi"), ApprovalRequest.objects.get())
    assert IdentityProvider.objects.get().issuer == ISSUER


def test_nobody_changes_one_alone(bank: Bank, alone: Actor, max_: Actor) -> None:
    provider = create_provider(actor=max_, **WANTED)
    values = {name: value for name, value in WANTED.items() if name != "name"}
    known: dict[str, Any] = {"actor": alone, "provider_id": str(provider.pk), **values}
    change_provider(**known)  # it is so already
    with pytest.raises(ApprovalRequired):
        change_provider(**{**known, "audience": "another"})
    provider.refresh_from_db()
    assert provider.audience == AUDIENCE
    approve(make_staff(bank, Role.APPROVER, "Avi"), ApprovalRequest.objects.get())
    provider.refresh_from_db()
    assert provider.audience == "another"


def test_nobody_takes_tokens_again_alone(bank: Bank, alone: Actor, max_: Actor) -> None:
    provider = create_provider(actor=max_, **WANTED)
    known: dict[str, Any] = {"actor": alone, "provider_id": str(provider.pk), "reason": "Ticket 8"}
    resume_provider(**known)  # it is so already
    suspend_provider(**known)  # never waits: it closes
    with pytest.raises(ApprovalRequired):
        resume_provider(**known)
    provider.refresh_from_db()
    assert provider.suspended_at is not None
    assert shown_of(alone) == [f"ID tokens of {ISSUER} are believed about every customer again."]
    approve(make_staff(bank, Role.APPROVER, "Avi"), ApprovalRequest.objects.get())
    provider.refresh_from_db()
    assert provider.suspended_at is None


def shown_of(actor: Actor) -> list[str]:
    """What the one request that waits would do now."""
    request = ApprovalRequest.objects.get()
    entry = registered(request.operation)
    assert entry is not None
    return [text for _, text in entry.entry.preview(actor, open_payload(request).arguments)]


def secret_of(provider: IdentityProvider) -> str:
    provider.refresh_from_db()
    return vault.unseal(SECRET, provider.pk, provider.client_secret_sealed)


def test_a_client_secret_is_sealed_and_forgotten(max_: Actor) -> None:
    provider = create_provider(actor=max_, **WANTED, **BROWSER)
    known: dict[str, Any] = {"actor": max_, "provider_id": str(provider.pk), "reason": "Ticket 9"}
    set_client_secret(**known, secret="")  # none is kept: nothing happens
    set_client_secret(**known, secret="hush")
    assert secret_of(provider) == "hush"
    assert "hush" not in provider.client_secret_sealed + AuditEvent.objects.latest("id").data
    for _ in range(2):
        set_client_secret(**known, secret="")
    assert secret_of(provider) == ""
    assert events() == ["identity-provider.created", "identity-provider.changed", "identity-provider.changed"]


@pytest.mark.parametrize("secret", ["s" * 513, "gehe\u00efm", "two\nlines"])
def test_what_no_client_secret_is(max_: Actor, secret: str) -> None:
    provider = create_provider(actor=max_, **WANTED, **BROWSER)
    with pytest.raises(InvalidInput) as wrong:
        set_client_secret(actor=max_, provider_id=str(provider.pk), secret=secret, reason="Ticket 9")
    assert [problem.field for problem in wrong.value.fields] == ["secret"]
    assert secret_of(provider) == ""


def test_where_nobody_asks_for_a_secret_none_is_kept(max_: Actor) -> None:
    provider = create_provider(actor=max_, **WANTED)
    with pytest.raises(InvalidState) as refused:
        set_client_secret(actor=max_, provider_id=str(provider.pk), secret="hush", reason="Ticket 9")
    assert refused.value.code == "no-token-endpoint"


def test_a_client_secret_goes_to_the_address_it_was_given_for_and_to_no_other(max_: Actor) -> None:
    provider = create_provider(actor=max_, **WANTED, **BROWSER)
    known: dict[str, Any] = {"actor": max_, "provider_id": str(provider.pk), "reason": "Ticket 9"}
    values = {name: value for name, value in {**WANTED, **BROWSER}.items() if name not in {"name", "reason"}}
    set_client_secret(**known, secret="hush")
    change_provider(**known, **{**values, "audience": "another"})
    assert secret_of(provider) == "hush"
    change_provider(**known, **{**values, "audience": "another", "token_endpoint": f"{ISSUER}/other"})
    assert secret_of(provider) == ""
    told = json.loads(AuditEvent.objects.latest("id").data)
    assert (told["before"]["client_secret"], told["after"]["client_secret"]) == (True, False)


def test_a_bank_may_want_two_people_for_a_client_secret(bank: Bank, alone: Actor, max_: Actor) -> None:
    provider = create_provider(actor=max_, **WANTED, **BROWSER)
    known: dict[str, Any] = {"actor": alone, "provider_id": str(provider.pk), "reason": "Ticket 9"}
    require(bank, KEEP)
    set_client_secret(**known, secret="")
    with pytest.raises(ApprovalRequired):
        set_client_secret(**known, secret="hush")
    assert secret_of(provider) == ""
    assert shown_of(max_) == [f"Another client secret proves us to {ISSUER}/token."]
    waiting = open_payload(ApprovalRequest.objects.get()).arguments
    assert "hush" not in json.dumps(waiting)
    approved = replace(max_, approval=Approval(id="APR_1", by="Avi", covers=frozenset({KEEP}), asked_at=clock.now()))
    IdentityProvider.objects.update(token_endpoint=f"{ISSUER}/other")
    with pytest.raises(Conflict) as moved:
        keep_client_secret(actor=approved, **waiting)
    assert moved.value.code == "provider-changed"
    IdentityProvider.objects.update(token_endpoint=f"{ISSUER}/token")
    keep_client_secret(actor=approved, **waiting)
    assert secret_of(provider) == "hush"


def with_phone(bank: Bank) -> Any:
    ada = make_customer(bank)
    ada.phone_sealed = vault.seal("user.phone", ada.pk, "+12025550143")
    ada.save()
    return ada


def test_staff_see_a_code_only_where_the_bank_says_in_person(bank: Bank) -> None:
    ada, bea = with_phone(bank), staff_actor(make_staff(bank))
    known: dict[str, Any] = {"actor": bea, "customer_id": ada.public_id, "reason": "At the branch"}
    with pytest.raises(Forbidden) as refused:
        issue_activation_code(**known, in_person=True)
    assert refused.value.code == "not-in-person"
    assert issue_activation_code(**known).code == ""
    officer = staff_actor(make_staff(bank, Role.SECURITY_OFFICER, "Cleo"))
    with pytest.raises(ApprovalRequired):
        set_in_person(actor=officer, allowed=True, reason="Branches may")
    yes = Approval(id="APR_1", by="Avi", covers=frozenset({IN_PERSON}), asked_at=clock.now())
    for _ in range(2):
        set_in_person(actor=replace(officer, approval=yes), allowed=True, reason="Branches may")
    shown = issue_activation_code(**known, in_person=True)
    assert len(shown.code) == 8
    assert Message.objects.count() == 1
    assert events() == [
        "activation-code.issued",
        "approval.requested",
        "enrolment-policy.changed",
        "activation-code.issued",
    ]
    assert shown.code not in AuditEvent.objects.latest("id").data


def test_a_newer_code_voids_the_older_and_five_an_hour_are_enough(bank: Bank) -> None:
    ada, server = with_phone(bank), bank_actor(bank)
    for _ in range(5):
        issue_activation_code(actor=server, customer_id=ada.public_id)
    assert ActivationCode.objects.open().count() == 1
    with pytest.raises(RateLimited) as limited:
        issue_activation_code(actor=server, customer_id=ada.public_id)
    assert (limited.value.code, limited.value.retry_after <= 3601) == ("too-many-codes", True)


@pytest.mark.parametrize("who", ["support", "customer", "stranger", "no contact", "suspended"])
def test_who_gets_no_code(bank: Bank, who: str) -> None:
    ada = make_customer(bank) if who == "no contact" else with_phone(bank)
    ada.is_active = who != "suspended"
    ada.save()
    actors = {
        "support": staff_actor(make_staff(bank, Role.SUPPORT)),
        "customer": customer_actor(ada),
        "stranger": bank_actor(make_bank()),
    }
    with pytest.raises(DomainError) as refused:
        issue_activation_code(
            actor=actors.get(who, bank_actor(bank)), customer_id=ada.public_id, reason="She asked for it"
        )
    codes = {"no contact": "no-contact", "suspended": "customer-suspended", "stranger": "identity-mismatch"}
    assert refused.value.code == codes.get(who, "capability-missing")
    assert (ActivationCode.objects.count(), events()) == (0, [])


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example/back",
        "javascript:alert(1)",
        "javascript.x://evil",
        "app:/back",
        "https://app.example/back#x",
        "https://user@app.example/",
        "https://",
        "data:text/html,x",
        "com.example.bank:back",
        " https://app.example/",
        "",
    ],
)
def test_what_is_no_address_to_come_back_to(bank: Bank, max_: Actor, uri: str) -> None:
    mobile = make_application(bank)
    with pytest.raises(InvalidInput):
        set_redirect_uris(actor=max_, client_id=mobile.client_id, uris=[uri], reason="New app")
    mobile.refresh_from_db()
    assert mobile.redirect_uris == ""


def test_addresses_and_possession_are_set_once_and_only_for_mobile_applications(bank: Bank, max_: Actor) -> None:
    mobile, server = make_application(bank), make_application(bank, kind="bank")
    good = ["https://app.example/back", "com.example.bank:/back", "http://127.0.0.1:9/back"]
    for _ in range(2):
        set_redirect_uris(actor=max_, client_id=mobile.client_id, uris=good, reason="New app")
        set_possession(actor=max_, client_id=mobile.client_id, proves=True, reason="New app")
    assert events() == ["client.changed", "client.changed"]
    with pytest.raises(InvalidState):
        set_redirect_uris(actor=max_, client_id=server.client_id, uris=good, reason="New app")
    with pytest.raises(InvalidState):
        set_possession(actor=max_, client_id=server.client_id, proves=True, reason="New app")


def test_a_secret_that_waits_is_counted_under_its_key_and_kept_under_the_new_one(
    bank: Bank, alone: Actor, max_: Actor
) -> None:
    provider = create_provider(actor=max_, **WANTED, **BROWSER)
    require(bank, KEEP)
    with rings.before(), pytest.raises(ApprovalRequired):
        set_client_secret(actor=alone, provider_id=str(provider.pk), reason="Ticket 9", secret="hush")
    with rings.both():
        assert held_secrets() == {"t1": 1}
        start_change(actor=Actor.system("rotate_keys"))
        engine.run(60)
        assert held_secrets() == {"t1": 1}  # inside a request that is itself under the new key
        assert standing().droppable == ["PORTAL_INDEX_KEYS: i1"]
        waiting = open_payload(ApprovalRequest.objects.get()).arguments
        covers = frozenset({KEEP})
        approved = replace(max_, approval=Approval(id="APR_1", by="Avi", covers=covers, asked_at=clock.now()))
        keep_client_secret(actor=approved, **waiting)
        ApprovalRequest.objects.all().delete()
        assert standing().droppable == ["PORTAL_SEALING_KEYS: t1", "PORTAL_INDEX_KEYS: i1"]
    with rings.after():
        assert secret_of(provider) == "hush"
