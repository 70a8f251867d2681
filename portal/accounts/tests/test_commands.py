"""`issue_token` and `new_secrets`."""

import os
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from portal.accounts.models import AccessToken, User
from portal.accounts.operations.clients import Created
from portal.accounts.tests.people import make_client, suspend
from portal.accounts.tokens import find_refresh_token, find_token, reason_dead
from portal.audit.models import AuditEvent
from portal.core import clock

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("issue_token", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
class TestIssueToken:
    def live(self, printed: str) -> AccessToken:
        assert printed.count("\n") == 1
        token = find_token(printed.strip())
        assert token is not None
        assert reason_dead(token) is None
        return token

    def test_a_server_by_name_or_client_id(self, server: Created) -> None:
        for name in (server.application.name, server.application.client_id):
            token = self.live(run("--application", name))
            assert (token.application, token.user) == (server.application, None)
            assert token.scope.split() == server.application.allowed_scopes
        event = AuditEvent.objects.filter(event="token.issued").latest("id")
        assert (event.actor_kind, event.actor_id, event.channel) == ("system", "issue_token", "command")

    def test_a_customer_by_number_or_id_bound_to_a_device(self, mobile: Created, ada: User, phone: Device) -> None:
        for user, device in ((ada.customer_number or "", str(phone.pk)), (ada.public_id, phone.public_id)):
            token = self.live(run("--application", mobile.application.name, "--user", user, "--device", device))
            assert (token.user, token.device) == (ada, phone)

    def test_scope_and_lifetime(self, mobile: Created, ada: User) -> None:
        printed = run(
            "--application", mobile.application.name, "--user", ada.public_id, "--scope", "pin", "--lifetime", "60"
        )
        token = self.live(printed)
        assert token.scope == "pin"
        assert token.expires - clock.now() <= timedelta(seconds=60)

    def test_a_refresh_token_on_a_second_line(self, mobile: Created, ada: User) -> None:
        printed = run("--application", mobile.application.name, "--user", ada.public_id, "--refresh-token")
        first, second = printed.splitlines()
        token = find_token(first)
        refresh = find_refresh_token(second)
        assert token is not None
        assert refresh is not None
        assert refresh.access_token == token

    def test_staff(self, server: Created) -> None:
        bea = make_staff(server.application.bank, username="bea")
        token = self.live(run("--staff", "bea", "--lifetime", "86400"))
        assert (token.user, token.application, token.scope) == (bea, None, "staff")

    def test_a_name_in_two_banks_wants_the_bank(self, server: Created) -> None:
        name = server.application.name
        other = make_client(make_bank("second"), "bank", name=name)
        with pytest.raises(CommandError, match="add --bank, one of first, second"):
            run("--application", name)
        assert self.live(run("--application", name, "--bank", "second")).application == other.application

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--application", "nothing"], "There is no application named nothing."),
            (["--application", "first bank", "--bank", "x"], "There is no bank with the code x."),
            (["--application", "first mobile"], "A mobile application acts for a customer: name one with --user."),
            (["--application", "first mobile", "--user", "nobody"], "There is no such customer."),
            (["--application", "first mobile", "--user", "bea"], "There is no such customer."),
            (["--application", "first mobile", "--user", "ADA", "--device", "x"], "The customer has no device x."),
            (
                ["--application", "first mobile", "--user", "ADA", "--scope", "staff"],
                "This client cannot have: staff.",
            ),
            (["--application", "first bank", "--user", "ADA"], "Only a mobile application acts for a customer."),
            (
                ["--application", "first bank", "--refresh-token"],
                "Only a customer's token can be renewed: name one with --user.",
            ),
            (
                ["--application", "first bank", "--lifetime", "0"],
                "--lifetime is a number of seconds from 1 to 86400.",
            ),
            (
                ["--application", "first bank", "--lifetime", "86401"],
                "--lifetime is a number of seconds from 1 to 86400.",
            ),
            (["--staff", "nobody"], "There is no member of staff named nobody."),
            (["--staff", "bea", "--scope", "staff"], "--staff goes with --lifetime only."),
        ],
    )
    def test_what_cannot_be_is_said_in_one_line(
        self, server: Created, mobile: Created, arguments: list[str], says: str
    ) -> None:
        make_customer(server.application.bank, customer_number="ADA")
        make_staff(server.application.bank, username="bea")
        with pytest.raises(CommandError) as refused:
            run(*arguments)
        assert str(refused.value) == says
        assert AccessToken.objects.count() == 0

    def test_foreign_and_sleeping_devices_are_refused(self, mobile: Created, ada: User) -> None:
        mine = ["--application", mobile.application.name, "--user", ada.public_id, "--device"]
        theirs = make_device(make_customer(ada.bank, "Cem"))
        with pytest.raises(CommandError, match="has no device"):
            run(*mine, str(theirs.pk))
        with pytest.raises(CommandError, match="not active"):
            run(*mine, str(make_device(ada, DeviceStatus.PENDING).pk))
        suspend(mobile.application)
        with pytest.raises(CommandError, match="suspended"):
            run(*mine[:-1])
        assert AccessToken.objects.count() == 0


class TestNewSecrets:
    def test_every_secret_setting_gets_a_value_that_the_settings_read(self) -> None:
        out = StringIO()
        call_command("new_secrets", stdout=out)
        values = dict(line.split("=", 1) for line in out.getvalue().splitlines())
        assert list(values) == list(settings.SECRET_NAMES)
        assert len(set(values.values())) == len(values)
        assert all(len(value) >= 43 for value in values.values())

    def test_it_runs_in_production_without_any_secret(self, tmp_path: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        environment |= {
            "PORTAL_MODE": "production",
            "PORTAL_VAR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
        }
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "new_secrets"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.partition("=")[0] for line in done.stdout.splitlines()] == list(settings.SECRET_NAMES)
