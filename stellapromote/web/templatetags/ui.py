"""The components as template tags: `{% load ui %}`. docs/web-components.md lists them; /styleguide shows them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.forms import BaseForm, BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.http import QueryDict
from django.template import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify

from stellapromote.accounts.models.product import MAIN
from stellapromote.clock import SYSTEM_CLOCK, parse_rfc3339
from stellapromote.errors import ProductError
from stellapromote.web import icons, track, words
from stellapromote.web.refusals import sentence_of
from stellapromote.web.times import absolute_words, duration_words, relative_words

register = template.Library()

DIGEST_SHOWN = 12
MOST_SLOTS = 6
MOST_NAMED = 20


# --- shapes, states --------------------------------------------------------------------------------------------------


@register.simple_tag
def icon(name: str) -> SafeString:
    """A shape; hidden from assistive technology, so put the word beside it."""
    return icons.icon(name)


@register.filter
def few(names: Sequence[str]) -> str:
    """The names between commas; of many the first ones and the number of the others."""
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"


@register.simple_tag
def state_badge(status: str, large: bool = False) -> SafeString:
    """The state of a promotion: colour, shape and word. `large` for the head of its page."""
    return _state_badge(status, large)


@lru_cache(maxsize=256)
def _state_badge(status: str, large: bool) -> SafeString:
    """In every row of every list, and one of a few."""
    shown = words.label_of(words.PROMOTION_STATES, status)
    return format_html(
        '<span class="state{}" data-tone="{}" data-state="{}">{}{}</span>',
        " state-large" if large else "",
        shown.tone,
        status,
        icons.icon(shown.icon),
        shown.word,
    )


@register.simple_tag
def emergency(change: Mapping[str, Any] | None, large: bool = False) -> SafeString:
    """The badge of an emergency change; nothing for any other. `change`: of a promotion, or None."""
    if not change or change.get("type") != "emergency":
        return mark_safe("")
    shown = words.CHANGE_TYPES["emergency"]
    return format_html(
        '<span class="state{}" data-tone="{}">{}{}</span>',
        " state-large" if large else "",
        shown.tone,
        icons.icon(shown.icon),
        shown.word,
    )


@register.simple_tag
def change_type(name: str | None) -> Any:
    """The type of a change in words; nothing for None."""
    return words.label_of(words.CHANGE_TYPES, name).word if name else ""


@register.simple_tag
def verdict(status: str, codes: Collection[str] = ()) -> SafeString:
    """The verdict of a gate: pass, warn, pending, fail. By its reason codes, one that only an override saves fails."""
    overridable = status == "pending" and "OVERRIDE_POSSIBLE" in codes
    return _verdict(words.label_of(words.GATE_VERDICTS, words.OVERRIDABLE if overridable else status))


@register.simple_tag
def decision(result: str) -> SafeString:
    """The result of a decision: allow, pending, deny."""
    return _verdict(words.label_of(words.DECISIONS, result))


def _verdict(shown: words.StateLabel) -> SafeString:
    return format_html(
        '<span class="verdict" data-tone="{}">{}{}</span>', shown.tone, icons.icon(shown.icon), shown.word
    )


@register.inclusion_tag("components/_gate_row.html", takes_context=True)
def gate_row(context: Context, gate: Mapping[str, Any]) -> dict[str, Any]:
    """One gate, inside `<ul class="gates">`: the object of GET /promotions/{id}/gates (status, name, type, message,
    reasonCodes, nextChangeAt, whoCanAct)."""
    return {"gate": gate, "now": context.get("now")}


@register.inclusion_tag("components/_state_track.html", takes_context=True)
def state_track(
    context: Context, status: str, times: Mapping[str, datetime | str | None] | None = None, voted: bool = False
) -> dict[str, Any]:
    """The steps of a promotion; `times`: an instant per step; `voted`: the approvals are complete (web/track.py)."""
    return {"steps": track.track(status, times, voted=voted), "now": context.get("now")}


@register.simple_tag
def approvals_meter(given: int, required: int) -> SafeString:
    """`1 of 2` with slots. Nothing required is said in words and in amber."""
    return _meter(given, required)


@lru_cache(maxsize=256)
def _meter(given: int, required: int) -> SafeString:
    """In every row of every list, and always one of a few: as a template it was the dearest component of all."""
    if not required:
        return _verdict(words.StateLabel("Nobody has to approve", "care", "triangle"))
    slots = format_html_join(
        "",
        '<span class="meter-slot{}"></span>',
        ((" is-given" if place < given else "",) for place in range(min(required, MOST_SLOTS))),
    )
    return format_html(
        '<span class="meter"><span class="meter-slots" aria-hidden="true">{}</span>'
        '{} of {}<span class="visually-hidden"> approvals</span></span>',
        slots,
        given,
        required,
    )


@register.simple_block_tag
def sentence(content: SafeString) -> SafeString:
    """`{% sentence as question %}Revoke “{{ token.name }}”?{% endsentence %}`: words with values in them, kept under a
    name for the tag that shows them."""
    return content


@register.inclusion_tag("components/_callout.html")
def callout(text: Any, tone: words.Tone = "info", title: str = "", role: str = "") -> dict[str, Any]:
    """A sentence that matters, with its tone: go, care, stop, motion, rest, info."""
    return {"text": text, "tone": tone, "title": title, "role": role, "icon": words.TONE_ICONS[tone]}


# --- values ----------------------------------------------------------------------------------------------------------


@register.simple_tag
def digest(value: str | None, label: str = "") -> SafeString:
    """The first 12 characters with a button that copies all of it; print shows all. `label`: the digest of what."""
    if not value:
        return mark_safe('<span class="muted">—</span>')
    algorithm, _separator, hexadecimal = value.rpartition(":")
    return format_html(
        '<span class="digest" title="{0}"><span class="digest-short">{1}</span><span class="digest-full">{0}</span>'
        '<button type="button" class="icon-button digest-copy" data-copy="{0}" aria-label="{2}">{3}</button></span>',
        value,
        hexadecimal[:DIGEST_SHOWN],
        f"Copy {label or algorithm} {hexadecimal[:DIGEST_SHOWN]}",
        icons.icon("copy"),
    )


@register.simple_tag
def external_link(url: str) -> SafeString:
    """An address that people gave, with its host set off; what is not http(s) is text and no link."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return format_html("<bdi>{}</bdi>", url)
    host = len(parts.scheme) + len("://")
    rest = host + len(parts.netloc)
    return format_html(
        '<a href="{}" rel="noopener noreferrer"><bdi>{}<span class="strong">{}</span>{}</bdi></a>',
        url,
        url[:host],
        url[host:rest],
        url[rest:],
    )


