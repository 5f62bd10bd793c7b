"""The human docs: complete, from our own files, nothing inline."""

import re
from html.parser import HTMLParser

import pytest
from django.test import Client

from stellapromote.api.docs import _type, groups
from stellapromote.api.schema import openapi

URLCONF = "tests.stellapromote.api.urls"


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.inline: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(values["id"] or "")
        href = values.get("href") or ""
        if href.startswith("#"):
            self.targets.append(href[1:])
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag == "style" or (tag == "script" and "src" not in values) or "style" in values:
            self.inline.append(tag)
        self.inline += [name for name, _ in attrs if name.startswith("on")]


@pytest.fixture
def page(db: None) -> str:
    response = Client().get("/api/docs")
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    return response.content.decode()


def test_anybody_may_read_it(page: str) -> None:
    assert "Teams of the tenant." in page


def test_every_operation_is_on_the_page(page: str) -> None:
    document = openapi(URLCONF)
    for path, item in document["paths"].items():
        assert f"<code>{path}</code>" in page
        for operation in item.values():
            assert f'id="{operation["operationId"]}"' in page
    assert sum(len(group.operations) for group in groups(URLCONF)) == sum(map(len, document["paths"].values()))


def test_nothing_is_inline_and_nothing_from_elsewhere(page: str) -> None:
    parsed = _Page(page)
    assert parsed.inline == []
    assert all(address.startswith(("/", "#")) for address in parsed.addresses)


def test_every_link_inside_leads_somewhere_and_ids_are_unique(page: str) -> None:
    parsed = _Page(page)
    assert set(parsed.targets) <= set(parsed.ids)
    assert len(parsed.ids) == len(set(parsed.ids))


def test_an_example_can_be_pasted(page: str) -> None:
    examples = re.findall(r'<pre class="api-example"[^>]*><code>(.*?)</code>', page, re.DOTALL)
    assert any("Idempotency-Key" in example and "/api/v1/teams" in example for example in examples)
    assert all(example.startswith("curl -X ") for example in examples)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({}, "any JSON"),
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 1, "maxLength": 63}, "text (1 to 63)"),
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"type": ["integer", "null"], "minimum": 0}, "integer (≥ 0) or null (≥ 0)"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Team"}}, "list of Team"),
        ({"oneOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]}, "A or null"),
        ({"enum": ["a", "b", None]}, "a | b | null"),
        ({"const": False}, "false"),
        ({"allOf": [{"$ref": "#/components/schemas/A"}]}, "A"),
    ],
)
def test_types_are_told_in_words(schema: dict[str, object], text: str) -> None:
    assert _type(schema) == text.replace("null (≥ 0)", "null")
