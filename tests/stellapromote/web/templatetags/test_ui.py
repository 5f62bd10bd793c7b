import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django import forms
from django.template import Context, Template
from django.test import RequestFactory

from stellapromote.errors import Refused
from stellapromote.web.templatetags import ui

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DIGEST = "sha256:9f2b1c7e4a8d0356b1e2c3d4f5a6978812ab34cd56ef7890a1b2c3d4e5f60718"
EVIL = '"><script>alert(1)</script>'


def render(source: str, **values: Any) -> str:
    return Template("{% load ui %}" + source).render(Context({"now": NOW, **values}))


@pytest.mark.parametrize(
    ("number", "end"), [(1, "n1"), (20, "n20"), (21, "n20 and 1 more"), (1000, "n20 and 980 more")]
)
def test_of_many_names_the_first_ones_are_shown(number: int, end: str) -> None:
    shown = render("{{ names|few }}", names=[f"n{each}" for each in range(1, number + 1)])
    assert (shown.startswith("n1"), shown.endswith(end)) == (True, True)
    assert render("{{ names|few }}", names=[EVIL]) == EVIL.replace("<", "&lt;").replace(">", "&gt;").replace(
        '"', "&quot;"
    )


# --- values ----------------------------------------------------------------------------------------------------------


def test_a_state_has_its_tone_shape_and_word() -> None:
    html = render('{% state_badge "rolled_back" %}')
    assert 'data-tone="rest"' in html
    assert "<svg" in html
    assert "Rolled back" in html


def test_a_digest_shows_twelve_characters_and_copies_all() -> None:
    html = render("{% digest value %}", value=DIGEST)
    assert '<span class="digest-short">9f2b1c7e4a8d</span>' in html
    assert f'data-copy="{DIGEST}"' in html


def test_no_digest_is_a_dash() -> None:
    assert "—" in render("{% digest value %}", value=None)


def test_a_person_is_never_without_the_username() -> None:
    html = render('{% person "Nia Okafor" "nia" %}')
    assert "<bdi>Nia Okafor</bdi>" in html
    assert ">nia<" in html


def test_a_service_carries_a_sign() -> None:
    assert "<svg" in render('{% person "CI runner" "kestrel-pay.ci" kind="service" %}')


@pytest.mark.parametrize("at", [NOW - timedelta(hours=3), "2026-11-23T05:00:00.000Z"])
def test_a_time_is_relative_with_the_instant_in_its_title(at: datetime | str) -> None:
    html = render("{% when at %}", at=at)
    assert ">3 hours ago<" in html
    assert 'title="Mon 23 Nov 2026 05:00:00 UTC"' in html


def test_no_time_is_a_dash() -> None:
    assert "—" in render("{% when at %}", at=None)


def test_a_duration_takes_seconds_too() -> None:
    assert render("{% duration 7200 %}") == "2 hours"


def test_an_approvals_meter_says_given_of_required() -> None:
    html = render("{% approvals_meter 1 2 %}")
    assert "1 of 2" in html
    assert html.count("is-given") == 1


def test_nobody_has_to_approve_is_said_in_words_and_amber() -> None:
    html = render("{% approvals_meter 0 0 %}")
    assert "Nobody has to approve" in html
    assert 'data-tone="care"' in html


# --- gates, track, callout -------------------------------------------------------------------------------------------


def test_a_gate_row_says_verdict_reason_and_when_it_changes() -> None:
    gate = {
        "name": "quarter-end",
        "type": "freeze-window",
        "status": "pending",
        "message": "Frozen until Mon 08:00.",
        "reasonCodes": ["FROZEN"],
        "nextChangeAt": "2026-11-23T10:00:00.000Z",
        "whoCanAct": [{"displayName": "Greta", "username": "greta"}],
    }
    html = render("{% gate_row gate %}", gate=gate)
    for text in ("Pending", "quarter-end", "Frozen until Mon 08:00.", "FROZEN", "in 2 hours", "greta"):
        assert text in html


