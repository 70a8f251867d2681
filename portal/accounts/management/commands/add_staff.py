"""Makes a member of staff, with a password that is shown once; the second factor is set up at the first sign-in."""

import secrets

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.accounts.models import Bank
from portal.accounts.operations.people import create_staff
from portal.accounts.roles import Role
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError


class Command(BaseCommand):
    help = "Make a member of staff and print a password, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("name", help="as colleagues know the person")
        parser.add_argument("--bank", required=True, metavar="CODE")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--email", default="", help="where they are told when their second factor is taken away")

    def handle(
        self, *args: object, username: str, name: str, bank: str, role: str, email: str, **options: object
    ) -> None:
        employer = Bank.objects.filter(code=bank).first()
        if employer is None:
            raise CommandError(f"There is no bank with the code {bank}.")
        password = secrets.token_urlsafe(16)
        try:
            create_staff(
                actor=Actor.system("add_staff", channel=Channel.COMMAND),
                bank=employer,
                username=username,
                name=name,
                role=role,
                password=password,
                email=email,
            )
        except DomainError as refused:
            raise CommandError(refused.message) from None
        self.stdout.write(password)
