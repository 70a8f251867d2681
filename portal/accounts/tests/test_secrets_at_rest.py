"""A copy of the database gives nobody a way in."""

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from devices.models import Device
from devices.tests.factories import make_staff
from portal.accounts.models import User
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


def test_no_token_secret_seed_code_or_contact_stands_in_the_database(
    call: Caller, server: Created, mobile: Created, ada: User, phone: Device
) -> None:
    password = "correct horse battery"
    bea = make_staff(ada.bank, username="bea")
    bea.set_password(password)
    bea.save()
    with pytest.raises(VerificationFailed):
        check_password(actor=Actor.anonymous(Channel.PORTAL, ip="192.0.2.1"), username="bea", password=password[1:])
    seed, codes = enrol(bea)
    totp_code = code_at(seed)
    proof = verify_second_factor(actor=signed_in(bea), user=bea, code=totp_code)
    verify_second_factor(actor=signed_in(bea), user=bea, code=codes[0])
    browser = Client()
    browser.get("/sign-in?username=bea")
    granted = call("token", server, grant_type="client_credentials").body
    pair = issue_token_pair(
        actor=SYSTEM, application=mobile.application, user=ada, scopes=["pin"], lifetime=HOUR, device=phone
    )
    renewed = call("token", mobile, grant_type="refresh_token", refresh_token=pair.refresh_raw).body
    call("token", mobile, grant_type="refresh_token", refresh_token=pair.refresh_raw)
    call("token", None, grant_type="client_credentials", client_id="nobody", client_secret="typed-secret-text")
    create_customer(
        actor=SYSTEM,
        bank=ada.bank,
        customer_number="C77",
        name="Cem",
        phone="+381641230987",
        email="cem@mail.example",
    )
    secrets = {
        "access token": granted["access_token"],
        "issued token": pair.raw,
        "refresh token": pair.refresh_raw,
        "renewed token": renewed["access_token"],
        "renewed refresh token": renewed["refresh_token"],
        "staff token": issue_staff_token(actor=signed_in(bea), proof=proof)[1],
        "client secret": server.client_secret,
        "mobile client secret": mobile.client_secret,
        "app secret": mobile.app_secret,
        "wrong secret": "typed-secret-text",
        "seed": seed,
        "backup code": codes[0],
        "plain backup code": codes[1].replace("-", ""),
        "password": password,
        "wrong password": password[1:],
        "session": browser.cookies["portal_session"].value,
        "phone": "641230987",
        "e-mail": "cem@mail",
    }
    dump = whole_database()
    assert len(dump) > 5000
    assert [name for name, secret in secrets.items() if secret in dump] == []
