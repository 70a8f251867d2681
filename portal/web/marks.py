"""How a state looks: never a colour alone, always a colour, a shape and a word."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """tone: `good`, `wait`, `bad`, `off` or `info` (classes in portal.css). icon: a name in icons.svg."""

    tone: str
    icon: str
    label: str


_MARKS = {
    # devices
    "pending": Mark("wait", "hourglass", "Pending"),
    "active": Mark("good", "circle-check", "Active"),
    "inactive": Mark("off", "circle-pause", "Inactive"),
    "blocked": Mark("bad", "ban", "Blocked"),
    "retired": Mark("off", "archive", "Retired"),
    # outcomes of audit events
    "done": Mark("good", "check", "Done"),
    "success": Mark("good", "check", "Done"),
    "refused": Mark("bad", "circle-x", "Refused"),
    # health of background work
    "ok": Mark("good", "circle-check", "Running"),
    "late": Mark("wait", "clock", "Late"),
    "down": Mark("bad", "circle-x", "Stopped"),
    # messages in the outbox
    "waiting": Mark("wait", "hourglass", "Waiting"),
    "sent": Mark("good", "check", "Sent"),
    "failed": Mark("bad", "circle-x", "Failed"),
    # yes and no, where yes is the better answer
    "yes": Mark("good", "circle-check", "Yes"),
    "no": Mark("off", "circle-x", "No"),
    # the log
    "sealed": Mark("good", "stamp", "Sealed"),
    "broken": Mark("bad", "triangle-alert", "Broken"),
    "unsealed": Mark("wait", "hourglass", "Not sealed yet"),
}

_KIND_ICONS = {
    "tablet": "tablet",
    "payment-card": "credit-card",
    "smart-card": "credit-card",
    "otp-token": "key-round",
}

# The last word of an event's name says what kind of thing happened.
_EVENT_MARKS = {
    "registered": ("info", "plus"),
    "created": ("info", "plus"),
    "enrolled": ("info", "fingerprint"),
    "activated": ("good", "circle-play"),
    "unblocked": ("good", "circle-play"),
    "deactivated": ("wait", "circle-pause"),
    "blocked": ("bad", "ban"),
    "unregistered": ("off", "archive"),
    "retired": ("off", "archive"),
    "ended": ("off", "log-out"),
    "revoked": ("off", "log-out"),
    "corrected": ("info", "pencil"),
    "updated": ("info", "pencil"),
    "changed": ("info", "pencil"),
    "issued": ("info", "key-round"),
}


def humanise(word: str) -> str:
    """`needs-second-person`, `NEEDS_SECOND_PERSON`, `needs.second.person` → `Needs second person`."""
    text = word.replace("-", " ").replace("_", " ").replace(".", " ").strip()
    return (text[:1].upper() + text[1:]) if text != text.upper() else text.capitalize()


def mark(word: str) -> Mark:
    """How to show a state. A word nobody described gets a neutral look and its own name."""
    return _MARKS.get(word.lower()) or Mark("off", "info", humanise(word))


def kind_icon(kind: str) -> str:
    """The icon of a device kind; a phone where nothing better is known."""
    return _KIND_ICONS.get(kind.lower().replace("_", "-"), "smartphone")


def event_mark(event: str, outcome: str = "") -> Mark:
    """How to show an audit event: by its outcome when it was refused, else by its last word."""
    if outcome.lower() == "refused":
        return Mark("bad", "circle-x", humanise(event))
    last = event.replace("_", "-").split(".")[-1].split("-")[-1]
    tone, icon = _EVENT_MARKS.get(last, ("off", "activity"))
    return Mark(tone, icon, humanise(event))
