"""The living page of components, in debug mode only (ui.md, Look): every one in every state, with made-up data."""

from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render

from stellapromote.accounts.request import Request
from stellapromote.clock import SYSTEM_CLOCK
from stellapromote.web.access import public
from stellapromote.web.middleware import find_actor
from stellapromote.web.words import GATE_VERDICTS, PROMOTION_STATES, TONE_ICONS

DIGEST = "sha256:9f2b1c7e4a8d0356b1e2c3d4f5a6978812ab34cd56ef7890a1b2c3d4e5f60718"


class SampleForm(forms.Form):
    name = forms.CharField(label="Name", max_length=20, help_text="1 to 20 characters.")
    target = forms.ChoiceField(label="Target", choices=[("staging", "staging"), ("production", "production")])
    reason = forms.CharField(label="Reason", widget=forms.Textarea(attrs={"rows": 3}), required=False)
    role = forms.ChoiceField(label="Role", choices=[("a", "Viewer"), ("b", "Operator")], widget=forms.RadioSelect)
    urgent = forms.BooleanField(label="Urgent", required=False)


@public
def styleguide(request: Request) -> HttpResponse:
    find_actor(request)
    return render(request, "web/styleguide.html", _samples())


def _samples() -> dict[str, Any]:
    now = SYSTEM_CLOCK.now()
    return {
        "states": list(PROMOTION_STATES),
        "emergency_change": {"type": "emergency"},
        "verdicts": list(GATE_VERDICTS),
        "tones": list(TONE_ICONS),
        "digest": DIGEST,
        "moments": [now - timedelta(seconds=20), now - timedelta(hours=3), now + timedelta(days=2, hours=5)],
        "span": timedelta(days=2, hours=3, minutes=4),
        "times": {"requested": now - timedelta(hours=5), "gates": now - timedelta(hours=5), "approved": now},
        "gates": [
            _gate("preconditions", "preconditions", "pass", "The release is finalized and was deployed into staging."),
            _gate(
                "quarter-end",
                "freeze-window",
                "pending",
                "Frozen until Mon 08:00 (quarter end, by Greta). It continues by itself then.",
                reasonCodes=["FROZEN"],
                nextChangeAt=now + timedelta(hours=14),
            ),
            _gate("open-findings", "security", "warn", "2 medium findings, 80 % of what is allowed."),
            _gate(
                "two-person-rule",
                "approval",
                "fail",
                "Mei rejected it: the migration has no way back.",
                reasonCodes=["APPROVAL_REJECTED"],
                whoCanAct=[{"displayName": "Nia Okafor", "username": "nia"}],
            ),
        ],
        "form": SampleForm(),
        "dialog_form": SampleForm(prefix="dialog"),
        "wrong_form": SampleForm({"wrong-name": "a name that is much too long"}, prefix="wrong"),
        "by_page": {
            "page": 2,
            "pageSize": 50,
            "totalCount": 412,
            "totalPages": 9,
            "hasNext": True,
            "hasPrevious": True,
        },
        "by_cursor": {"pageSize": 50, "nextCursor": "b2xkZXI", "previousCursor": None},
    }


def _gate(name: str, kind: str, status: str, message: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "status": status, "message": message, "reasonCodes": [], **more}
