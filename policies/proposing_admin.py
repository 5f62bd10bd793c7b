"""Django admin of rows whose edit may be stored as a proposal instead (domain.md §5, loosening takes two people)."""

from collections.abc import Mapping
from typing import Any, cast

from django.http import HttpRequest, HttpResponse

from policies.models import Proposal
from policies.proposed_page import go_to_proposal
from stellapromote.api.etag import IfMatch
from stellapromote.web.action_model_form import ActionModelForm
from stellapromote.web.admin_site import ActionAdmin


class ProposingForm(ActionModelForm):
    @property
    def proposal(self) -> Proposal | None:
        """What the action stored instead of the edit."""
        return self.done if isinstance(self.done, Proposal) else None

    def condition(self, cleaned: Mapping[str, Any]) -> IfMatch | None:
        """The condition that the row is still as the person saw it."""
        return IfMatch(cleaned["seen"]) if cleaned.get("seen") else None


class _Proposing(HttpRequest):
    """A request of Django's whose save was stored as a proposal, or None."""

    proposal: Proposal | None


class ProposingAdmin(ActionAdmin):
    """An edit that was stored as a proposal leads to its page, and stands in no list of what was done."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        cast("_Proposing", request).proposal = form.proposal

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        proposal = cast("_Proposing", request).proposal
        if proposal is not None:
            return go_to_proposal(request, proposal)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        proposal = cast("_Proposing", request).proposal
        return super().response_change(request, obj) if proposal is None else go_to_proposal(request, proposal)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_addition(request, obj, message) if cast("_Proposing", request).proposal is None else None

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, obj, message) if cast("_Proposing", request).proposal is None else None