@pytest.mark.parametrize(
    ("status", "codes", "word", "tone"),
    [
        ("pending", ["SECURITY_FINDINGS_OPEN", "OVERRIDE_POSSIBLE"], "Fails, overridable", "stop"),
        ("pending", ["FROZEN"], "Pending", "motion"),
        ("fail", ["OVERRIDE_POSSIBLE"], "Fail", "stop"),
    ],
)
def test_a_gate_that_fails_unless_overridden_does_not_look_as_if_it_waits(
    status: str, codes: list[str], word: str, tone: str
) -> None:
    for html in (
        render("{% verdict status codes %}", status=status, codes=codes),
        render("{% gate_row gate %}", gate={"name": "cve", "status": status, "reasonCodes": codes}),
    ):
        found = re.search(r'class="verdict" data-tone="(\w+)">(?:<svg.*?</svg>)?([^<]+)<', html, re.DOTALL)
        assert found is not None, html
        assert found.groups() == (tone, word)


def test_the_track_marks_the_current_step() -> None:
    html = render('{% state_track "approved" %}')
    assert html.count('aria-current="step"') == 1


def test_a_callout_has_its_tone() -> None:
    assert 'data-tone="care"' in render('{% callout "Frozen." "care" %}')


# --- forms -----------------------------------------------------------------------------------------------------------


class Form(forms.Form):
    name = forms.CharField(max_length=5, help_text="Short.")
    role = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    note = forms.CharField(required=False, widget=forms.Textarea)


def test_a_field_ties_hint_and_error_to_its_control() -> None:
    form = Form({"name": "too long"})
    html = render("{% field form.name %}", form=form)
    assert 'aria-describedby="id_name_hint id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="id_name_error"' in html


def test_a_field_keeps_what_was_typed() -> None:
    assert 'value="too long"' in render("{% field form.name %}", form=Form({"name": "too long"}))


def test_a_placeholder_that_repeats_the_label_is_left_out() -> None:
    form = Form()
    form.fields["name"].widget.attrs["placeholder"] = "Name"
    form.fields["note"].widget.attrs["placeholder"] = "for example: hotfix"
    assert "placeholder" not in render("{% field form.name %}", form=form)
    assert 'placeholder="for example: hotfix"' in render("{% field form.note %}", form=form)


def test_choices_are_a_group_with_a_legend() -> None:
    assert "<legend" in render("{% field form.role %}", form=Form())


def test_a_field_that_may_stay_empty_says_so() -> None:
    assert "optional" in render("{% field form.note %}", form=Form())


def test_the_summary_lists_every_error_with_a_way_to_its_field() -> None:
    html = render("{% error_summary form %}", form=Form({"name": "too long"}))
    assert 'href="#id_name"' in html
    assert "There are 2 things to correct" in html
    assert "autofocus" in html


def test_the_summary_leads_to_no_field_that_is_hidden() -> None:
    class Form(forms.Form):
        version = forms.IntegerField(widget=forms.HiddenInput)

    html = render("{% error_summary form %}", form=Form({}))
    assert "Version: This field is required." in html
    assert "href" not in html


def test_there_is_no_summary_without_errors() -> None:
    assert render("{% error_summary form %}", form=Form()).strip() == ""


def test_a_refusal_is_said_where_it_takes_the_focus() -> None:
    html = render("{% refusal_summary refusal %}", refusal=Refused("You requested it."))
    assert "You requested it." in html
    assert "autofocus" in html
    assert render("{% refusal_summary refusal %}", refusal=None).strip() == ""


def test_a_button_that_may_be_used_submits() -> None:
    html = render('{% action_button "Approve" reason=reason %}', reason=None)
    assert 'type="submit"' in html
    assert "disabled" not in html


def test_a_button_with_a_reason_is_disabled_and_says_it() -> None:
    html = render('{% action_button "Approve" reason="You requested it." %}')
    assert 'type="button"' in html
    assert 'aria-disabled="true" aria-describedby="reason-approve"' in html
    assert 'id="reason-approve">You requested it.<' in html


def test_buttons_with_the_same_reason_say_it_once() -> None:
    html = render('{% refused_buttons "You requested it." "Approve" "Reject" %}')
    assert html.count('aria-disabled="true" aria-describedby="reason-approve-reject"') == 2
    assert html.count("You requested it.") == 1


