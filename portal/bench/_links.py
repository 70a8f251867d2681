"""A bank with a great many links, for benchmarks: devices, customers, phrases, links, all sealed as ever."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import connection, models, transaction

from devices.models import Device, ExternalIdKind, Kind
from devices.states import Category, DeviceStatus, HeldBy
from merchants.models import MOST, Link, Merchant, Phrase
from merchants.models.links import DEVICE_ID, number_key
from merchants.operations import positions
from portal import vault
from portal.accounts.models import Application, ApplicationKind, Bank, User, UserKind
from portal.accounts.operations.tokens import issue_token
from portal.accounts.scopes import SCOPES_BY_KIND
from portal.bench._rows import ACTOR
from portal.core import clock, ids

BATCH: Final = 5000  # links
PER_CUSTOMER: Final = 2
DAY: Final = timedelta(days=1)
_EXTERNAL: Final = (
    *("external_id_sealed", "external_id_index", "external_id_index_next"),
    *("external_id_last4", "external_id_kind"),
)
_OF_A_LINK: Final = ("device_id_sealed", "number_key", "linked_at")
ANYHOW: Final = random.SystemRandom()


@dataclass(frozen=True)
class Known:
    """What names one link: all that a search can be for."""

    device_id: str
    phrase: str
    number: str


def make_bank(code: str) -> Bank:
    return Bank.objects.create(code=code, name=code.title())


def make_client(bank: Bank, kind: ApplicationKind) -> str:
    """The token of a server of this kind. A merchant may miss as much as any may."""
    application = Application.objects.create(
        bank=bank,
        kind=kind,
        name=f"A {kind}",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        dialects=["peere"],
        allowed_scopes=sorted(SCOPES_BY_KIND[kind]),
    )
    if kind == ApplicationKind.MERCHANT:
        Merchant.objects.create(application=application, bank=bank, budget=MOST, budget_now=MOST, made_at=clock.now())
    scopes = application.allowed_scopes
    return issue_token(actor=ACTOR, application=application, scopes=scopes, lifetime=DAY)[1]


def make_links(bank: Bank, count: int, first: int = 0, *, every: int = 1) -> list[Known]:
    """So many open links of active devices, two of a customer, the customers numbered from `first`.

    Returns every so-many-th of them. The links are counted when all are there.
    """
    kept: list[Known] = []
    for start in range(first, first + count, BATCH):
        kept += _store_batch(bank, range(start, min(start + BATCH, first + count)), every)
    positions.rebuild(bank.pk)
    settle()
    return kept


def make_devices(bank: Bank, count: int, status: DeviceStatus, *, linked: bool) -> list[str]:
    """Devices of this status, of one new customer, linked or not: their external ids. The links are not counted."""
    rows = _Rows(bank, status)
    number = f"D{ANYHOW.getrandbits(60)}"
    rows.add_customer(number, f"grey heron {number.lower()}")
    names = [rows.add_device(linked=linked) for _ in range(count)]
    rows.store()
    return names


def unknown_ids(count: int) -> list[str]:
    """Ids like the others that nobody has."""
    return [_device_name() for _ in range(count)]


def settle() -> None:
    """Let PostgreSQL take stock of its tables, as it does by itself a minute after such a load."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def _store_batch(bank: Bank, numbers: range, every: int) -> list[Known]:
    rows, kept = _Rows(bank, DeviceStatus.ACTIVE), []
    for number in numbers:
        if number == numbers[0] or number % PER_CUSTOMER == 0:
            known = (f"blue heron {number}", f"C{number:09}")
            rows.add_customer(known[1], known[0])
        name = rows.add_device(linked=True)
        if number % every == 0:
            kept.append(Known(name, *known))
    rows.store()
    return kept


def _device_name() -> str:
    return f"device_{ANYHOW.getrandbits(64):016x}"


class _Rows:
    """Rows of one bank, gathered and stored together.

    One model of each kind is filled in again and again: a million of each would take minutes to make.
    """

    def __init__(self, bank: Bank, status: DeviceStatus) -> None:
        self.now, off = clock.now(), status == DeviceStatus.INACTIVE
        self.customer = User(bank=bank, kind=UserKind.CUSTOMER, name="Ada", password="!")  # noqa: S106  none
        self.phrase = Phrase(bank=bank, customer=self.customer, made_at=self.now)
        self.device = Device(
            bank=bank,
            owner=self.customer,
            category=Category.OWNED,
            kind=Kind.MOBILE,
            status=status,
            held_by=HeldBy.BANK if off else HeldBy.NOBODY,
            registered_at=self.now,
            updated_at=self.now,
            activated_at=self.now,
            switched_off_at=self.now if off else None,
        )
        self.link = Link(bank=bank, device=self.device, customer=self.customer, phrase=self.phrase)
        self.tables = (
            customers := _Table(self.customer, "id", "customer_number"),
            devices := _Table(self.device, "id", "owner", *_EXTERNAL),
            phrases := _Table(self.phrase, "id", "customer", "text_sealed", "text_index", "text_index_next"),
            links := _Table(self.link, "id", "device", "customer", "phrase", *_OF_A_LINK),
        )
        self.customers, self.devices, self.phrases, self.links = customers, devices, phrases, links

    def add_customer(self, number: str, phrase: str) -> None:
        """Whose the next devices are. phrase: in its normal form."""
        self.customer.id, self.customer.customer_number = ids.new_id(), number
        self.phrase.id, self.phrase.customer_id = ids.new_id(), self.customer.id
        self.phrase.set_text(phrase, phrase)
        self.link.number_key = number_key(number)
        self.device.owner_id = self.link.customer_id = self.customer.id
        self.link.phrase_id = self.phrase.id
        self.customers.add()
        self.phrases.add()

    def add_device(self, *, linked: bool) -> str:
        """Its external id."""
        name = _device_name()
        self.device.id = ids.new_id()
        self.device.set_external_id(ExternalIdKind.APP_ID, name)
        self.devices.add()
        if linked:
            self.link.id, self.link.device_id = ids.new_id(), self.device.id
            self.link.device_id_sealed = vault.seal(DEVICE_ID, self.link.id, name)
            self.link.linked_at = self.now - timedelta(milliseconds=ANYHOW.randrange(10**10))
            self.links.add()
        return name

    def store(self) -> None:
        with transaction.atomic():
            for table in self.tables:
                table.store()


class _Table:
    """Rows that are like one model but for some fields. By COPY where the database has it."""

    def __init__(self, model: models.Model, *changing: str) -> None:
        self.model, self.fields = model, [field for field in model._meta.concrete_fields if field.column]
        self.like = [field.get_db_prep_save(field.pre_save(model, add=True), connection) for field in self.fields]
        self.changing = [place for place, field in enumerate(self.fields) if field.name in changing]
        self.rows: list[list[Any]] = []

    def add(self) -> None:
        """The model as it is now."""
        row = self.like.copy()
        for place in self.changing:
            field = self.fields[place]
            row[place] = field.get_db_prep_save(getattr(self.model, field.attname), connection)
        self.rows.append(row)

    def store(self) -> None:
        table = self.model._meta.db_table
        names = ", ".join(f'"{field.column}"' for field in self.fields)
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                    for row in self.rows:
                        copy.write_row(row)
            else:
                marks = ", ".join(["%s"] * len(self.fields))
                line = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'  # noqa: S608  our own names
                cursor.executemany(line, self.rows)
