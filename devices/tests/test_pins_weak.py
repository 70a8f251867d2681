"""Which of the million PINs are refused."""

from collections import Counter

import pytest
from django.test import override_settings

from devices.operations.weak_pins import WELL_KNOWN, check_new_pin, weakness
from portal.core.errors import InvalidInput

KINDS = {
    "digits that repeat": [
        *("000000", "111111", "999999", "101010", "110011", "100000", "121212", "123123", "907907", "112233"),
        *("123321", "998899", "470074"),
    ],
    "digits in a row": ["123456", "654321", "789012", "210987", "024680", "975319", "147036", "123789", "987321"],
    "a date": [
        *("311299", "010170", "290200", "290296", "290204"),  # DDMMYY, leap days among them
        *("123199", "022900", "070476"),  # MMDDYY
        *("991231", "850704", "000229"),  # YYMMDD
    ],
    "one of the best known": ["147258", "159753", "314159", "420247", "142536"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "pin"), [(kind, pin) for kind, pins in KINDS.items() for pin in pins])
def test_a_weak_pin_is_called_by_its_weakness(kind: str, pin: str) -> None:
    assert weakness(pin) == kind


@pytest.mark.parametrize("pin", ["194738", "507392", "830174", "290297", "310499", "320185", "134795", "135798"])
def test_others_are_not_weak(pin: str) -> None:
    assert weakness(pin) is None


@pytest.mark.slow
def test_of_a_million_one_in_eleven_is_weak() -> None:
    counted = Counter(weakness(f"{number:06d}") for number in range(1_000_000))
    assert counted == {
        None: 910_959,
        "a date": 83_588,
        "digits that repeat": 4_960,
        "digits in a row": 420,
        "one of the best known": 73,
    }


def test_the_list_repeats_no_rule() -> None:
    assert {weakness(pin) for pin in WELL_KNOWN} == {"one of the best known"}
    assert len(WELL_KNOWN) == 73


@override_settings(ACCEPTED_WEAK_PINS=["654321"])
def test_the_refusal_says_at_which_field_and_in_what_way_but_not_which_pin() -> None:
    with pytest.raises(InvalidInput) as told:
        check_new_pin("new_pin", "123456")
    assert told.value.code == "weak-pin"
    assert told.value.message == "This PIN is easy to guess: digits in a row."
    assert [(problem.field, problem.code) for problem in told.value.fields] == [("new_pin", "weak-pin")]
    check_new_pin("new_pin", "654321")
    check_new_pin("new_pin", "194738")
