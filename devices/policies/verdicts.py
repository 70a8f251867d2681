"""Yes, or no with the rule, what would make it pass and who can grant it: pages show it, operations raise it."""

from dataclasses import dataclass

from portal.accounts.roles import Capability, who_can
from portal.core.actor import Actor
from portal.core.errors import DomainError, Forbidden, SecondPersonNeeded


@dataclass(frozen=True)
class Verdict:
    """Whether a step may be taken. `error` is what the operation raises when it may not."""

    error: DomainError | None = None
    granted_by: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.error is None

    @property
    def needs_second_person(self) -> bool:
        """Whether it may be asked for, and a second person lets it happen."""
        return isinstance(self.error, SecondPersonNeeded)

    @property
    def message(self) -> str:
        return self.error.message if self.error else ""

    def require(self) -> None:
        if self.error:
            raise self.error


YES = Verdict()


def capability_of(actor: Actor, capability: Capability) -> Verdict:
    """Staff need the capability; the bank's own server and our system need none."""
    if actor.is_bank or actor.can(capability):
        return YES
    return Verdict(
        Forbidden(
            f"This needs the right “{capability.label.lower()}”.",
            code="capability-missing",
            capability=capability.value,
        ),
        tuple(who_can(capability)),
    )


def first_no(*verdicts: Verdict) -> Verdict:
    """The first refusal, or yes."""
    return next((verdict for verdict in verdicts if not verdict.allowed), YES)
