"""Small pieces of the portal's look. `{% load ui %}`; text given to them is escaped."""

import datetime as dt
from unicodedata import category

from django import template
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.core import clock
from portal.web import changes as change_list
from portal.web import marks

register = template.Library()

# django.contrib.messages level tag → tone and icon
_MESSAGES = {
    "success": ("good", "circle-check"),
    "warning": ("wait", "triangle-alert"),
    "error": ("bad", "circle-x"),
}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


@register.simple_tag
def icon(name: str) -> SafeString:
    """A drawing from the sprite. It is decoration: the text beside it says the same."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("icons.svg"),
        name,
    )


def _pill(mark: marks.Mark, label: str) -> SafeString:
    return format_html('<span class="pill {}">{}{}</span>', mark.tone, icon(mark.icon), label or mark.label)


@register.simple_tag
def pill(word: object, label: str = "") -> SafeString:
    """A state as colour, shape and word; `label` replaces the usual word. Booleans are yes and no."""
    text = ("yes" if word else "no") if isinstance(word, bool) else str(word)
    return _pill(marks.mark(text), label)


@register.simple_tag
def kind_icon(kind: object) -> SafeString:
    """The icon of a device kind, in a soft square."""
    return format_html('<span class="glyph info">{}</span>', icon(marks.kind_icon(str(kind))))


@register.simple_tag
def event_icon(event: object, outcome: object = "") -> SafeString:
    """The icon of an audit event, in a soft circle whose tone tells what kind of thing happened."""
    mark = marks.event_mark(str(event), str(outcome))
    return format_html('<span class="glyph round {}">{}</span>', mark.tone, icon(mark.icon))


@register.simple_block_tag
def alert(content: SafeString, level: str = "info") -> SafeString:
    """`{% alert "error" %}…{% endalert %}`: a notice with the tone and icon of a message level."""
    tone_name, icon_name = _MESSAGES.get(level, ("info", "info"))
    return format_html('<div class="alert {}">{}<div>{}</div></div>', tone_name, icon(icon_name), content)


@register.simple_tag
def tone(word: object) -> str:
    """The tone class of a state, for parts of a chart."""
    return marks.mark(str(word)).tone


@register.simple_tag
def changes(before: dict[str, object] | None, after: dict[str, object] | None) -> list[change_list.Change]:
    """`{% changes event.before event.after as rows %}`: the fields that differ."""
    return change_list.changes(before, after)


@register.filter
def words(value: object) -> str:
    """`sessions_ended` → `Sessions ended`."""
    return marks.humanise(str(value))


@register.filter
def event_name(value: object) -> str:
    """`device.activated` → `Device activated`, in the words of the audit log."""
    return marks.event_name(str(value))


@register.filter
def mark_label(value: object) -> str:
    """The word shown for a state, without its pill."""
    return marks.mark(str(value)).label


@register.filter
def thousands(value: int | None) -> str:
    """`128402` → `128,402`; nothing becomes a dash."""
    return change_list.NOTHING if value is None else f"{value:,}"


@register.filter
def groups(value: object, size: int = 4) -> str:
    """`abcdef12` → `abcd ef12`: long hex and secrets, for reading aloud."""
    text = str(value)
    return " ".join(text[start : start + size] for start in range(0, len(text), size))


@register.filter
def plain(value: object) -> SafeString:
    """A text of somebody else's, set apart: what cannot be seen, or turns the text around, is shown by its number."""
    return format_html("<bdi>{}</bdi>", format_html_join("", "{}", ((_seen(sign),) for sign in str(value))))


def _seen(sign: str) -> SafeString | str:
    if sign.isprintable() or sign == "\n" or category(sign) == "Zs":
        return sign
    return format_html('<span class="unseen">U+{}</span>', f"{ord(sign):04X}")


@register.filter
def initials(name: object) -> str:
    """`Ada Okafor` and `ada.okafor` → `AO`."""
    parts = str(name).replace(".", " ").replace("-", " ").split()
    return "".join(part[0] for part in (parts[0], parts[-1]) if part).upper()[: len(parts)] if parts else "?"


def _exact(moment: dt.datetime, *, seconds: bool) -> str:
    local = moment.astimezone(dt.UTC)
    return f"{local.day} {local:%b %Y, %H:%M}{f':{local:%S}' if seconds else ''} UTC"


@register.filter
def moment(value: dt.datetime | None, precision: str = "") -> SafeString | str:
    """`22 Nov 2026, 04:30 UTC`; with `"seconds"` also those. Nothing becomes a dash."""
    if value is None:
        return change_list.NOTHING
    shown = _exact(value, seconds=precision == "seconds")
    return format_html('<time datetime="{}">{}</time>', clock.rfc3339(value), shown)


@register.filter
def ago(value: dt.datetime | None) -> SafeString | str:
    """`3 min ago` or `in 2 h`, with the exact time as a tooltip. Nothing becomes a dash."""
    if value is None:
        return change_list.NOTHING
    seconds = (clock.now() - value).total_seconds()
    size, unit = next(((size, unit) for size, unit in _UNITS if abs(seconds) >= size), (1, ""))
    count = int(abs(seconds) // size)
    text = f"{count} {unit} ago" if seconds >= 0 else f"in {count} {unit}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        clock.rfc3339(value),
        _exact(value, seconds=True),
        text if unit else "just now",
    )
