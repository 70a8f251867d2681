"""Where a client is told, set on its page; the key that signs it, shown once."""

import pytest

from devices.tests.factories import make_application, make_bank, make_staff
from portal.accounts.roles import Role
from portal.web.tests.helpers import signed_in_client
from twofa.tests.test_client_pages import LIST, secrets_in

pytestmark = pytest.mark.django_db


def test_an_address_then_its_key() -> None:
    bank = make_bank()
    admin = signed_in_client(make_staff(bank, Role.ADMINISTRATOR, "Ann"))
    server = make_application(bank, kind="bank")
    path = f"{LIST}/{server.client_id}"
    assert admin.post(f"{path}/secret", {"which": "webhook", "reason": "None yet"}).status_code == 422
    sent = {"webhook-url": "https://core.bank.example/hooks", "webhook-reason": "Core banking listens"}
    assert admin.post(path, {**sent, "webhook-url": "http://core.bank.example/hooks"}).status_code == 422
    assert admin.post(path, sent).status_code == 302
    server.refresh_from_db()
    assert server.webhook_url == "https://core.bank.example/hooks"
    answer = admin.post(f"{path}/secret", {"which": "webhook", "reason": "For the core bank"})
    [(name, secret)] = secrets_in(answer.content.decode()).items()
    assert (name, secret.startswith("whsec_")) == ("webhook", True)
    assert secret not in admin.get(path).content.decode()
