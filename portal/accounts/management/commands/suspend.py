"""Suspends a client, a member of staff or a customer, or lifts it."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.models import User
from portal.accounts.operations.suspension import suspend_client, suspend_person
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError


class Command(BaseCommand):
    help = "Suspend a client or a person: what they hold is refused from the next call on. --lift undoes it."

    def add_arguments(self, parser: CommandParser) -> None:
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("--client", metavar="CLIENT_ID")
        whom.add_argument("--staff", metavar="USERNAME")
        whom.add_argument("--customer", metavar="USR_…")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--lift", action="store_true")

    def handle(self, *args: object, reason: str, lift: bool, **options: str | None) -> None:
        actor = Actor.system("suspend", channel=Channel.COMMAND)
        try:
            if client_id := options["client"]:
                suspend_client(actor=actor, client_id=client_id, suspended=not lift, reason=reason)
            else:
                suspend_person(actor=actor, user_id=_person(options).pk, suspended=not lift, reason=reason)
        except DomainError as refused:
            raise CommandError(refused.message) from None


def _person(options: dict[str, str | None]) -> User:
    if customer := options["customer"]:
        return User.objects.named(customer)
    user = User.objects.staff().filter(username=options["staff"]).first()
    if user is None:
        raise CommandError(f"There is no member of staff named {options['staff']}.")
    return user
