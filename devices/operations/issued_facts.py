"""What the bank says about a card or token that it issues, and the rules for it."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

from devices.models import ISSUED_KINDS, CardKind, Device, IssuedDetails, Kind
from portal.core import clock
from portal.core.card_numbers import MaskedNumber, read_masked
from portal.core.errors import FieldProblem, InvalidInput
from portal.core.texts import LONGEST_REASON, cardless_problems

# The vendor's list of what a device can do (Asseco, device-capabilities), in its order.
CAPABILITIES: Final = (
    "hmac",
    "pki",
    "secure-element",
    "magnetic-stripe",
    "push",
    "telephony",
    "sms",
    "icc",
    "nfc",
    "display",
)
LONGEST: Final = {
    "model": 64,
    "reference": 64,
    "card_brand": 40,
    "cardholder_name": 64,
    "card_number": 40,
    "nickname": 64,
    "reason": LONGEST_REASON,
}
CARD_FIELDS: Final = ("card_number", "card_kind", "card_brand", "cardholder_name")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, kw_only=True)
class IssuedFacts:
    """A card or token as the bank describes it. Empty texts and None mean "not known".

    kind: payment-card, smart-card or otp-token. reference: the bank's own, unique in the bank; the same one again is
    the same device. capabilities: of `CAPABILITIES`. card_number: masked, as `read_masked` takes it. A card's fields
    are for payment cards only, which need a masked number, a kind of card and an expiry date.
    """

    kind: str
    model: str = ""
    reference: str = ""
    capabilities: tuple[str, ...] = ()
    card_number: str = ""
    card_kind: str = ""
    card_brand: str = ""
    cardholder_name: str = ""
    is_primary: bool | None = None
    expires_on: date | None = None
    delivered_on: date | None = None

    def check(self) -> None:
        """Raises InvalidInput that names every problem."""
        if problems := self.problems():
            raise InvalidInput(fields=tuple(problems))

    def problems(self) -> list[FieldProblem]:
        """Everything that is wrong with the facts themselves, whoever the holder is."""
        problems = [
            problem
            for field in ("model", "reference", "card_brand", "cardholder_name", "card_number")
            for problem in text_problems(field, getattr(self, field))
        ]
        problems += _choice(self.kind, "kind", list(ISSUED_KINDS), required=True)
        for word in self.capabilities:
            problems += _choice(word, "capabilities", list(CAPABILITIES))
        problems += self._card_problems() if self.kind == Kind.PAYMENT_CARD else self._no_card_problems()
        return _first_at_each(problems + self._date_problems())

    def _card_problems(self) -> list[FieldProblem]:
        problems = _choice(self.card_kind, "card_kind", CardKind.values, required=True)
        if not self.card_number:
            problems.append(FieldProblem("card_number", "required", "A payment card has a masked number."))
        elif self.number is None:
            message = "Six digits, at least three times *, and four digits: 411111******1111."
            problems.append(FieldProblem("card_number", "invalid-format", message))
        if self.expires_on is None:
            problems.append(FieldProblem("expires_on", "required", "Say until when the card is valid."))
        return problems

    def _no_card_problems(self) -> list[FieldProblem]:
        given = [field for field in CARD_FIELDS if getattr(self, field)]
        given += ["is_primary"] if self.is_primary is not None else []
        return [FieldProblem(field, "combination-required", "Only payment cards have this.") for field in given]

    def _date_problems(self) -> list[FieldProblem]:
        today = clock.now().date()
        problems = []
        if self.expires_on is not None and self.expires_on < today:
            problems.append(FieldProblem("expires_on", "out-of-range", "This day has passed."))
        if self.delivered_on is not None and self.delivered_on > today:
            problems.append(FieldProblem("delivered_on", "out-of-range", "This day is still to come."))
        return problems

    @property
    def number(self) -> MaskedNumber | None:
        return read_masked(self.card_number)

    def details_of(self, device: Device) -> IssuedDetails:
        """The row for a device, not saved. The facts have been checked."""
        number = self.number
        return IssuedDetails(
            device=device,
            bank_id=device.bank_id,
            reference=self.reference.strip(),
            capabilities=[word for word in CAPABILITIES if word in self.capabilities],
            delivered_on=self.delivered_on,
            expires_on=self.expires_on,
            card_kind=self.card_kind,
            card_brand=self.card_brand.strip(),
            cardholder_name=self.cardholder_name.strip(),
            number_start=number.start if number else "",
            number_end=number.end if number else "",
            is_primary=self.is_primary,
        )

    def say_the_same_as(self, details: IssuedDetails) -> bool:
        """Whether a device is already what these facts say. Its delivery does not count: that comes later."""
        device = details.device
        ours = self.details_of(device)
        names = (
            *("reference", "capabilities", "expires_on", "card_kind", "card_brand", "cardholder_name"),
            *("number_start", "number_end", "is_primary"),
        )
        same = all(getattr(ours, name) == getattr(details, name) for name in names)
        return same and (device.kind, device.model) == (self.kind, self.model.strip())

    @classmethod
    def again(
        cls,
        device: Device,
        details: IssuedDetails | None,
        *,
        reference: str,
        card_number: str,
        expires_on: date | None,
    ) -> Self:
        """The facts of the device that takes another one's place: the same but for what is named."""
        known = details or IssuedDetails(device=device)
        return cls(
            kind=device.kind,
            model=device.model,
            reference=reference,
            capabilities=tuple(known.capabilities),
            card_number=card_number or known.masked_number,
            card_kind=known.card_kind,
            card_brand=known.card_brand,
            cardholder_name=known.cardholder_name,
            is_primary=known.is_primary,
            expires_on=expires_on,
        )


def text_problems(field: str, value: str, *, required: bool = False) -> list[FieldProblem]:
    """What is wrong with one line of text about a card or token; a full card number is."""
    return cardless_problems(field, value, longest=LONGEST[field], required=required)


def check_reason(reason: str, *, required: bool) -> str:
    """The reason without outer spaces. Raises InvalidInput."""
    if problems := text_problems("reason", reason, required=required):
        raise InvalidInput(fields=tuple(problems))
    return reason.strip()


def day_of(text: str) -> date | None:
    """The day in `2029-12-31`, and no other form of a date; None for an empty text. Raises ValueError."""
    if not text:
        return None
    if not _DAY.fullmatch(text):
        raise ValueError("not a day")
    return date.fromisoformat(text)


def _choice(value: str, field: str, choices: list[str], *, required: bool = False) -> list[FieldProblem]:
    if not value:
        return [FieldProblem(field, "required", "This is required.")] if required else []
    if value in choices:
        return []
    return [FieldProblem(field, "unknown-enum", f"One of: {', '.join(choices)}.")]


def _first_at_each(problems: list[FieldProblem]) -> list[FieldProblem]:
    """One problem for each field: the first says what has to be mended first."""
    found: dict[str, FieldProblem] = {}
    for problem in problems:
        found.setdefault(problem.field, problem)
    return list(found.values())
