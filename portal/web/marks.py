"""How a state looks: never a colour alone, always a colour, a shape and a word."""

from dataclasses import dataclass

from portal.audit.events import Event, Outcome


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
    "lost": Mark("bad", "map-pin-off", "Lost"),
    "no-pin": Mark("off", "circle-x", "None"),
    "pin-set": Mark("good", "lock", "Set"),
    "pin-locked": Mark("bad", "lock", "Locked"),
    "suspended": Mark("bad", "ban", "Suspended"),
    # merchants
    "alerted": Mark("wait", "triangle-alert", "To be looked at"),
    # a step over many devices
    "bulk-changed": Mark("good", "check", "Changed"),
    "bulk-already": Mark("off", "circle-check", "So already"),
    "bulk-refused": Mark("bad", "circle-x", "Refused"),
    # outcomes of audit events
    "done": Mark("good", "check", "Done"),
    "refused": Mark("bad", "circle-x", "Refused"),
    # health of background work
    "ok": Mark("good", "circle-check", "Running"),
    "late": Mark("wait", "clock", "Late"),
    "down": Mark("bad", "circle-x", "Stopped"),
    # yes and no, where yes is the better answer
    "yes": Mark("good", "circle-check", "Yes"),
    "no": Mark("off", "circle-x", "No"),
    # requests for a second person
    "approval-pending": Mark("wait", "hourglass", "Waiting"),
    "approval-done": Mark("good", "circle-check", "Carried out"),
    "approval-failed": Mark("bad", "triangle-alert", "Not carried out"),
    "approval-rejected": Mark("bad", "circle-x", "Rejected"),
    "approval-expired": Mark("off", "clock", "Expired"),
    "two-people": Mark("wait", "user-check", "Each time"),
    "sometimes-two": Mark("info", "user-check", "Sometimes"),
    "one-person": Mark("off", "user-round", "One person"),
    "approval-withdrawn": Mark("off", "undo", "Withdrawn"),
    # transfers
    "transfer-pending_approval": Mark("wait", "hourglass", "Waiting for approval"),
    "transfer-approved": Mark("info", "circle-user", "Waiting for the new owner"),
    "transfer-accepted": Mark("info", "clock", "Waiting for its date"),
    "transfer-completed": Mark("good", "arrow-right-left", "Completed"),
    "transfer-rejected": Mark("bad", "circle-x", "Rejected"),
    "transfer-cancelled": Mark("off", "x", "Cancelled"),
    "transfer-expired": Mark("off", "hourglass", "Expired"),
    # approvals on devices
    "two-factor-pending": Mark("wait", "hourglass", "Waiting"),
    "two-factor-approved": Mark("good", "circle-check", "Approved"),
    "two-factor-denied": Mark("bad", "circle-x", "Denied"),
    "two-factor-expired": Mark("off", "clock", "Expired"),
    "two-factor-cancelled": Mark("off", "x", "Cancelled"),
    "signed": Mark("good", "shield-check", "Signed"),
    "not-signed": Mark("wait", "triangle-alert", "Not signed"),
    "alert-open": Mark("bad", "triangle-alert", "Look at it"),
    "alert-reviewed": Mark("off", "check", "Looked at"),
    "in-person": Mark("wait", "users", "Allowed"),
    # links of devices to phrases
    "link-open": Mark("good", "link", "Linked"),
    "link-ended": Mark("off", "x", "Ended"),
    # messages
    "message-pending": Mark("wait", "hourglass", "Waiting"),
    "message-sending": Mark("info", "mail", "On its way"),
    "message-sent": Mark("good", "check", "Sent"),
    "message-failed": Mark("bad", "triangle-alert", "Failed"),
    "message-gone": Mark("bad", "circle-x", "Not registered any more"),
    # cards and tokens, and their imports
    "card-inactive": Mark("wait", "hourglass", "Inactive"),
    "card-valid": Mark("good", "circle-check", "Valid"),
    "card-expired": Mark("off", "clock", "Expired"),
    "card-blocked": Mark("bad", "ban", "Blocked"),
    "card-reported-as-lost": Mark("bad", "map-pin-off", "Reported as lost"),
    "import-ready": Mark("wait", "hourglass", "Ready to start"),
    "import-waiting": Mark("wait", "clock", "Waiting"),
    "import-running": Mark("info", "refresh-cw", "Running"),
    "import-done": Mark("good", "circle-check", "Done"),
    "import-refused": Mark("bad", "circle-x", "Refused"),
    "import-stopped": Mark("off", "x", "Stopped"),
    # authorities
    "ca-active": Mark("good", "circle-check", "Issues"),
    "ca-retiring": Mark("wait", "circle-pause", "Revokes only"),
    "ca-paused": Mark("wait", "circle-pause", "Rotations paused"),
    "ca-short": Mark("bad", "triangle-alert", "Ends soon"),
    "profile-narrowed": Mark("info", "list-checks", "Narrowed"),
    "profile-needs-zone": Mark("wait", "triangle-alert", "Needs a DNS zone"),
    "ca-ended": Mark("off", "archive", "Ended"),
    "roll-over-waiting": Mark("wait", "hourglass", "In progress"),
    "roll-over-done": Mark("good", "circle-check", "Done"),
    "roll-over-failed": Mark("bad", "triangle-alert", "Given up"),
    # certificate requests
    "request-pending": Mark("wait", "hourglass", "Waiting to be signed"),
    "request-ready": Mark("info", "stamp", "Allowed"),
    "request-signing": Mark("wait", "refresh-cw", "Being signed"),
    "request-issued": Mark("good", "shield-check", "Signed"),
    "request-rejected": Mark("bad", "circle-x", "Rejected"),
    "request-expired": Mark("off", "clock", "Expired"),
    # certificates
    "certificate-signing": Mark("wait", "hourglass", "Being signed"),
    "certificate-aborted": Mark("off", "x", "Never issued"),
    "certificate-active": Mark("good", "shield-check", "Valid"),
    "certificate-overlap": Mark("info", "refresh-cw", "Overlapping"),
    "certificate-on_hold": Mark("wait", "circle-pause", "On hold"),
    "certificate-revoked": Mark("bad", "shield-x", "Revoked"),
    "rotation-planned": Mark("wait", "clock", "Planned"),
    "rotation-signing": Mark("info", "refresh-cw", "Being signed"),
    "rotation-awaiting_device": Mark("wait", "smartphone", "Waiting for the device"),
    "rotation-overlap": Mark("info", "refresh-cw", "Both valid"),
    "rotation-done": Mark("good", "circle-check", "Done"),
    "rotation-failed": Mark("bad", "triangle-alert", "Given up"),
    "rotation-cancelled": Mark("off", "x", "Cancelled"),
    "rotations-running": Mark("good", "circle-play", "Running"),
    "rotations-paused": Mark("wait", "circle-pause", "Paused"),
    "certificate-expired": Mark("off", "clock", "Expired"),
    # the log
    "sealed": Mark("good", "stamp", "Sealed"),
    "broken": Mark("bad", "triangle-alert", "Broken"),
    "unsealed": Mark("wait", "hourglass", "Not sealed yet"),
}

