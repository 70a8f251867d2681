"""Prints an access token, for integrators at a shell."""

from datetime import timedelta
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Model

from portal.accounts.models import Application, ApplicationKind, Bank, User
from portal.accounts.operations.tokens import issue_staff_token, issue_token, issue_token_pair
from portal.core import ids
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError

MOST_SECONDS = 24 * 3600


class Command(BaseCommand):
    help = (
        "Print an access token: for a client (--application), for a customer through a mobile application "
        "(--application and --user, bound to --device), or for a member of staff (--staff)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--application", metavar="NAME", help="name or client id of the application")
        whose.add_argument("--staff", metavar="USERNAME", help="user name of a member of staff")
        parser.add_argument("--user", metavar="ID", help="the customer: USR_… or the bank's own customer number")
        parser.add_argument("--bank", metavar="CODE", help="the bank, where a name exists in several")
        parser.add_argument("--device", metavar="ID", help="bind the token to this device: DEV_… or its UUID")
        parser.add_argument("--scope", action="append", help="only this scope; may be given several times")
        parser.add_argument("--lifetime", type=int, default=3600, metavar="SECONDS", help="at most a day")
        parser.add_argument("--refresh-token", action="store_true", help="print a refresh token on a second line")

    def handle(self, *args: object, **options: object) -> None:
        lifetime = timedelta(seconds=int(str(options["lifetime"])))
        if not timedelta() < lifetime <= timedelta(seconds=MOST_SECONDS):
            raise CommandError(f"--lifetime is a number of seconds from 1 to {MOST_SECONDS}.")
        actor = Actor.system("issue_token", channel=Channel.COMMAND)
        try:
            lines = _staff(actor, options, lifetime) if options["staff"] else _client(actor, options, lifetime)
        except DomainError as refused:
            raise CommandError(refused.message) from None
        for line in lines:
            self.stdout.write(line)


def _staff(actor: Actor, options: dict[str, object], lifetime: timedelta) -> list[str]:
    if any(options[name] for name in ("user", "device", "scope", "refresh_token")):
        raise CommandError("--staff goes with --lifetime only.")
    user = User.objects.staff().filter(username=options["staff"]).first()
    if user is None:
        raise CommandError(f"There is no member of staff named {options['staff']}.")
    return [issue_staff_token(actor=actor, user=user, lifetime=lifetime)[1]]


def _client(actor: Actor, options: dict[str, object], lifetime: timedelta) -> list[str]:
    application = _application(str(options["application"]), _bank(options["bank"]))
    user = _user(application, options["user"])
    device = _device(user, options["device"])
    wanted = options["scope"]
    scopes = [str(scope) for scope in wanted] if isinstance(wanted, list) else application.allowed_scopes
    if not options["refresh_token"]:
        made = issue_token(
            actor=actor, application=application, user=user, scopes=scopes, lifetime=lifetime, device=device
        )
        return [made[1]]
    if user is None:
        raise CommandError("Only a customer's token can be renewed: name one with --user.")
    pair = issue_token_pair(
        actor=actor, application=application, user=user, scopes=scopes, lifetime=lifetime, device=device
    )
    return [pair.raw, pair.refresh_raw]


def _bank(code: object) -> Bank | None:
    if code is None:
        return None
    bank = Bank.objects.filter(code=str(code)).first()
    if bank is None:
        raise CommandError(f"There is no bank with the code {code}.")
    return bank


def _application(name: str, bank: Bank | None) -> Application:
    applications = Application.objects.all() if bank is None else Application.objects.filter(bank=bank)
    found = list(applications.filter(client_id=name)) or list(applications.filter(name=name).order_by("bank__code"))
    if not found:
        raise CommandError(f"There is no application named {name}.")
    if len(found) > 1:
        banks = ", ".join(application.bank.code for application in found)
        raise CommandError(f"Several banks have an application named {name}: add --bank, one of {banks}.")
    return found[0]


def _user(application: Application, wanted: object) -> User | None:
    if wanted is None:
        if application.kind == ApplicationKind.MOBILE:
            raise CommandError("A mobile application acts for a customer: name one with --user.")
        return None
    return User.objects.filter(bank=application.bank).named(str(wanted))


def _device(user: User | None, wanted: object) -> Model | None:
    """The customer's device; the operation asks again whose it is."""
    if wanted is None:
        return None
    key = _device_key(str(wanted))
    device = None if key is None or user is None else user.devices.filter(pk=key).first()
    if device is None:
        raise CommandError(f"The customer has no device {wanted}.")
    return device


def _device_key(text: str) -> UUID | None:
    for read in (UUID, lambda spelled: ids.read("DEV", spelled)):
        try:
            return read(text)
        except ValueError:
            continue
    return None
