"""Makes a bank, the tenant that everything else belongs to."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.operations.people import create_bank
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError


class Command(BaseCommand):
    help = "Make a bank. CODE is short and stays; NAME is shown to people."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code")
        parser.add_argument("name")

    def handle(self, *args: object, code: str, name: str, **options: object) -> None:
        try:
            bank = create_bank(actor=Actor.system("add_bank", channel=Channel.COMMAND), code=code, name=name)
        except DomainError as refused:
            raise CommandError(refused.message) from None
        self.stdout.write(str(bank.pk))
