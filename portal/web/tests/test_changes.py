from portal.web.changes import Change, changes


def test_only_fields_that_differ_are_shown() -> None:
    rows = changes({"status": "ACTIVE", "model": "Pixel 9"}, {"status": "INACTIVE", "model": "Pixel 9"})
    assert rows == [Change("Status", "ACTIVE", "INACTIVE")]


def test_a_new_and_a_removed_field_have_a_dash_on_the_other_side() -> None:
    rows = changes({"nickname": "Work"}, {"sessions_ended": 2})
    assert rows == [Change("Nickname", "Work", "—"), Change("Sessions ended", "—", "2")]


def test_nested_values_are_named_by_their_path() -> None:
    rows = changes({"push": {"platform": "gcm", "set": True}}, {"push": {"platform": "apns", "set": False}})
    assert rows == [Change("Push platform", "gcm", "apns"), Change("Push set", "yes", "no")]


def test_lists_are_written_with_commas() -> None:
    assert changes(None, {"scopes": ["a", "b"]}) == [Change("Scopes", "—", "a, b")]


def test_nothing_recorded_is_no_change() -> None:
    assert changes(None, None) == []
