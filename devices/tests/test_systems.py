"""Operating systems as name and version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.systems import NAMES, System, read_system


@pytest.mark.parametrize(
    ("text", "manufacturer", "name", "version"),
    [
        ("iOS 9.x", "Apple IPhone", "iOS", "9.x"),
        ("iOS 17.1", "", "iOS", "17.1"),
        ("iOS", "", "iOS", ""),
        ("ios16.2", "", "iOS", "16.2"),
        ("iPhone OS 3.0", "", "iOS", "3.0"),
        ("iPadOS 18.2", "", "iPadOS", "18.2"),
        ("watchOS 10.1", "", "iOS", "10.1"),
        ("Android 16", "Google", "Android", "16"),
        ("Android Tiramisu", "", "Android", "Tiramisu"),
        ("Wear OS 5", "", "Android", "5"),
        ("HarmonyOS 4.0 beta", "Huawei", "Android", "4.0 beta"),
        ("16.2", "Apple", "iOS", "16.2"),
        ("16.2", "", "Android", "16.2"),
        ("", "apple inc.", "iOS", ""),
        ("", "", "Android", ""),
    ],
)
def test_a_text_is_read(text: str, manufacturer: str, name: str, version: str) -> None:
    system = read_system(text, manufacturer)
    assert (system.name, system.version) == (name, version)


@pytest.mark.parametrize(
    ("text", "name", "version", "expected"),
    [
        ("iOS 9.x", None, "16.2", "iOS 16.2"),
        ("iOS 9.x", "iPadOS", None, "iPadOS 9.x"),
        ("iOS 9.x", "iOS", "", "iOS"),
        ("watchOS 10.1", "iOS", "10.2", "watchOS 10.2"),
        ("watchOS 10.1", "Android", "15", "Android 15"),
        ("", "Android", None, "Android"),
        ("", None, "15", "15"),
        ("", "iOS", "16.2", "iOS 16.2"),
    ],
)
def test_name_and_version_are_said_anew(text: str, name: str | None, version: str | None, expected: str) -> None:
    assert read_system(text, "").text(name=name, version=version) == expected


@given(st.sampled_from(NAMES), st.text(alphabet="0123456789.xabc", max_size=12))
def test_what_was_told_is_read_back_as_it_was(name: str, version: str) -> None:
    told = System(name, name, version).text()
    assert read_system(told, "") == System(name, name, version)


@given(st.text(max_size=64), st.sampled_from(["Apple", ""]))
def test_any_text_is_one_of_the_three_and_saying_it_again_changes_no_word(text: str, manufacturer: str) -> None:
    system = read_system(text, manufacturer)
    assert system.name in NAMES
    again = system.text(name=system.name, version=system.version)
    assert read_system(again, manufacturer).name == system.name
