"""A copy of the database gives nobody a way in."""

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from devices.models import Device
from devices.tests.factories import make_staff
from portal.accounts.models import Bank, User
from portal.accounts.operations.clients import Created
from portal.accounts.operations.people import create_customer
from portal.accounts.operations.second_factor import verify_second_factor
from portal.accounts.operations.sign_in import check_password
from portal.accounts.operations.tokens import issue_staff_token, issue_token_pair
from portal.accounts.tests.conftest import Caller
from portal.accounts.tests.people import HOUR, SYSTEM, code_at, enrol, signed_in
from portal.core.actor import Actor, Channel
from portal.core.errors import VerificationFailed

pytestmark = [pytest.mark.django_db, pytest.mark.urls("portal.accounts.tests.urls")]


def whole_database() -> str:
    """Every value of every table, as text."""
    parts = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            parts += [str(value) for row in cursor.fetchall() for value in row]
    return "\n".join(parts)


def secrets_of_staff(bank: Bank) -> dict[str, str]:
    """What one member of staff typed, was shown or holds, after a failed and a complete sign-in."""
    password = "correct horse battery"
    bea = make_staff(bank, username="bea")
    bea.set_password(password)
    bea.save()
    with pytest.raises(VerificationFailed):
        check_password(actor=Actor.anonymous(Channel.PORTAL, ip="192.0.2.1"), username="bea", password=password[1:])
    seed, codes = enrol(bea)
    verify_second_factor(actor=signed_in(bea), user=bea, code=code_at(seed))
    proof = verify_second_factor(actor=signed_in(bea), user=bea, code=codes[0])
    browser = Client()
    browser.get("/sign-in?username=bea")
    return {
        "password": password,
        "wrong password": password[1:],
        "seed": seed,
        "backup code": codes[0],
        "plain backup code": codes[1].replace("-", ""),
        "session": browser.cookies["portal_session"].value,
        "staff token": issue_staff_token(actor=signed_in(bea), proof=proof)[1],
    }


def secrets_of_clients(
    call: Caller, server: Created, mobile: Created, customer: User, phone: Device
) -> dict[str, str]:
    """What two clients and their tokens are known by; the refresh token was used twice, a client was made up."""
    granted = call("token", server, grant_type="client_credentials").body
    pair = issue_token_pair(
        actor=SYSTEM, application=mobile.application, user=customer, scopes=["pin"], lifetime=HOUR, device=phone
    )
    renewed = call("token", mobile, grant_type="refresh_token", refresh_token=pair.refresh_raw).body
    call("token", mobile, grant_type="refresh_token", refresh_token=pair.refresh_raw)
    call("token", None, grant_type="client_credentials", client_id="nobody", client_secret="typed-secret-text")
    return {
        "access token": granted["access_token"],
        "issued token": pair.raw,
        "refresh token": pair.refresh_raw,
        "renewed token": renewed["access_token"],
        "renewed refresh token": renewed["refresh_token"],
        "client secret": server.client_secret,
        "mobile client secret": mobile.client_secret,
        "app secret": mobile.app_secret,
        "wrong secret": "typed-secret-text",
    }


def contacts_of_a_customer(bank: Bank) -> dict[str, str]:
    """The telling parts of what a new customer can be reached at."""
    create_customer(
        actor=SYSTEM, bank=bank, customer_number="C77", name="Cem", phone="+381641230987", email="cem@mail.example"
    )
    return {"phone": "641230987", "e-mail": "cem@mail"}


def test_no_token_secret_seed_code_or_contact_stands_in_the_database(
    call: Caller, server: Created, mobile: Created, ada: User, phone: Device
) -> None:
    secrets = {
        **secrets_of_staff(ada.bank),
        **secrets_of_clients(call, server, mobile, ada, phone),
        **contacts_of_a_customer(ada.bank),
    }
    dump = whole_database()
    assert len(dump) > 5000
    assert all(secrets.values())
    assert [name for name, secret in secrets.items() if secret in dump] == []
