"""What generators of clients need of the OpenAPI document beyond its being valid (docs/adr/0181)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework import serializers

from stellapromote.api.schema import openapi
from stellapromote.api.serializers import Body, shared


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(json.dumps(openapi("stellapromote.urls")))  # type: ignore[no-any-return]


def parts(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in the document with its place."""
    if isinstance(value, dict):
        yield place, value
        for name, part in value.items():
            yield from parts(part, f"{place}/{name}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from parts(part, f"{place}/{index}")


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def in_json(carrier: dict[str, Any]) -> list[dict[str, Any]]:
    """The contents of a body or an answer, without that of YAML, which is text."""
    return [content for kind, content in carrier.get("content", {}).items() if kind != "application/yaml"]


def test_every_list_says_of_what(document: dict[str, Any]) -> None:
    lists = [(place, part) for place, part in parts(document) if "array" in str(part.get("type"))]
    assert lists
    assert [place for place, part in lists if "items" not in part] == []


def test_null_stands_only_beside_a_type(document: dict[str, Any]) -> None:
    alone = [place for place, part in parts(document) if part.get("type") == "null" and "/oneOf/" not in place]
    assert alone == []


def test_one_of_is_only_a_named_form_or_null(document: dict[str, Any]) -> None:
    choices = {place: part["oneOf"] for place, part in parts(document["components"]["schemas"]) if "oneOf" in part}
    assert choices
    for place, choice in choices.items():
        assert len(choice) == 2, place
        assert ["$ref" in choice[0], choice[1]] == [True, {"type": "null"}], place


def test_no_type_is_a_choice_of_types_but_for_null(document: dict[str, Any]) -> None:
    several = [
        place
        for place, part in parts(document)
        if isinstance(part.get("type"), list) and len([kind for kind in part["type"] if kind != "null"]) != 1
    ]
    assert several == []


def test_calls_have_one_name_each_and_a_declared_heading(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)
    headings = {tag["name"] for tag in document["tags"]}
    assert headings == {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert document["servers"] == [{"url": "/", "description": "The server that this document comes from."}]


def test_answers_and_bodies_have_names(document: dict[str, Any]) -> None:
    for call, operation in operations(document):
        contents = [*in_json(operation.get("requestBody", {}))]
        for status, answer in operation["responses"].items():
            contents += in_json(answer) if status < "300" else []
        for content in contents:
            schema = content["schema"]
            plain = schema.get("items", schema)
            assert "$ref" in plain or plain.get("type") in (None, "object"), call


def test_a_body_is_required_where_one_of_its_fields_is(document: dict[str, Any]) -> None:
    for call, operation in operations(document):
        for content in in_json(operation.get("requestBody", {})):
            schema = content["schema"]
            form = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
            assert bool(form.get("required")) is operation["requestBody"].get("required", False), call


@pytest.mark.parametrize("path", ["evidence", "feeds"])
def test_documents_are_taken_as_a_form_with_a_file(document: dict[str, Any], path: str) -> None:
    contents = document["paths"][f"/api/v1/{path}"]["post"]["requestBody"]["content"]
    assert set(contents) == {"application/json", "multipart/form-data"}
    form = document["components"]["schemas"][contents["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]]
    assert form["properties"]["document"]["format"] == "binary"
    assert "document" in form["required"]
    assert "documentBase64" not in form["properties"]


def test_every_body_is_closed_and_a_merging_one_knows_what_the_answer_has(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    merging = [name for name in schemas if name.startswith("Patched")]
    assert len(merging) >= 5
    for name in merging:
        assert schemas[name]["additionalProperties"] is False, name
        assert "required" not in schemas[name], name
    sent = schemas["PatchedFreezeWindowBody"]["properties"]
    assert set(sent) == set(schemas["FreezeWindowResource"]["properties"])
    assert {name for name, part in sent.items() if part.get("readOnly")} >= {"id", "createdAt", "version"}


def test_what_refuses_an_empty_text_says_so(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    checked = 0
    for body in subclasses(Body):
        form = schemas.get(body.__name__) or schemas.get(f"Patched{body.__name__}")
        if form is None or "properties" not in form:
            continue
        for name, field in shared(body, merging=False).fields.items():
            if isinstance(field, serializers.CharField) and not field.allow_blank:
                assert form["properties"][name].get("minLength", 0) >= 1, (body.__name__, name)
                checked += 1
    assert checked > 20


def test_what_a_call_cannot_do_without_is_required(document: dict[str, Any]) -> None:
    named = document["paths"]["/api/v1/evidence/score"]["get"]["parameters"]
    [artifact] = [parameter for parameter in named if parameter["name"] == "artifactId"]
    assert artifact["required"] is True


def subclasses(of: type) -> Iterator[type[Body]]:
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)
