"""The shapes of the product: 16 by 16, drawn with lines in the colour of the text around them.

A shape never stands alone for a meaning: the word beside it says it too (ui.md, Look), so every icon is hidden from
assistive technology.
"""

from functools import cache

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

_CIRCLE = '<circle cx="8" cy="8" r="6.25"/>'
_OCTAGON = '<path d="M5.4 1.75h5.2l3.65 3.65v5.2l-3.65 3.65H5.4L1.75 10.6V5.4z"/>'

ICONS: dict[str, str] = {
    # states of a promotion
    "clock": _CIRCLE + '<path d="M8 4.5V8l2.25 1.75"/>',
    "person": '<circle cx="8" cy="5" r="2.75"/><path d="M2.75 14c.4-2.9 2.5-4.25 5.25-4.25s4.85 1.35 5.25 4.25"/>',
    "check-circle": _CIRCLE + '<path d="m5 8.25 2 2 4-4.25"/>',
    "octagon-cross": _OCTAGON + '<path d="m5.75 5.75 4.5 4.5m0-4.5-4.5 4.5"/>',
    "arrow-circle": _CIRCLE + '<path d="M4.75 8h6m-2.5-2.5L10.75 8l-2.5 2.5"/>',
    "check-disc": '<circle cx="8" cy="8" r="7" fill="currentColor" stroke="none"/>'
    '<path class="icon-cut" d="m5 8.25 2 2 4-4.25"/>',
    "triangle": '<path d="M8 1.75 14.5 13.5h-13z"/><path d="M8 6v3.5m0 1.75v.25"/>',
    "dash-circle": _CIRCLE + '<path d="M5 8h6"/>',
    "turn-back": '<path d="M5.5 2.5 2.5 5.5l3 3"/><path d="M2.75 5.5H9a4 4 0 0 1 0 8H5"/>',
    # verdicts and tones
    "check": '<path d="m3 8.5 3.25 3.25L13 4.75"/>',
    "info": _CIRCLE + '<path d="M8 7.25V11m0-6.25V5"/>',
    "snow": '<path d="M8 1.5v13M2.4 4.75l11.2 6.5m0-6.5L2.4 11.25"/>',
    # controls
    "copy": '<rect x="5.5" y="5.5" width="8" height="8.5" rx="1"/><path d="M10.5 2.5h-7a1 1 0 0 0-1 1v7"/>',
    "menu": '<path d="M2.5 4.5h11m-11 3.5h11m-11 3.5h11"/>',
    "chevron-down": '<path d="m4 6.25 4 4 4-4"/>',
    "arrow-right": '<path d="M2.5 8h10.75M9.25 4l4 4-4 4"/>',
    "external": '<path d="M6.5 3.5h-4v10h10v-4M9.5 2.5h4v4M13.25 2.75 7.5 8.5"/>',
    "search": '<circle cx="7" cy="7" r="4.5"/><path d="m10.5 10.5 3.5 3.5"/>',
    "close": '<path d="m3.75 3.75 8.5 8.5m0-8.5-8.5 8.5"/>',
    "sun": '<circle cx="8" cy="8" r="3"/>'
    '<path d="M8 1v1.5m0 11V15m7-7h-1.5m-11 0H1m11.95-4.95-1.05 1.05M4.1 11.9l-1.05 1.05"/>'
    '<path d="m12.95 12.95-1.05-1.05M4.1 4.1 3.05 3.05"/>',
    "moon": '<path d="M13.75 9.75A6 6 0 0 1 6.25 2.25a6 6 0 1 0 7.5 7.5z"/>',
    "screen": '<rect x="1.75" y="2.5" width="12.5" height="8.5" rx="1"/><path d="M5.5 14h5M8 11v3"/>',
    "gear": '<circle cx="8" cy="8" r="2.25"/>'
    '<path d="M8 1.5v2m0 9v2M1.5 8h2m9 0h2M3.4 3.4l1.4 1.4m6.4 6.4 1.4 1.4m0-9.2-1.4 1.4m-6.4 6.4-1.4 1.4"/>',
    "sign-out": '<path d="M6.5 2.5h-4v11h4M6.5 8h7.25M10.5 4.75 13.75 8l-3.25 3.25"/>',
    "brand": '<path d="M8 1.25 14 4.6v6.8L8 14.75 2 11.4V4.6z"/><path d="m5 8.25 2 2 4-4.25"/>',
}


@cache
def icon(name: str) -> SafeString:
    """The shape as inline SVG. KeyError for a name that does not exist."""
    return format_html(
        '<svg class="icon" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5"'
        ' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{}</svg>',
        mark_safe(ICONS[name]),  # noqa: S308  our own constants, never input
    )
