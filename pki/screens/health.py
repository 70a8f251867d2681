"""How lists and answers are doing, as the health page shows it."""

from datetime import datetime
from typing import Final

from django.urls import reverse

from pki.policies import may_manage
from pki.queries.health import AuthorityHealth
from pki.states import CaRole, CaState
from portal.core import clock
from portal.core.actor import Actor

LIST_WORDS: Final = {"ok": "Up to date", "late": "Late", "down": "Over"}
ANSWER_WORDS: Final = {"ok": "Ready", "late": "Being signed"}
RESPONDER_WORDS: Final = {"ok": "Ready", "late": "Ends soon", "down": "Ended"}


def authority(health: AuthorityHealth, actor: Actor) -> dict[str, object]:
    """One authority for its card."""
    row, now = health.authority, clock.now()
    total = health.answered + health.unanswered
    return {
        "name": row.name,
        "role": CaRole(row.role).label,
        "retiring": row.state == CaState.RETIRING,
        "url": reverse("pki:authority", args=[row.pk]),
        "publish_url": reverse("pki:publish", args=[row.pk]) if may_manage(actor) else "",
        "list_word": LIST_WORDS[health.list_state(now)],
        "answers_word": ANSWER_WORDS[health.answers_state(now)],
        "responder_word": RESPONDER_WORDS[health.responder_state(now)],
        "list": {
            "state": health.list_state(now),
            "number": health.number,
            "made_at": health.made_at,
            "next_at": health.next_at,
            "entries": health.entries,
            "waiting": health.waiting,
            "waits_since": health.waits_since,
            "left": _left(health.made_at, health.next_at, now),
            "url": reverse("pki-public:crl", args=[row.address_key]),
        },
        "answers": {
            "state": health.answers_state(now),
            "answered": health.answered,
            "unanswered": health.unanswered,
            "total": total,
        },
        "responder": {"state": health.responder_state(now), "until": health.responder_until},
    }


def tiles(healths: list[AuthorityHealth]) -> list[dict[str, object]]:
    """The figures of all of them together."""
    now = clock.now()
    over = sum(health.list_state(now) == "down" for health in healths)
    return [
        {"label": "Lists that are over", "value": over, "note": "nobody believes them any more"},
        {
            "label": "Revoked and on hold",
            "value": sum(health.entries for health in healths),
            "note": "entries in the lists that are served",
        },
        {
            "label": "Changes that wait",
            "value": sum(health.waiting for health in healths),
            "note": "OCSP says them already; the next list does, too",
        },
        {
            "label": "Answers ready",
            "value": sum(health.answered for health in healths),
            "note": "signed beforehand, good for a day",
        },
    ]


def _left(begin: datetime | None, end: datetime | None, now: datetime) -> int:
    """How much of a list's life is left, in percent."""
    if begin is None or end is None or end <= begin:
        return 0
    return max(0, min(100, round(100 * ((end - now) / (end - begin)))))
