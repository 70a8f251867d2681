"""The few ways in which an operation says no.

An error carries a rule id (`code`, kebab-case), a sentence for a person (`message`) and plain `details`.
It knows no HTTP status: each door has one table from these classes to its own wire.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldProblem:
    """One thing wrong with one input field.

    field: the field's name as the operation knows it (snake_case), or "" for the whole input.
    code: kebab-case rule id, e.g. `required`, `max-length`, `unknown-field`.
    """

    field: str
    code: str
    message: str


class DomainError(Exception):
    """Base of every refusal. Catch this at a door, never inside an operation."""

    audited = False  # true when the operation has written its own event

    code = "refused"
    default_message = "The request was refused."

    def __init__(self, message: str = "", *, code: str | None = None, **details: object) -> None:
        self.message = message or self.default_message
        self.code = code or type(self).code
        self.details = details
        super().__init__(self.message)


class InvalidInput(DomainError):
    """The input itself is wrong, whatever the state of things. `fields` names every problem found."""

    code = "invalid-input"
    default_message = "The request is not valid."

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        fields: tuple[FieldProblem, ...] = (),
        **details: object,
    ) -> None:
        self.fields = fields
        super().__init__(message or (fields[0].message if fields else ""), code=code, **details)

    @classmethod
    def at(cls, field: str, code: str, message: str) -> "InvalidInput":
        """One problem at one field."""
        return cls(fields=(FieldProblem(field, code, message),))


@dataclass(frozen=True)
class BrokenRule:
    """One rule that an input breaks: its kebab-case id, a sentence for a person, and where the rule is written."""

    rule: str
    message: str
    source: str


class RulesBroken(InvalidInput):
    """An input can be read, and breaks rules of its own kind. `findings` names every one of them, at least one."""

    code = "rules-broken"

    def __init__(self, message: str = "", *, findings: tuple[BrokenRule, ...], code: str | None = None) -> None:
        self.findings = findings
        super().__init__(message or " ".join(finding.message for finding in findings), code=code)


class Unauthenticated(DomainError):
    """No credential, or one that is not (or no longer) good.

    `bearer_sent` is true when a token came with the call (RFC 6750 3.1: only then is `error=` named).
    """

    code = "unauthorized"
    default_message = "A valid access token is required."

    def __init__(
        self, message: str = "", *, code: str | None = None, bearer_sent: bool = False, **details: object
    ) -> None:
        self.bearer_sent = bearer_sent
        super().__init__(message, code=code, **details)


class Forbidden(DomainError):
    """The caller is known and may not do this, whether or not the object exists."""

    code = "forbidden"
    default_message = "You are not allowed to do this."


class NotFound(DomainError):
    """There is no such object for this caller. Foreign, other-bank and unknown are the same."""

    code = "not-found"
    default_message = "There is no such object."


class Conflict(DomainError):
    """Another object or an earlier decision stands in the way."""

    code = "conflict"
    default_message = "The request conflicts with what is already there."


class SecondPersonNeeded(Conflict):
    """The step may be taken, but not by one person. `about`: the object it is about.

    An operation raises it out of its transaction; `portal.approvals` turns it into a stored request and
    `ApprovalRequired`, so a door sees it only where nobody could ask.
    """

    code = "needs-second-person"
    default_message = "It takes a second person."

    def __init__(self, message: str = "", *, about: object, code: str | None = None, **details: object) -> None:
        self.about = about
        super().__init__(message, code=code, **details)


class InvalidState(DomainError):
    """The object is not in a state that allows this step."""

    code = "invalid-state"
    default_message = "The current state does not allow this."


class Expired(DomainError):
    """It was possible until a moment that has passed."""

    code = "expired"
    default_message = "This is no longer open."


class VerificationFailed(DomainError):
    """A code, PIN or signature was not right. The failed attempt is already counted and kept."""

    code = "verification-failed"
    default_message = "The verification failed."


class RateLimited(DomainError):
    """Too many calls. `retry_after` is in whole seconds."""

    code = "rate-limited"
    default_message = "Too many requests."

    def __init__(
        self, message: str = "", *, code: str | None = None, retry_after: int = 60, **details: object
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, code=code, **details)


class Locked(DomainError):
    """Closed after too many failed attempts, until somebody opens it again."""

    code = "locked"
    default_message = "This is locked."


class ApprovalRequired(DomainError):
    """The request is stored and waits for a second person. `request_id` names it."""

    code = "approval-required"
    default_message = "A second person has to approve this."

    def __init__(self, message: str = "", *, request_id: str, code: str | None = None, **details: object) -> None:
        self.request_id = request_id
        super().__init__(message, code=code, **details)


class Unavailable(DomainError):
    """Something this needs does not answer. Nothing was changed; try again later."""

    code = "unavailable"
    default_message = "The service is not available right now."


ALL_ERRORS: tuple[type[DomainError], ...] = (
    InvalidInput,
    RulesBroken,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    InvalidState,
    Expired,
    VerificationFailed,
    RateLimited,
    Locked,
    ApprovalRequired,
    Unavailable,
)
