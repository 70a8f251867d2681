"""Revocation lists: one complete list for each authority, under a number that only ever grows.

    1  number   transaction: the authority's row is locked, its number grows
    2  read     what is revoked, after the number was taken: a list says everything that was true before its number
    3  sign     no transaction, no lock
    4  store    transaction: the list, and the changes that it says are ticked off

Lists that are built at the same time have different numbers, and the highest that is stored is served. A slow one
with a lower number hides nothing: it is stored, and not served. A change is ticked off only by a list that read it
before any higher number was taken: every list that may be served instead says it, too.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, F, Func, Q, Value
from django.db.models.functions import Greatest
from django.db.models.sql.compiler import SQLCompiler

from pki.authority import issuer_of, signer_of
from pki.keystore.errors import KeyUnavailable
from pki.models import Certificate, CertificateAuthority, CrlChange, PublishedCrl
from pki.policies import require_manage
from pki.states import CaRole, CaState, CertificateState
from pki.x509.crl import Row, build_crl
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import InvalidState, NotFound, Unavailable

LIFE: Final = timedelta(hours=24)
ROOT_LIFE: Final = timedelta(days=7)  # a root's list is short, and its key may be hard to reach
EVERY: Final = timedelta(hours=1)
ROOT_EVERY: Final = timedelta(days=1)
KEPT: Final = timedelta(days=7)  # after the next one was due
_AT_ONCE: Final = 2000

log = logging.getLogger(__name__)


def publish_crl(*, actor: Actor, authority_id: UUID) -> PublishedCrl:
    """Publish an authority's list now, whether or not something changed. Each call makes a list.

    Raises Forbidden, NotFound, InvalidState `authority-ended`, Unavailable `key-store`.
    """
    require_manage(actor)
    authority = CertificateAuthority.objects.visible_to(actor).filter(pk=authority_id).first()
    if authority is None:
        raise NotFound("There is no such authority.")
    if authority.state == CaState.ENDED:
        raise InvalidState("Everything it issued has run out.", code="authority-ended")
    try:
        return publish(actor, authority)
    except KeyUnavailable as error:
        raise Unavailable("The authority's key does not sign right now.", code="key-store") from error


def publish(actor: Actor, authority: CertificateAuthority) -> PublishedCrl:
    """Build, sign and store a list. Not inside a transaction. Raises what the key store raises."""
    number = _take_number(authority.pk)
    waiting = _waiting(authority, number)
    now = clock.now().replace(microsecond=0)
    next_update = min(now + (ROOT_LIFE if authority.role == CaRole.ROOT else LIFE), authority.not_after)
    entries = _entries(authority, now)
    der = build_crl(
        issuer_of(authority),
        entries,
        number=number,
        this_update=now,
        next_update=next_update,
        signer=signer_of(authority),
    )
    crl = PublishedCrl(
        authority=authority,
        number=number,
        der=der,
        entries=len(entries),
        this_update=now,
        next_update=next_update,
    )
    _store(actor, crl, waiting)
    return crl


def publish_if_due(authority_id: UUID) -> bool:
    """Publish where something changed that no list says yet, or the last list is an hour old. Returns whether."""
    authority = CertificateAuthority.objects.answering().filter(pk=authority_id).first()
    now = clock.now()
    if authority is None or authority.not_after <= now or not _is_due(authority, now):
        return False
    publish(Actor.system("pki.publish", bank_id=authority.bank_id), authority)
    return True


def publish_due() -> int:
    """The same for every authority; the sweep's work. One whose key does not sign keeps nobody else waiting."""
    made = 0
    for authority_id in CertificateAuthority.objects.answering().values_list("pk", flat=True):
        try:
            made += publish_if_due(authority_id)
        except (KeyUnavailable, ValueError):
            log.exception("a CRL could not be made", extra={"authority": str(authority_id)})
    return made


def newest(authority: CertificateAuthority) -> PublishedCrl | None:
    """The list that is served, without its bytes. One query."""
    return PublishedCrl.objects.filter(authority=authority).defer("der").order_by("-number").first()


@transaction.atomic(durable=True)
def _take_number(authority_id: UUID) -> int:
    """Committed before anything is read: two lists never share a number, whatever becomes of either.

    It is not below the seconds of Unix time: after an older backup was restored, numbers still do not go back.
    """
    number = Greatest(F("crl_number") + 1, Value(int(clock.now().timestamp())))
    CertificateAuthority.objects.filter(pk=authority_id).update(crl_number=number)
    # The row is locked by the update until the commit, so that this is the number that the update made.
    return CertificateAuthority.objects.values_list("crl_number", flat=True).get(pk=authority_id)


def _waiting(authority: CertificateAuthority, number: int) -> list[int]:
    """The changes that this list ticks off: none where another list has taken a higher number meanwhile."""
    changes = list(CrlChange.objects.filter(authority=authority).values_list("pk", flat=True))
    highest = CertificateAuthority.objects.values_list("crl_number", flat=True).get(pk=authority.pk)
    return changes if highest == number else []


def _entries(authority: CertificateAuthority, now: datetime) -> list[Row]:
    """RFC 5280 3.3: an entry stays until a list was published after the certificate's end.

    Ours stays a day longer, so that whoever fetches lists only when they run out has seen it, too.
    """
    last = newest(authority)
    since = min(last.this_update, now - LIFE) if last else datetime.min.replace(tzinfo=now.tzinfo)
    rows = Certificate.objects.filter(
        authority=authority,
        state__in=[CertificateState.REVOKED, CertificateState.ON_HOLD],
        not_after__gte=since,
    )
    columns = rows.values_list("serial", _Digits("revoked_at"), "revocation_reason")
    return list(columns.iterator(chunk_size=_AT_ONCE))


class _Digits(Func):
    """A time as a revocation list has it, written by the database: to build dates takes as long as all the rest."""

    output_field = CharField()

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **more: Any) -> tuple[str, Any]:
        return self.as_sql(
            compiler, connection, template="strftime('%%%%Y%%%%m%%%%d%%%%H%%%%M%%%%S', %(expressions)s)"
        )

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **more: Any) -> tuple[str, Any]:
        template = "to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS')"
        return self.as_sql(compiler, connection, template=template)


@transaction.atomic
def _store(actor: Actor, crl: PublishedCrl, waiting: list[int]) -> None:
    crl.save(force_insert=True)
    for start in range(0, len(waiting), _AT_ONCE):
        CrlChange.objects.filter(pk__in=waiting[start : start + _AT_ONCE]).delete()
    old = Q(authority_id=crl.authority_id, number__lt=crl.number, next_update__lt=crl.this_update - KEPT)
    PublishedCrl.objects.filter(old).delete()
    details = {"number": crl.number, "entries": crl.entries}
    audit.record(actor, Event.CRL_PUBLISHED, crl.authority, details=details)


def _is_due(authority: CertificateAuthority, now: datetime) -> bool:
    if CrlChange.objects.filter(authority=authority).exists():
        return True
    last = newest(authority)
    every = ROOT_EVERY if authority.role == CaRole.ROOT else EVERY
    return last is None or last.this_update + every <= now