@register.simple_tag
def person(display_name: str, username: str, kind: str = "person") -> SafeString:
    """Display name and, always beside it, the username. Services carry a sign."""
    return format_html(
        '<span class="person">{}<bdi>{}</bdi> <span class="person-username">{}</span></span>',
        icons.icon("gear") if kind == "service" else "",
        display_name,
        username,
    )


@register.simple_tag(takes_context=True)
def when(context: Context, at: datetime | str | None) -> SafeString:
    """`3 hours ago`, with the instant and its zone in the title. Takes aware datetimes and RFC 3339 text."""
    instant = _instant(at)
    if instant is None:
        return mark_safe('<span class="muted">—</span>')
    now = context.get("now") or SYSTEM_CLOCK.now()
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        instant.isoformat(),
        absolute_words(instant, _zone_of_reader(context)),
        relative_words(instant, now),
    )


@register.simple_tag(takes_context=True)
def instant(context: Context, at: datetime | str | None) -> SafeString:
    """The absolute time with its zone, that of the reader, for records and prints."""
    value = _instant(at)
    if value is None:
        return mark_safe('<span class="muted">—</span>')
    return format_html(
        '<time datetime="{}">{}</time>', value.isoformat(), absolute_words(value, _zone_of_reader(context))
    )


def _zone_of_reader(context: Context) -> str:
    """The name of their time zone; UTC where nobody is signed in."""
    user = getattr(context.get("request"), "user", None)
    return getattr(user, "time_zone", "UTC")


@register.simple_tag
def duration(length: timedelta | float | None) -> str:
    """`2 days 3 hours`, from a timedelta or a number of seconds; `—` for None."""
    if length is None:
        return "—"
    return duration_words(length if isinstance(length, timedelta) else timedelta(seconds=length))


def _instant(at: datetime | str | None) -> datetime | None:
    if isinstance(at, str):
        return parse_rfc3339(at) if at else None
    return at


# --- forms -----------------------------------------------------------------------------------------------------------


@register.inclusion_tag("components/_field.html")
def field(bound: BoundField, hint: str = "") -> dict[str, Any]:
    """Label, control, hint and errors of a form field, tied together for assistive technology."""
    widget = bound.field.widget
    described = [f"{bound.auto_id}_hint"] if hint or bound.help_text else []
    described += [f"{bound.auto_id}_error"] if bound.errors else []
    grouped = isinstance(widget, RadioSelect | CheckboxSelectMultiple)
    check = isinstance(widget, CheckboxInput)
    attrs: dict[str, Any] = {} if grouped else {"class": _control_class(bound, check)}
    if str(widget.attrs.get("placeholder", "")) == str(bound.label):
        attrs["placeholder"] = False  # it would vanish with the first letter, and the label says it already
    if described:
        attrs["aria-describedby"] = " ".join(described)
    if bound.errors:
        attrs["aria-invalid"] = "true"
    return {
        "field": bound,
        "control": bound.as_widget(attrs=attrs),
        "hint": hint or bound.help_text,
        "grouped": grouped,
        "check": check,
        "optional": not bound.field.required and not check and bound.field.initial is None,
    }


def _control_class(bound: BoundField, check: bool) -> str:
    own = bound.field.widget.attrs.get("class", "")
    name = "form-select" if isinstance(bound.field.widget, Select) else "form-control"
    name = "form-check-input" if check else name
    return f"{name} {own}".strip()


