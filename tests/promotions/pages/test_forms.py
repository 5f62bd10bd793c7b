"""What people type on promotion and release pages is bound by the API's rules, refused in its words and never cut."""

from typing import Any

import pytest
from django import forms

from promotions.actions.releases import ComponentSpec
from promotions.models.vote import ACT_TEXTS
from promotions.pages.bodies import MAX_COMPONENTS, Approval
from promotions.pages.forms import CancelForm, OverrideForm, ReasonForm, RejectForm, ReleaseForm, RequestForm, VoteForm

DIGEST = "sha256:" + "ab" * 32
TURNED = "pay\u202ement"


def errors_of(form: forms.Form, field: str) -> str:
    return " ".join(form.errors.get(field, []))


def release(components: str, **fields: str) -> ReleaseForm:
    return ReleaseForm({"name": "2026.1", "product": "main", "components": components, **fields})


def test_a_component_is_read_as_it_was_typed() -> None:
    form = release(f"api registry.example/team/api {DIGEST} v1.2\n\nweb registry.example/web {DIGEST}")
    assert form.is_valid(), form.errors
    assert form.cleaned_data["components"] == [
        ComponentSpec("api", "registry.example/team/api", DIGEST, "v1.2"),
        ComponentSpec("web", "registry.example/web", DIGEST),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"{TURNED} registry.example/api {DIGEST}", "Line 1, name: This has a direction-changing character (U+202E)"),
        (f"{'a' * 129} registry.example/api {DIGEST}", "Line 1, name: This is too long: use at most 128"),
        (f"api {'r' * 256} {DIGEST}", "Line 1, image repository: This is too long: use at most 255 characters."),
        (f"api registry.example/api@{DIGEST} {DIGEST}", "Line 1, image repository: Use host, port and path"),
        (f"api registry.example/api {DIGEST} {'t' * 129}", "Line 1, tag: This is too long: use at most 128"),
        (f"api registry.example/api {DIGEST} -v1", "Line 1, tag: Use letters, digits"),
        ("api registry.example/api sha256:abc", "Line 1, digest: Use sha256: and 64"),
        ("api registry.example/api", "Line 1 needs a name, an image repository and a digest."),
    ],
)
def test_a_component_outside_the_bounds_is_refused_with_its_line_and_never_cut(line: str, said: str) -> None:
    assert said in errors_of(release(line), "components")


def test_a_release_has_no_more_components_than_by_api() -> None:
    lines = "\n".join(f"c{number} registry.example/api {DIGEST}" for number in range(MAX_COMPONENTS + 1))
    assert f"at most {MAX_COMPONENTS} components" in errors_of(release(lines), "components")


SEEN = {"subject_digest": DIGEST}
OVERRIDE = {**SEEN, "decision": "0191d2f0-0000-7000-8000-000000000000", "reason": "x", "ticket": "y", "hours": "4"}


@pytest.mark.parametrize(
    ("kind", "typed", "field"),
    [
        (ReleaseForm, {"name": TURNED}, "name"),
        (ReleaseForm, {"name": "a" * 129}, "name"),
        (ReleaseForm, {"product": "Main"}, "product"),
        (ReleaseForm, {"description": "a\x07b"}, "description"),
        (RequestForm, {"reason": "a\x1bb"}, "reason"),
        (RequestForm, {"reason": "a", "change_ref": TURNED}, "change_ref"),
        (RequestForm, {"reason": "a", "change_ref": "C" * 65}, "change_ref"),
        (VoteForm, {**SEEN, "comment": "a\x00b"}, "comment"),
        (VoteForm, {**SEEN, "comment": "a\x07b"}, "comment"),
        (VoteForm, {"subject_digest": "sha256:1"}, "subject_digest"),
        (RejectForm, {**SEEN, "reason": "a\x07b"}, "reason"),
        (RejectForm, {**SEEN, "reason": "x" * 2001}, "reason"),
        (CancelForm, {"reason": "a\x85b"}, "reason"),
        (ReasonForm, {"reason": TURNED}, "reason"),
        (ReasonForm, {"reason": "two\nlines"}, "reason"),
        (OverrideForm, {**OVERRIDE, "reason": "a\x07b"}, "reason"),
        (OverrideForm, {**OVERRIDE, "ticket": TURNED}, "ticket"),
    ],
)
def test_a_form_refuses_what_the_api_refuses_beside_the_field(
    kind: type[forms.Form], typed: dict[str, Any], field: str
) -> None:
    form = kind(typed)
    assert not form.is_valid()
    assert errors_of(form, field)


def test_lines_are_counted_as_the_browser_counts_them() -> None:
    form = RejectForm({**SEEN, "reason": "\r\n".join(["x" * 199] * 10)})
    assert form.is_valid(), form.errors
    assert form.cleaned_data["reason"] == "\n".join(["x" * 199] * 10)


def test_each_text_that_an_approval_takes_is_stored_with_it() -> None:
    texts = [field.source for name, field in Approval().fields.items() if name != "subjectDigest"]
    assert texts == list(ACT_TEXTS)
    assert [field.name for field in VoteForm().visible_fields()] == list(ACT_TEXTS)


def test_what_may_stay_empty_stays_empty() -> None:
    form = VoteForm(SEEN)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["comment"] == ""
    asked = RequestForm({"reason": "Wanted"})
    assert asked.is_valid()
    assert asked.change() is None