_KIND_ICONS = {
    "tablet": "tablet",
    "watch": "watch",
    "payment-card": "credit-card",
    "smart-card": "credit-card",
    "otp-token": "key-round",
}

# The last word of an event's name says what kind of thing happened; the whole name goes first where it misleads.
_EVENT_MARKS = {
    "registered": ("info", "plus"),
    "created": ("info", "plus"),
    "enrolled": ("info", "fingerprint"),
    "recorded": ("info", "fingerprint"),
    "succeeded": ("good", "log-in"),
    "activated": ("good", "circle-play"),
    "unblocked": ("good", "circle-play"),
    "deactivated": ("wait", "circle-pause"),
    "blocked": ("bad", "ban"),
    "locked": ("bad", "lock"),
    "suspended": ("bad", "ban"),
    "resumed": ("good", "circle-play"),
    "unregistered": ("off", "archive"),
    "lost": ("bad", "map-pin-off"),
    "found": ("good", "undo"),
    "switched": ("info", "list-checks"),
    "retired": ("off", "archive"),
    "ended": ("off", "log-out"),
    "revoked": ("off", "log-out"),
    "corrected": ("info", "pencil"),
    "updated": ("info", "pencil"),
    "changed": ("info", "pencil"),
    "renewed": ("info", "refresh-cw"),
    "issued": ("info", "key-round"),
    "used": ("info", "key-round"),
    "delivered": ("good", "truck"),
    "replaced": ("info", "refresh-cw"),
    "requested": ("wait", "hourglass"),
    "approved": ("good", "stamp"),
    "granted": ("good", "user-check"),
    "withdrawn": ("off", "undo"),
    "rejected": ("bad", "circle-x"),
    "accepted": ("good", "check"),
    "confirmed": ("good", "check"),
    "completed": ("good", "arrow-right-left"),
    "cancelled": ("off", "x"),
    "expired": ("off", "hourglass"),
    "sent": ("good", "mail"),
    "resent": ("info", "refresh-cw"),
    "failed": ("bad", "triangle-alert"),
    "refused": ("bad", "circle-x"),
    "allowed": ("good", "stamp"),
    "returned": ("wait", "undo"),
    "taken": ("info", "download"),
    "exported": ("info", "download"),
    "made": ("good", "link"),
    "cut": ("off", "x"),
    "moved": ("wait", "lock"),
    "merchant.alert-reviewed": ("good", "check"),
    "started": ("wait", "hourglass"),
    "aborted": ("off", "x"),
    "held": ("wait", "circle-pause"),
    "released": ("good", "circle-play"),
    "proved": ("good", "shield-check"),
    "published": ("info", "scroll-text"),
    "planned": ("wait", "clock"),
    "done": ("good", "refresh-cw"),
    "asked": ("wait", "key-round"),
    "paused": ("wait", "circle-pause"),
    "certificate.issued": ("good", "shield-check"),
    "certificate.revoked": ("bad", "shield-x"),
    "repeated": ("wait", "refresh-cw"),
    "denied": ("bad", "circle-x"),
    "alert": ("bad", "triangle-alert"),
    "added": ("info", "plus"),
    "removed": ("off", "x"),
    "device.signed-in": ("good", "log-in"),
    "second-factor.reset": ("wait", "undo"),
    "two-factor.alert-reviewed": ("good", "check"),
    "two-factor.evidence": ("info", "download"),
    "device-import.started": ("info", "upload"),
    "device-import.ended": ("info", "list-checks"),
}
_NEUTRAL = ("off", "activity")


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


def event_name(event: str) -> str:
    """The words for an audit event, also for a name that this release does not know."""
    return Event(event).label if event in Event.values else humanise(event)


def event_mark(event: str, outcome: str = "") -> Mark:
    """How to show an audit event: by its outcome when it was refused, else by its last word."""
    last = event.replace(".", "-").split("-")[-1]
    key = "refused" if outcome == Outcome.REFUSED else event if event in _EVENT_MARKS else last
    tone, icon = _EVENT_MARKS.get(key, _NEUTRAL)
    return Mark(tone, icon, event_name(event))
