"""Merchants as the portal's pages show them: plain values."""

from collections.abc import Sequence

from django.urls import reverse

from merchants.models import MerchantAlert
from merchants.queries.merchants import Hour, Standing
from merchants.states import AlertKind
from portal.accounts.operations.clients import Created
from portal.web import charts

WORDS = ("lookup that found somebody", "that found nothing or was refused")
USE = "It and the client id get tokens at /oauth/token."


def merchant(row: Standing) -> dict[str, object]:
    """One merchant: what it may, and what it did in this hour."""
    return {
        "url": reverse("merchants:detail", args=[row.client_id]),
        "seen_url": f"{reverse('links:lookups')}?merchant={row.client_id}",
        "client_id": row.client_id,
        "name": row.name,
        "suspended": row.is_suspended,
        "hits": row.hits,
        "misses": row.misses,
        "refused": row.refused,
        "budget": row.budget,
        "budget_now": row.budget_now,
        "lessened": row.budget_now < row.budget,
        "left": row.left,
        "plain_ids": row.plain_ids,
        "open_alerts": row.open_alerts,
        "last_hit_at": row.last_hit_at,
        "networks": row.client.allowed_ips,
    }


def chart(hours: Sequence[Hour]) -> charts.DayChart:
    """What was found, and on top of it what was not or was refused, by the hour."""
    counts = [charts.HourCount(one.hour, lower=one.hits, upper=one.misses + one.refused) for one in hours]
    return charts.hour_chart(counts, words=("hit", "miss or refusal"))


def alert(row: MerchantAlert) -> dict[str, object]:
    """One alert, with what was counted."""
    client = row.merchant.application
    return {
        "id": str(row.pk),
        "merchant": client.name,
        "url": reverse("merchants:detail", args=[client.client_id]),
        "review_url": reverse("merchants:review", args=[row.pk]),
        "what": AlertKind(row.kind).label,
        "figures": [(name, number) for name, number in sorted(row.figures.items())],
        "raised_at": row.raised_at,
        "reviewed_at": row.reviewed_at,
        "reviewed_by": row.reviewed_by,
        "note": row.note,
    }


def created(made: Created) -> dict[str, object]:
    """A new merchant, for the page that shows its secret."""
    client = made.application
    return {
        "name": client.name,
        "client_id": client.client_id,
        "url": reverse("merchants:detail", args=[client.client_id]),
    }


def secret(text: str) -> dict[str, str]:
    """A client secret, for the page that shows it once."""
    return {"id": "secret-client", "label": "Client secret", "use": USE, "text": text}
