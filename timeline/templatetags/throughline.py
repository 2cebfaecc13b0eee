"""What templates use to write times, lengths, icons and foreign text.

Everything that came from outside goes through ``visible`` or ``block`` and then through
autoescaping; no filter here returns markup made from its input but by ``format_html``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from timeline.web import words

register = template.Library()

register.filter("duration", words.length)
register.filter("about", words.about)
register.filter("number", words.count)
register.filter("size", words.size)
register.filter("iso", words.iso)
register.filter("day", words.day)
register.filter("clock", words.clock)


@register.filter
def visible(value: object) -> str:
    """Foreign text on one line, with nothing hidden in it."""
    return words.visible(str(value))


@register.filter
def block(value: object) -> str:
    """Foreign text with its own lines."""
    return words.visible_lines(str(value))


@register.filter
def middle(value: object, keep: int = 20) -> str:
    """An id cut in its middle; give the whole one as title."""
    return words.middle(words.visible(str(value)), keep)


@register.filter
def plural(number: int, forms: str) -> str:
    """``{{ n|plural:"entity,entities" }}``: the number with the word that fits it."""
    one, _, many = forms.partition(",")
    return words.plural(number, one, many)


@register.filter
def at(mapping: dict[Any, Any], key: object) -> Any:
    """``mapping[key]``, or nothing."""
    return mapping.get(key, "")


@register.simple_tag(takes_context=True)
def icon(context: Context, name: str, extra: str = "") -> SafeString:
    """A Lucide icon; its meaning is always beside it in words. Offline files carry the sprite."""
    return _icon(name, extra, offline=bool(context.get("offline")))


@cache
def _icon(name: str, extra: str = "", *, offline: bool = False) -> SafeString:
    sprite = "" if offline else static("timeline/vendor/icons.svg")
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        extra,
        sprite,
        name,
    )


def _written(ns: int, style: str) -> str:
    if style == "nanos":
        return words.clock(ns, 9)
    if style in ("seconds", "minutes"):
        return words.clock(ns, 0)[: 5 if style == "minutes" else None]
    if style == "day-minutes":
        return f"{words.day(ns)}, {words.clock(ns, 0)[:5]}"
    if style == "day":
        return words.day(ns)
    return words.stamp(ns) if style == "stamp" else words.clock(ns)


@register.simple_tag
def when(ns: int | None, style: str = "") -> SafeString | str:
    """A moment that scripts turn to local time; its title has every digit, in UTC.

    ``style`` is ``clock`` (milliseconds), ``nanos``, ``seconds``, ``minutes``, ``day`` or ``stamp``.
    """
    if ns is None:
        return ""
    text = _written(ns, style)
    return format_html(
        '<time datetime="{}" data-ns="{}" data-style="{}" title="{} UTC">{}</time>',
        words.iso(ns),
        ns,
        style,
        words.iso(ns),
        text,
    )


@register.simple_tag
def between(start: int | None, end: int | None) -> SafeString:
    """A range as people write it: the day once, whole minutes without seconds."""
    first: SafeString | str = when(start, _bound(start)) if start is not None else "the beginning"
    if end is None:
        return format_html("{} to now", first)
    if start is not None and words.same_day(start, end):
        return format_html("{} to {}", first, when(end, "minutes" if end % words.MINUTE == 0 else "clock"))
    return format_html("{} to {}", first, when(end, _bound(end)))


def _bound(ns: int) -> str:
    return "day-minutes" if ns % words.MINUTE == 0 else "stamp"


@register.simple_tag(takes_context=True)
def copy(context: Context, text: object, what: str = "value") -> SafeString | str:
    """A button that copies the exact text; hidden where scripts are off."""
    if context.get("offline"):
        return ""
    return format_html(
        '<button type="button" class="copy" data-copy="{}" aria-label="Copy {}" title="Copy {}" hidden>{}</button>',
        text,
        what,
        what,
        _icon("copy"),
    )


@register.simple_tag
def when_text(ns: int, style: str = "clock") -> str:
    """The text of a moment alone, for labels inside drawings."""
    return _written(ns, style)


@register.filter
def half(number: float) -> float:
    """Half of it, for what is centred."""
    return number / 2


@register.filter
def tenth(number: float) -> str:
    """A place of the axis (0 to 1000) as a percentage."""
    return f"{number / 10:.3f}"


@register.filter
def minus(number: int, other: int) -> int:
    """The difference."""
    return number - other
