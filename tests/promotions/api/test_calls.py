"""Every call is in the table that the sweeps of bad input go through."""

from stellapromote.api.schema import openapi
from tests.promotions.api.calls import CALLS, NEEDS_A_QUERY, PUBLIC, SIGNED_IN, TAGS


def test_every_call_is_in_the_table() -> None:
    """A new call has to be added to CALLS."""
    listed = {(call.method, len(call.path.split("/")), call.path.split("/")[-1]) for call in CALLS}
    listed = {(method, depth, "" if last.startswith("{") else last) for method, depth, last in listed}
    for template, item in openapi("stellapromote.urls")["paths"].items():
        path = template.removeprefix("/api/v1/")
        for method, operation in item.items():
            if (
                operation["tags"][0] not in TAGS
                or path in PUBLIC | NEEDS_A_QUERY
                or (method.upper(), path) in SIGNED_IN
            ):
                continue
            last = path.split("/")[-1]
            key = (method.upper(), len(path.split("/")), "" if last.startswith("{") else last)
            assert key in listed, (method, template)
