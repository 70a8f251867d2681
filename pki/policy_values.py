"""What may stand in a certificate policy: only what lints in every certificate that it leads to."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pki.models import CertificatePolicy
from pki.x509.alternative_names import is_host
from pki.x509.keys_policy import KINDS
from pki.x509.profiles import REQUESTABLE, Profile
from portal.core.errors import FieldProblem
from portal.core.texts import line_problems

LONGEST_TEXT: Final = 64  # RFC 5280 A.1, ub-organization-name and ub-organizational-unit-name
LONGEST_ZONE: Final = 200  # a device's name in front of it has 30 characters, a host name at most 253
KEY_LIFETIME: Final = range(30, 3651)  # days; our own policy
OVERLAP: Final = range(1, 91)  # days; our own policy
_COUNTRY: Final = re.compile("[A-Z]{2}")
_NARROWS: Final = frozenset({"days", "max_days", "purposes", "keys"})

CHANGE_POLICY: Final = "pki.policy"
FIELDS: Final = (
    "organisation",
    "unit",
    "country",
    "zone",
    "profiles",
    "auto_sign",
    "sign_needs_two",
    "key_lifetime_days",
    "overlap_days",
)
LABELS: Final[Mapping[str, str]] = {
    "organisation": "Organisation",
    "unit": "Unit",
    "country": "Country",
    "zone": "DNS zone",
    "auto_sign": "Sign devices at once",
    "sign_needs_two": "Server signs with a second person",
    "key_lifetime_days": "Days a key lives",
    "overlap_days": "Days two overlap",
}

type Said = Mapping[str, Mapping[str, Any]]


def subject_problems(organisation: str, unit: str, country: str) -> list[FieldProblem]:
    """What is wrong with the words that stand in every subject."""
    problems = [*_text_problems("organisation", organisation), *_text_problems("unit", unit, required=False)]
    if not _COUNTRY.fullmatch(country):
        problems.append(FieldProblem("country", "invalid-format", "Two capital letters, as in ISO 3166: NG."))
    return problems


def zone_problems(zone: str) -> list[FieldProblem]:
    """What is wrong with a DNS zone; "" is none. Lower case, two labels at least, and no address."""
    labels = zone.split(".")
    good = is_host(zone) and zone == zone.lower() and len(labels) > 1 and not labels[-1].isdigit()
    if zone and (not good or len(zone) > LONGEST_ZONE):
        return [FieldProblem("zone", "invalid-format", "A DNS name in lower case: devices.bank.example.")]
    return []


def duration_problems(key_lifetime_days: int, overlap_days: int) -> list[FieldProblem]:
    """What is wrong with how long keys live and two certificates overlap."""
    given = {"key_lifetime_days": (key_lifetime_days, KEY_LIFETIME), "overlap_days": (overlap_days, OVERLAP)}
    return [
        FieldProblem(name, "out-of-range", f"From {allowed[0]} to {allowed[-1]} days.")
        for name, (value, allowed) in given.items()
        if value not in allowed
    ]


def profile_problems(profiles: Said) -> list[FieldProblem]:
    """What is wrong with how a bank narrows the built-in profiles. A wider one is refused, not cut down."""
    return [
        FieldProblem("profiles", code, f"{name[:32]}: {message}")
        for name, said in profiles.items()
        for code, message in _narrowing_problems(REQUESTABLE.get(name), said)
    ]


def narrowed(profiles: Said) -> dict[str, dict[str, Any]]:
    """The same in one spelling: what the built-in profile says anyway is left out, words are sorted."""
    found: dict[str, dict[str, Any]] = {}
    for name, built_in in REQUESTABLE.items():
        said = profiles.get(name, {})
        kept = {key: _sorted(value) for key, value in sorted(said.items()) if _sorted(value) != _plain(built_in)[key]}
        if kept:
            found[name] = kept
    return found


def spelled_out(profiles: Said) -> dict[str, dict[str, Any]]:
    """Every profile with everything that can be narrowed, as it is now: for pages and forms."""
    return {name: _plain(built_in) | dict(profiles.get(name, {})) for name, built_in in REQUESTABLE.items()}


def values_of(policy: CertificatePolicy) -> dict[str, Any]:
    """The policy as plain values, each profile with everything that can be narrowed."""
    return {name: getattr(policy, name) for name in FIELDS} | {"profiles": spelled_out(policy.profiles)}


def wanted_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a change that was asked for."""
    return {name: arguments[name] for name in FIELDS} | {"profiles": spelled_out(arguments["profiles"])}


def _text_problems(field: str, text: str, *, required: bool = True) -> list[FieldProblem]:
    if text != text.strip():
        return [FieldProblem(field, "invalid-format", "This neither begins nor ends with a space.")]
    return line_problems(field, text, longest=LONGEST_TEXT, required=required)


def _narrowing_problems(built_in: Profile | None, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if built_in is None:
        yield "unknown-enum", f"there are the profiles {', '.join(REQUESTABLE)}."
        return
    if set(said) - _NARROWS:
        yield "unknown-field", f"only {', '.join(sorted(_NARROWS))} can be narrowed."
    values = _plain(built_in) | dict(said)
    longest = values["max_days"]
    if not _is_days(longest, built_in.max_days):
        yield "out-of-range", f"certificates live 1 to {built_in.max_days} days at most."
    elif not _is_days(values["days"], longest):
        yield "out-of-range", f"what is given when nobody asks for less is 1 to {longest} days."
    for name, allowed in (("purposes", list(built_in.purposes)), ("keys", sorted(KINDS))):
        if not _is_part(values[name], allowed):
            yield "unknown-enum", f"{name}: at least one of {', '.join(allowed)}."


def _is_days(value: object, most: int) -> bool:
    return type(value) is int and 1 <= value <= most


def _is_part(value: object, allowed: list[str]) -> bool:
    """A list without repeats that names some of these. None at all would be a wider certificate, not a narrower."""
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(word, str) and word in allowed for word in value) and len(set(value)) == len(value)


def _plain(profile: Profile) -> dict[str, Any]:
    return {
        "days": profile.days,
        "keys": sorted(profile.keys),
        "max_days": profile.max_days,
        "purposes": sorted(profile.purposes),
    }


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value
