"""Makes a bank's certificate authority, and the root above it when there is none yet."""

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pki.keystore.stores import store_names
from pki.models import CertificateAuthority
from pki.operations.hierarchy import ISSUING_KEY, ROOT_KEY, BankSetUp, set_up_bank
from pki.x509.keys_policy import KINDS
from portal.accounts.models import Bank
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError, InvalidInput


class Command(BaseCommand):
    help = "Make the authority that issues for a bank, and a root if there is none. A repeat makes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bank", required=True, metavar="CODE")
        parser.add_argument("--country", default="", help="two capital letters; needed the first time")
        parser.add_argument("--organisation", default="", help="default: the bank's name")
        parser.add_argument("--name", default="", help="default: the bank's name and a number")
        parser.add_argument("--root-name", default="", help="default: the organisation's")
        parser.add_argument("--key", default=ISSUING_KEY, choices=KINDS, help="of the issuing authority")
        parser.add_argument("--root-key", default=ROOT_KEY, choices=KINDS)
        parser.add_argument("--keystore", default="file", choices=store_names())
        parser.add_argument("--zone", default="", help="DNS zone of devices' names, e.g. devices.bank.example")

    def handle(self, *args: object, bank: str, organisation: str, **options: str) -> None:
        owner = Bank.objects.filter(code=bank).first()
        if owner is None:
            raise CommandError(f"There is no bank with the code {bank}.")
        wanted = BankSetUp(
            organisation=organisation or owner.name,
            **{name: options[name] for name in BankSetUp.__dataclass_fields__ if name in options},
        )
        try:
            made = set_up_bank(actor=Actor.system("init_ca", channel=Channel.COMMAND), bank=owner, wanted=wanted)
        except InvalidInput as refused:
            problems = [f"--{problem.field}: {problem.message}" for problem in refused.fields]
            raise CommandError("\n".join(problems) or refused.message) from None
        except DomainError as refused:
            raise CommandError(refused.message) from None
        if not made.made:
            self.stdout.write(f"{owner.name} has an authority: {made.issuing.name}. Nothing to do.")
        for authority in made.made:
            self.stdout.write(describe(authority))


def describe(authority: CertificateAuthority) -> str:
    """One line: what was made, under which key, and until when."""
    return (
        f"{authority.get_role_display()} authority “{authority.name}”: key {authority.key_name}"
        f" ({authority.get_keystore_display()}), valid until {authority.not_after:%Y-%m-%d}"
    )