@register.inclusion_tag("components/_error_summary.html")
def error_summary(form: BaseForm | None) -> dict[str, Any]:
    """All errors of a form in one place that takes focus; nothing when there are none."""
    if form is None or not form.errors:
        return {"errors": []}
    errors = [{"target": "", "label": "", "message": text} for text in form.non_field_errors()]
    for bound in form:
        target = "" if bound.is_hidden else bound.id_for_label
        errors += [{"target": target, "label": bound.label, "message": text} for text in bound.errors]
    return {"errors": errors}


@register.inclusion_tag("components/_refusal_summary.html")
def refusal_summary(refusal: ProductError | None) -> dict[str, Any]:
    """The reason why the action of the page was refused, in a place that takes focus; nothing without a refusal."""
    return {"sentence": refusal and sentence_of(refusal)}


@register.simple_tag
def slug_beside(named: Any) -> SafeString:
    """The name that never changes, beside a display name that differs from it: display names are free text."""
    return _beside(named.display_name, named.name)


@register.simple_tag
def product_beside(product: str) -> SafeString:
    """The product beside the name of its release, which other products may have too; `main` needs none."""
    return SafeString("") if product == MAIN else format_html('<span class="muted fw-normal">{}</span>', product)


def _beside(display_name: str, name: str) -> SafeString:
    if slugify(display_name) == name:
        return SafeString("")
    return format_html('<span class="muted small mono">{}</span>', name)


@register.simple_tag
def environment_name(display_name: str | None, name: str | None) -> SafeString:
    """An environment as every list names it, with `slug_beside`; a dash where there is none."""
    return _environment_name(display_name or name, name) if name else SafeString("—")


@lru_cache(maxsize=1024)
def _environment_name(display_name: str, name: str) -> SafeString:
    """In every row of every list, and one of a few."""
    beside = _beside(display_name, name)
    return format_html("<bdi>{}</bdi>{}{}", display_name, " " if beside else "", beside)


@register.inclusion_tag("components/_action_button.html")
def action_button(
    label: str,
    reason: str | None = "",
    variant: str = "primary",
    name: str = "",
    value: str = "",
    confirm: str = "",
    opens: str = "",
    icon: str = "",
) -> dict[str, Any]:
    """A submit button, or, with a `reason`, the same button disabled with the reason in text beside it.

    `variant`: primary, danger, outline-danger, quiet or empty. `confirm`: a question asked first in a dialog. `opens`:
    id of a dialog to open instead of submitting.
    """
    return {
        "label": label,
        "reason": reason or "",
        "reason_id": _reason_id(label, value),
        "variant": f" btn-{variant}" if variant else "",
        "name": name,
        "value": value,
        "confirm": confirm,
        "opens": opens,
        "icon": icon,
    }


@register.inclusion_tag("components/_refused_buttons.html")
def refused_buttons(reason: str, *labels: str) -> dict[str, Any]:
    """Buttons that the same `reason` forbids: all of them disabled, and the reason once below them."""
    return {"reason": reason, "labels": labels, "reason_id": _reason_id(*labels)}


def _reason_id(*words: str) -> str:
    return f"reason-{slugify(' '.join(words))}"


# --- lists -----------------------------------------------------------------------------------------------------------


@register.simple_block_tag
def table(content: SafeString, caption: str, cards: bool = False, show_caption: bool = False) -> SafeString:
    """`{% table caption=… %}<thead>…<tbody>…{% endtable %}`: scrolls by itself when narrow. `cards` turns rows into
    blocks under 640 px: give each cell `data-label`."""
    return format_html(
        '<div class="table-wrap" role="region" aria-label="{0}" tabindex="0"><table class="table{1}">'
        '<caption class="{2}">{0}</caption>{3}</table></div>',
        caption,
        " table-cards" if cards else "",
        "" if show_caption else "visually-hidden",
        content,
    )


@register.inclusion_tag("components/_pager.html", takes_context=True)
def pager(context: Context, meta: Mapping[str, Any], label: str = "") -> dict[str, Any]:
    """Previous and next for a list; `meta` as in the API, by page or by cursor. Filters in the URL stay.

    `label` names the list where a page has several.
    """
    query = context["request"].GET
    if "page" in meta:
        page = int(meta["page"])
        links = {
            "previous": _with(query, page=page - 1) if meta["hasPrevious"] else "",
            "next": _with(query, page=page + 1) if meta["hasNext"] else "",
        }
    else:
        links = {
            "previous": _with(query, cursor=meta["previousCursor"]) if meta.get("previousCursor") else "",
            "next": _with(query, cursor=meta["nextCursor"]) if meta.get("nextCursor") else "",
        }
    return {**links, "meta": meta, "label": label}


def _with(query: QueryDict, **values: Any) -> str:
    changed = query.copy()
    for name in ("page", "cursor"):
        changed.pop(name, None)
    for name, value in values.items():
        changed[name] = str(value)
    return f"?{changed.urlencode()}"
