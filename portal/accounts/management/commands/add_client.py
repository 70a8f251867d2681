"""Makes a client of the API and shows its secrets once."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.models import ApplicationKind, Bank
from portal.accounts.operations.clients import create_application
from portal.accounts.scopes import DIALECTS, SCOPES_BY_KIND
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError


class Command(BaseCommand):
    help = "Make a client of the API and print its client id and secrets, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--bank", required=True, metavar="CODE")
        parser.add_argument("--kind", required=True, choices=ApplicationKind.values)
        parser.add_argument("--dialect", action="append", default=[], choices=sorted(DIALECTS))
        parser.add_argument("--scope", action="append", help="default: every scope of its kind")
        parser.add_argument("--ip", action="append", default=[], metavar="NETWORK", help="default: any address")
        parser.add_argument(
            "--administers", action="store_true", help="may speak for the bank's other clients (SPiD)"
        )
        parser.add_argument("--signed-answers", action="store_true", help="gets a secret that signs answers (SPiD)")

    def handle(
        self,
        *args: object,
        name: str,
        bank: str,
        kind: str,
        administers: bool,
        signed_answers: bool,
        **options: list[str],
    ) -> None:
        owner = Bank.objects.filter(code=bank).first()
        if owner is None:
            raise CommandError(f"There is no bank with the code {bank}.")
        try:
            created = create_application(
                actor=Actor.system("add_client", channel=Channel.COMMAND),
                bank=owner,
                kind=kind,
                name=name,
                dialects=options["dialect"],
                scopes=options["scope"] or sorted(SCOPES_BY_KIND[kind]),
                allowed_ips=options["ip"],
                administers=administers,
                signed_answers=signed_answers,
            )
        except DomainError as refused:
            raise CommandError(refused.message) from None
        self.stdout.write(f"client id      {created.application.client_id}")
        self.stdout.write(f"client secret  {created.client_secret}")
        if created.app_secret:
            self.stdout.write(f"app secret     {created.app_secret}")
        if created.sign_secret:
            self.stdout.write(f"sign secret    {created.sign_secret}")
