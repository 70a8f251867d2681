"""The authorities themselves: a root, and one authority under it that issues for a bank.

A key is made in its key store first, outside of any transaction; then the authority's certificate is signed and
linted; then the row is stored. What fails before that leaves a key that nobody trusts, and nothing else.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from pki.authority import issuer_of, signer_of
from pki.keystore.errors import KeyUnavailable
from pki.keystore.stores import make_signer
from pki.models import CertificateAuthority, CertificatePolicy
from pki.policies import require_manage
from pki.states import CaRole, CaState
from pki.x509.building import Issued, issue, prepare
from pki.x509.keys_policy import CheckedKey, describe_key
from pki.x509.linting import LintRefused
from pki.x509.orders import Issuer, Order, Subject, key_identifier, validity
from pki.x509.profiles import ISSUING, ROOT, Profile
from pki.x509.serials import new_serial
from pki.x509.signing import Signer, public_key_of
from portal.accounts.models import Bank
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Conflict, InvalidInput, InvalidState, Unavailable

ROOT_KEY: Final = "p384"  # as long as it lives, with room above what it signs
ISSUING_KEY: Final = "p256"


@dataclass(frozen=True, kw_only=True)
class AuthorityFacts:
    """name: its common name, up to 64 characters. country: ISO 3166, two letters. organisation: up to 64 characters.

    key: a kind of `keys_policy.KINDS`. keystore: `file` or `pkcs11`. days: None for what its profile gives.
    """

    name: str
    country: str
    organisation: str
    key: str
    keystore: str = "file"
    days: int | None = None


def create_root(*, actor: Actor, facts: AuthorityFacts) -> CertificateAuthority:
    """Make a root. It signs authorities and nothing else.

    Raises Forbidden, InvalidInput (what would not lint), Unavailable `key-store` when the key cannot be made.
    """
    require_manage(actor)
    signer = _new_key("root", facts)
    issued, until = _certify(facts, ROOT, signer, None, None)
    with transaction.atomic():
        return _store(actor, facts, CaRole.ROOT, None, None, issued, signer, until)


def create_issuing(
    *, actor: Actor, bank: Bank, parent: CertificateAuthority, facts: AuthorityFacts
) -> CertificateAuthority:
    """Make the authority that issues for a bank, and the bank's certificate policy where there is none yet.

    Raises Forbidden, InvalidInput, InvalidState `root-needed`, Unavailable `key-store`, Conflict `authority-exists`:
    a bank that has one rolls over.
    """
    require_manage(actor)
    if parent.role != CaRole.ROOT or parent.state != CaState.ACTIVE:
        raise InvalidState("Only an active root signs authorities.", code="root-needed")
    if CertificateAuthority.objects.issuing_for(bank.pk).exists():
        raise _exists()
    signer = _new_key(bank.code, facts)
    issued, until = _certify(facts, ISSUING, signer, parent, issuer_of(parent))
    try:
        with transaction.atomic():
            made = _store(actor, facts, CaRole.ISSUING, bank, parent, issued, signer, until)
            defaults = {
                "organisation": facts.organisation,
                "country": facts.country,
                "updated_at": clock.now(),
            }
            CertificatePolicy.objects.get_or_create(bank=bank, defaults=defaults)
    except IntegrityError:
        raise _exists() from None
    return made


def _exists() -> Conflict:
    return Conflict("This bank has an authority. Roll it over instead.", code="authority-exists")


def _new_key(label: str, facts: AuthorityFacts) -> tuple[str, Signer]:
    name = f"{label}-{secrets.token_hex(8)}"
    try:
        return name, make_signer(facts.keystore, name, facts.key)
    except KeyUnavailable as error:
        raise Unavailable(f"The key store made no key: {error}.", code="key-store") from error


def _certify(
    facts: AuthorityFacts,
    profile: Profile,
    signer: tuple[str, Signer],
    parent: CertificateAuthority | None,
    issuer: Issuer | None,
) -> tuple[Issued, datetime]:
    not_before, not_after = validity(clock.now(), facts.days or profile.days)
    if parent is not None:
        not_after = min(not_after, parent.not_after)
    order = Order(
        profile=profile,
        key=_described(signer[1]),
        subject=Subject(country=facts.country, organization=facts.organisation, common_name=facts.name),
        serial=new_serial(),
        not_before=not_before,
        not_after=not_after,
    )
    try:
        issued = issue(prepare(order, issuer), signer_of(parent) if parent else signer[1])
    except LintRefused as refused:
        first = refused.findings[0]
        raise InvalidInput(f"{first.sentence} ({first.rule})", code="authority-not-valid") from None
    return issued, not_after


def _described(signer: Signer) -> CheckedKey:
    key = describe_key(public_key_of(signer))
    if key is None:
        raise InvalidInput("Keys of this kind are not used.", code="unknown-enum")
    return key


def _store(
    actor: Actor,
    facts: AuthorityFacts,
    role: CaRole,
    bank: Bank | None,
    parent: CertificateAuthority | None,
    issued: Issued,
    signer: tuple[str, Signer],
    until: datetime,
) -> CertificateAuthority:
    certificate = issued.certificate
    authority = CertificateAuthority(
        bank=bank,
        role=role,
        parent=parent,
        name=facts.name,
        keystore=facts.keystore,
        key_name=signer[0],
        key_id=key_identifier(_described(signer[1])).hex(),
        serial=f"{certificate.serial_number:040x}",
        der=issued.der,
        not_before=certificate.not_valid_before_utc,
        not_after=until,
        created_at=clock.now(),
    )
    authority.save(force_insert=True)
    details = {"name": facts.name, "key": facts.key, "keystore": facts.keystore, "serial": authority.serial}
    audit.record(actor, Event.CA_CREATED, authority, after={"state": authority.state}, details=details)
    return authority
