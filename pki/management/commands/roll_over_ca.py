"""Lets a new authority take the place of the one that issues for a bank."""

import time
from typing import Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pki.keystore.stores import store_names
from pki.management.commands.init_ca import describe
from pki.models import CertificateAuthority, RollOver
from pki.operations.hierarchy import ISSUING_KEY
from pki.operations.roll_over import order_roll_over
from pki.operations.roll_over_work import carry_out
from pki.states import RollOverState
from pki.x509.keys_policy import KINDS
from portal.accounts.models import Bank
from portal.core.actor import Actor, Channel
from portal.core.errors import DomainError

PATIENCE: Final = 60.0  # seconds for a worker that was faster


class Command(BaseCommand):
    help = "Let a new authority issue for a bank. The old one goes on revoking and answering."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bank", required=True, metavar="CODE")
        parser.add_argument("--reason", required=True, help="kept in the audit log")
        parser.add_argument("--name", default="", help="default: the bank's name and the next number")
        parser.add_argument("--key", default=ISSUING_KEY, choices=KINDS)
        parser.add_argument("--keystore", default="file", choices=store_names())

    def handle(
        self, *args: object, bank: str, reason: str, name: str, key: str, keystore: str, **options: object
    ) -> None:
        owner = Bank.objects.filter(code=bank).first()
        old = CertificateAuthority.objects.issuing_for(owner.pk).first() if owner else None
        if owner is None or old is None:
            raise CommandError("There is no such bank, or it has no authority yet: manage.py init_ca")
        actor = Actor.system("roll_over_ca", bank_id=owner.pk, channel=Channel.COMMAND)
        try:
            ordered = order_roll_over(
                actor=actor, authority_id=old.public_id, reason=reason, name=name, key=key, keystore=keystore
            )
        except DomainError as refused:
            raise CommandError(refused.message) from None
        carry_out(ordered.pk)
        found = _settled(ordered)
        if found.new is None:
            why = found.last_reason or "A worker makes it."
            raise CommandError(f"Not done yet ({found.get_state_display().lower()}): {why}")
        self.stdout.write(describe(found.new))
        self.stdout.write(f"{old.name} only revokes from now on.")


def _settled(ordered: RollOver) -> RollOver:
    """The order once somebody has tried to carry it out: a worker may have heard the ring first."""
    end = time.monotonic() + PATIENCE
    while True:
        found = RollOver.objects.select_related("new").get(pk=ordered.pk)
        is_being_made = found.state == RollOverState.WAITING and found.claim_until is not None
        if not is_being_made or time.monotonic() > end:
            return found
        time.sleep(0.2)