# --- lists -----------------------------------------------------------------------------------------------------------


def test_a_table_scrolls_by_itself_under_its_name() -> None:
    html = render('{% table caption="Open" %}<tbody></tbody>{% endtable %}')
    assert 'role="region" aria-label="Open"' in html
    assert "<tbody></tbody>" in html


def test_the_pager_keeps_the_filters_and_drops_the_old_place() -> None:
    request = RequestFactory().get("/promotions?status=failed&status=rejected&page=2")
    meta = {"page": 2, "pageSize": 50, "totalCount": 120, "totalPages": 3, "hasNext": True, "hasPrevious": True}
    html = render("{% pager meta %}", request=request, meta=meta)
    assert 'href="?status=failed&amp;status=rejected&amp;page=3"' in html
    assert 'href="?status=failed&amp;status=rejected&amp;page=1"' in html


def test_the_pager_goes_by_cursor_too() -> None:
    request = RequestFactory().get("/promotions?cursor=old")
    meta = {"pageSize": 50, "nextCursor": "abc", "previousCursor": None}
    html = render("{% pager meta %}", request=request, meta=meta)
    assert 'href="?cursor=abc"' in html
    assert "Previous" not in html


# --- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "{% state_badge evil %}",
        "{% verdict evil %}",
        "{% decision evil %}",
        "{% digest evil label=evil %}",
        "{% person evil evil %}",
        "{% callout evil title=evil %}",
        "{% state_track evil %}",
        "{% gate_row gate %}",
        "{% action_button evil reason=evil %}",
        "{% action_button evil name=evil value=evil confirm=evil %}",
        "{% action_button evil opens=evil %}",
        "{% table caption=evil %}{% endtable %}",
    ],
)
def test_no_component_lets_markup_through(source: str) -> None:
    gate = dict.fromkeys(("name", "type", "status", "message"), EVIL) | {
        "reasonCodes": [EVIL],
        "whoCanAct": [{"displayName": EVIL, "username": EVIL}],
    }
    assert "<script" not in render(source, evil=EVIL, gate=gate)


def test_an_emergency_change_has_a_word_and_a_shape_and_others_have_nothing() -> None:
    html = render("{% emergency change large=True %}", change={"type": "emergency"})
    assert "Emergency change" in html
    assert "<svg" in html
    for other in (None, {"type": None}, {"type": "normal"}):
        assert render("{% emergency change %}", change=other).strip() == ""


def test_an_address_is_a_link_with_its_host_set_off() -> None:
    html = render("{% external_link url %}", url="https://changes.example/CHG-7?a=1&b=2")
    assert 'href="https://changes.example/CHG-7?a=1&amp;b=2" rel="noopener noreferrer"' in html
    assert 'https://<span class="strong">changes.example</span>/CHG-7?a=1&amp;b=2' in html


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//host/x", "https:///x", "C-7"])
def test_what_is_no_web_address_is_no_link(url: str) -> None:
    assert "href" not in render("{% external_link url %}", url=url)


@pytest.mark.parametrize(
    ("display_name", "name", "shown"),
    [
        ("Production", "prod", '<bdi>Production</bdi> <span class="muted small mono">prod</span>'),
        ("Staging", "prod", '<bdi>Staging</bdi> <span class="muted small mono">prod</span>'),
        ("Prod", "prod", "<bdi>Prod</bdi>"),
        ("<b>", "prod", '<bdi>&lt;b&gt;</bdi> <span class="muted small mono">prod</span>'),
        ("", "prod", "<bdi>prod</bdi>"),
        (None, None, "—"),
    ],
)
def test_an_environment_is_not_known_by_its_display_name_alone(
    display_name: str | None, name: str | None, shown: str
) -> None:
    """Everybody may read another environment's name into a free text: the name that never changes stands beside it."""
    assert ui.environment_name(display_name, name) == shown
    if name and display_name:
        beside = ui.slug_beside(SimpleNamespace(display_name=display_name, name=name))
        assert (name in beside) is ("</span>" in shown)
