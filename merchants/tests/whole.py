"""What tests of links share: all that a link leaves in the database, and whether lists and counts agree with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from merchants.models import Link, LinkOrder, LinkSpan, LinkTotal, Phrase
from merchants.queries.spans import COLUMNS, key_of, text_of
from portal.audit.models import AuditEvent


def rows() -> list[object]:
    """All that linking and unlinking write."""
    kept = [list(model._default_manager.order_by("pk").values()) for model in (Link, Phrase, LinkSpan, LinkTotal)]
    return [*kept, AuditEvent.objects.count()]


@contextmanager
def nothing_written() -> Iterator[None]:
    before = rows()
    yield
    assert rows() == before


def check_whole(bank_id: UUID) -> None:
    """Every span begins where it says and holds what it counts; totals agree; no phrase is without a device."""
    for order in LinkOrder:
        links = Link.objects.open().filter(bank_id=bank_id).order_by(COLUMNS[order], "id")
        places = [(text_of(key_of(link, order)), link.pk) for link in links]
        spans = LinkSpan.objects.filter(bank_id=bank_id, order=order).order_by("first_key", "first_id")
        begins = [(span.first_key, span.first_id) for span in spans]
        assert begins == sorted(begins)
        assert begins[:1] in ([], [("", UUID(int=0))])
        ends = [*begins[1:], None]
        held = [
            sum(begin <= place and (end is None or place < end) for place in places)
            for begin, end in zip(begins, ends, strict=True)
        ]
        assert [span.count for span in spans] == held
        assert all(held[1:])
        total = LinkTotal.objects.filter(pk=bank_id).first()
        assert (total.total if total else 0) == len(places) == sum(held)
    linked = set(Link.objects.open().filter(bank_id=bank_id).values_list("phrase_id", "customer_id"))
    assert set(Phrase.objects.filter(bank_id=bank_id).values_list("pk", "customer_id")) == linked
