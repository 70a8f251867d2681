import datetime as dt
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Template

from devices.models import Kind
from devices.states import DeviceStatus
from portal.audit.events import Event, Outcome
from portal.web import marks
from portal.web.templatetags import ui

NOON = dt.datetime(2026, 11, 22, 12, 0, 5, tzinfo=dt.UTC)


def _render(source: str, **context: object) -> str:
    return Template("{% load ui %}" + source).render(Context(context))


def _sprite() -> set[str]:
    text = (Path(settings.BASE_DIR) / "static" / "icons.svg").read_text()
    return set(re.findall(r'<symbol id="([a-z-]+)"', text))


def test_a_pill_is_a_colour_a_shape_and_a_word() -> None:
    assert _render('{% pill "BLOCKED" %}') == (
        '<span class="pill bad"><svg class="icon" aria-hidden="true" focusable="false">'
        '<use href="/static/icons.svg#ban"></use></svg>Blocked</span>'
    )


def test_text_in_a_pill_is_escaped() -> None:
    assert "<script>" not in _render("{% pill word %}", word="<script>")


@pytest.mark.parametrize("status", DeviceStatus.values)
def test_every_device_status_has_a_look_of_its_own(status: str) -> None:
    assert marks.mark(status).label == DeviceStatus(status).label
    looks = {(mark.tone, mark.icon) for mark in map(marks.mark, DeviceStatus.values)}
    assert len(looks) == len(DeviceStatus)


@pytest.mark.parametrize("outcome", Outcome.values)
def test_every_outcome_has_its_word(outcome: str) -> None:
    assert marks.mark(outcome).label == Outcome(outcome).label


def test_every_icon_that_is_named_stands_in_the_sprite() -> None:
    templates = Path(settings.BASE_DIR) / "templates"
    named = {
        name
        for page in templates.rglob("*.html")
        for name in re.findall(r'\{% icon "([a-z-]+)" %\}', page.read_text())
    }
    named |= {marks.mark(word).icon for word in marks._MARKS}
    named |= {marks.event_mark(event).icon for event in Event.values}
    named |= {marks.kind_icon(kind) for kind in Kind.values}
    assert named - _sprite() == set()


def test_every_event_has_words_and_a_refusal_looks_refused() -> None:
    assert marks.event_mark("device.activated") == marks.Mark("good", "circle-play", "Device activated")
    assert marks.event_mark("device.activated", "refused").tone == "bad"
    assert marks.event_name("something.quite-new") == "Something quite new"


@pytest.mark.parametrize("event", Event.values)
def test_every_event_has_a_look_of_its_kind(event: str) -> None:
    neutral = marks.event_mark("something.quite-new")
    looks = marks.event_mark(event)
    assert (looks.tone, looks.icon) != (neutral.tone, neutral.icon)


def test_an_import_looks_like_no_sign_in() -> None:
    assert marks.event_mark("device-import.started").icon == "upload"
    assert marks.event_mark("device-import.ended").icon == "list-checks"
    assert marks.event_mark("session.ended").icon == "log-out"


def test_a_change_is_offered_row_by_row() -> None:
    page = "{% changes before after as rows %}{% for row in rows %}{{ row.field }}:{{ row.after }}{% endfor %}"
    assert _render(page, before={"status": "ACTIVE"}, after={"status": "INACTIVE"}) == "Status:INACTIVE"


def test_an_alert_wraps_what_stands_in_it() -> None:
    shown = _render('{% alert "error" %}<b>{{ name }}</b>{% endalert %}', name="<i>")
    assert shown.startswith('<div class="alert bad">')
    assert shown.endswith("<div><b>&lt;i&gt;</b></div></div>")


def test_a_moment_names_its_zone_and_is_readable_by_machines() -> None:
    assert ui.moment(NOON) == '<time datetime="2026-11-22T12:00:05Z">22 Nov 2026, 12:00 UTC</time>'
    assert "12:00:05 UTC" in ui.moment(NOON, "seconds")
    assert ui.moment(None) == "—"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (7200, "2 h ago"),
        (172_800, "2 d ago"),
        (-7200, "in 2 h"),
    ],
)
def test_the_distance_in_time_is_in_the_largest_whole_unit(
    monkeypatch: pytest.MonkeyPatch, seconds: int, text: str
) -> None:
    monkeypatch.setattr("portal.core.clock.now", lambda: NOON)
    assert f">{text}</time>" in ui.ago(NOON - dt.timedelta(seconds=seconds))


def test_numbers_secrets_and_names_are_made_readable() -> None:
    assert ui.thousands(128402) == "128,402"
    assert ui.thousands(None) == "—"
    assert ui.groups("abcdefghij") == "abcd efgh ij"
    assert [ui.initials(name) for name in ("Ada Okafor", "kim", "ola.b.nordmann", "")] == ["AO", "K", "ON", "?"]


def test_no_template_carries_inline_style_or_script() -> None:
    pages = list((Path(settings.BASE_DIR) / "templates").rglob("*.html"))
    assert len(pages) > 30
    forbidden = re.compile(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)|hx-on", re.IGNORECASE)
    assert [page.name for page in pages if forbidden.search(page.read_text())] == []


def test_a_strangers_text_is_set_apart_and_what_cannot_be_seen_is_numbered() -> None:
    shown = ui.plain("<b>1\u202e2\u200b 3\u00a04\n\u0645\x00")
    unseen = '<span class="unseen">U+{}</span>'.format
    assert shown == (f"<bdi>&lt;b&gt;1{unseen('202E')}2{unseen('200B')} 3\u00a04\n\u0645{unseen('0000')}</bdi>")
    assert ui.plain(12) == "<bdi>12</bdi>"
