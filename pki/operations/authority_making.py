"""How an authority is made: its key in a key store, its certificate by its parent's key, then its row.

The first two are slow and happen outside of any transaction. What fails before the row is stored leaves a key that
nobody trusts, and nothing else.
"""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from django.db import transaction

from pki.authority import issuer_of, signer_of
from pki.keystore.errors import KeyRefused, KeyUnavailable
from pki.keystore.stores import make_signer, store_names
from pki.models import CertificateAuthority
from pki.states import CaRole
from pki.x509.building import Issued, Prepared, issue, prepare
from pki.x509.keys_policy import KINDS, CheckedKey, describe_key
from pki.x509.linting import LintRefused
from pki.x509.orders import Order, Subject, key_identifier, validity
from pki.x509.profiles import ISSUING, ROOT
from pki.x509.serials import new_serial
from pki.x509.signing import Signer, public_key_of
from portal import jobs
from portal.accounts.models import Bank
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import FieldProblem, InvalidInput, Unavailable

LONGEST_NAME: Final = 64  # RFC 5280 A.1, ub-common-name


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


def key_problems(key: str, keystore: str) -> list[FieldProblem]:
    """What is wrong with a choice of key and key store, before either is touched."""
    problems = []
    if key not in KINDS:
        problems.append(FieldProblem("key", "unknown-enum", f"One of: {', '.join(KINDS)}."))
    if keystore not in store_names():
        problems.append(FieldProblem("keystore", "unknown-enum", f"Set up here: {', '.join(store_names())}."))
    elif keystore == "pkcs11" and key == "ed25519":
        problems.append(FieldProblem("key", "unknown-enum", "Tokens make EC and RSA keys."))
    return problems


def make_authority(
    actor: Actor, facts: AuthorityFacts, *, bank: Bank | None, parent: CertificateAuthority | None
) -> CertificateAuthority:
    """Make the key and the certificate of a root (no parent) or of a bank's authority. Not inside a transaction.

    Returns its row, which is not stored yet. Its serial is written down before anything is signed under it. Raises
    InvalidInput for what would not lint, Unavailable `key-store` when a key cannot be made or used.
    """
    if problems := key_problems(facts.key, facts.keystore):
        raise InvalidInput(fields=tuple(problems))
    key_name, signer = _new_key(bank.code if bank else "root", facts)
    key = describe_key(public_key_of(signer))
    assert key is not None  # noqa: S101  for the type checker: the store made it of a known kind
    order = _order(facts, key, parent)
    prepared = _prepared(order, parent)
    authority = CertificateAuthority(
        bank=bank,
        role=CaRole.ISSUING if parent else CaRole.ROOT,
        parent=parent,
        name=facts.name,
        keystore=facts.keystore,
        key_name=key_name,
        key_id=key_identifier(key).hex(),
        serial=f"{order.serial:040x}",
        not_before=order.not_before,
        not_after=order.not_after,
        created_at=clock.now(),
    )
    with transaction.atomic():
        audit.record(actor, Event.CA_STARTED, authority, details=_details(authority, facts))
    authority.der = _signed(prepared, parent, signer).der
    return authority


def store_authority(actor: Actor, made: CertificateAuthority, facts: AuthorityFacts) -> None:
    """Write its row, inside the caller's transaction. It publishes its first CRL afterwards.

    Raises IntegrityError when another took its place meanwhile.
    """
    made.save(force_insert=True)
    details = _details(made, facts) | {"fingerprint": sha256(bytes(made.der)).hexdigest()}
    audit.record(actor, Event.CA_CREATED, made, after={"state": made.state}, details=details)
    jobs.ring("pki.publish_crl", made.pk)


def _details(authority: CertificateAuthority, facts: AuthorityFacts) -> dict[str, object]:
    return {
        "name": authority.name,
        "key": facts.key,
        "keystore": authority.keystore,
        "key_name": authority.key_name,
        "serial": authority.serial,
    }


def _new_key(label: str, facts: AuthorityFacts) -> tuple[str, Signer]:
    name = f"{label}-{secrets.token_hex(8)}"
    try:
        return name, make_signer(facts.keystore, name, facts.key)
    except KeyRefused as error:
        raise InvalidInput.at("key", "key-refused", f"The key store makes no such key: {error}.") from None
    except KeyUnavailable as error:
        raise Unavailable(f"The key store made no key: {error}.", code="key-store") from error


def _order(facts: AuthorityFacts, key: CheckedKey, parent: CertificateAuthority | None) -> Order:
    profile = ISSUING if parent else ROOT
    not_before, not_after = validity(clock.now(), facts.days or profile.days)
    return Order(
        profile=profile,
        key=key,
        subject=Subject(country=facts.country, organization=facts.organisation, common_name=facts.name),
        serial=new_serial(),
        not_before=not_before,
        not_after=min(not_after, parent.not_after) if parent else not_after,
    )


def _prepared(order: Order, parent: CertificateAuthority | None) -> Prepared:
    try:
        return prepare(order, issuer_of(parent) if parent else None)
    except LintRefused as refused:
        raise _not_valid(refused) from None


def _signed(prepared: Prepared, parent: CertificateAuthority | None, own: Signer) -> Issued:
    """Signed by the parent's key, a root's by its own."""
    try:
        return issue(prepared, signer_of(parent) if parent else own)
    except LintRefused as refused:
        raise _not_valid(refused) from None
    except KeyUnavailable as error:
        raise Unavailable(f"The key does not sign: {error}.", code="key-store") from error


def _not_valid(refused: LintRefused) -> InvalidInput:
    first = refused.findings[0]
    return InvalidInput(f"{first.sentence} ({first.rule})", code="authority-not-valid")
