"""Policies as forms in the Django admin: a valid form has done its action, a refusal stands beside its field."""

import json
from typing import Any

import orjson
from django import forms

from policies import documents
from policies.actions.create_approval_policy import create_approval_policy
from policies.actions.create_promotion_policy import create_promotion_policy
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.actions.update_approval_policy import update_approval_policy
from policies.etags import approval_policy_tag, promotion_policy_tag
from policies.models import ApprovalPolicy, PromotionPolicy, Proposal
from policies.proposing_admin import ProposingForm
from policies.rule_lines import EXAMPLE, BadLine, as_lines, as_rules
from stellapromote.api.etag import IfMatch
from stellapromote.api.parsing import parse_json
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid

_PARTS = {"name": "its name", "minApprovals": "how many approvals"}
"""Parts of a rule whose complaint does not say which one it is about."""

PUBLISH = "_publish"
"""Name of the button that saves the draft and publishes it."""

_MONO = {"class": "vLargeTextField", "spellcheck": "false"}
_NAME_HELP = "Lower-case letters, digits and hyphens. It cannot be changed later."
_DUTIES = {
    "exclude_release_creator": "excludeReleaseCreator",
    "exclude_commit_authors": "excludeCommitAuthors",
    "exclude_policy_editor": "excludePolicyEditor",
    "exclude_deployer": "excludeDeployer",
}
_FLAGS = {"comment_required": "commentRequired", "require_subject_digest": "requireSubjectDigest", "blind": "blind"}


class ApprovalPolicyForm(ProposingForm):
    main_field = "rules"

    description = forms.CharField(
        label="Description", max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    rules = forms.CharField(
        label="Rules",
        max_length=20_000,
        widget=forms.Textarea(attrs={**_MONO, "rows": 5, "placeholder": EXAMPLE}),
        help_text=(
            "One rule in each line: its name, how many approvals, and by whom. For example “release: 1 by team "
            "release” and “security: 2 by team security or mei”. @owners stands for the owner teams of the promotion's "
            "product. All rules must be filled, each place by somebody else."
        ),
    )
    comment_required = forms.BooleanField(label="Every approval needs a comment", required=False)
    exclude_release_creator = forms.BooleanField(
        label="The person who created the release does not vote", required=False, initial=True
    )
    exclude_commit_authors = forms.BooleanField(label="Commit authors of the release do not vote", required=False)
    exclude_policy_editor = forms.BooleanField(
        label="People who edited the policies in force do not vote", required=False
    )
    exclude_deployer = forms.BooleanField(
        label="People who approved or confirmed do not report the deployment", required=False
    )
    require_subject_digest = forms.BooleanField(
        label="Votes by API must name the digest of what the voter saw", required=False
    )
    blind = forms.BooleanField(
        label="Votes are hidden from people who have not voted, until voting ends",
        required=False,
        help_text="Auditors see them all the time. How many are needed and given is always shown.",
    )

    class Meta:
        model = ApprovalPolicy
        fields = ("name",)
        help_texts = {"name": _NAME_HELP}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.current is not None:
            document = orjson.loads(self.instance.current.canonical)
            self.initial.update(
                {
                    "description": document["description"],
                    "rules": as_lines(document["rules"]),
                    **{name: document[wire] for name, wire in _FLAGS.items()},
                    **{name: document["separationOfDuties"][wire] for name, wire in _DUTIES.items()},
                    "seen": approval_policy_tag(self.instance, ()),
                }
            )

    def clean_rules(self) -> list[dict[str, Any]]:
        try:
            return as_rules(self.cleaned_data["rules"])
        except BadLine as error:
            raise forms.ValidationError(str(error)) from None

    def act(self, cleaned: dict[str, Any]) -> ApprovalPolicy | Proposal:
        content = {
            "description": cleaned["description"].replace("\r\n", "\n"),
            "rules": cleaned["rules"],
            **{wire: cleaned[name] for name, wire in _FLAGS.items()},
            "separationOfDuties": {wire: cleaned[name] for name, wire in _DUTIES.items()},
        }
        if self.instance.current is None:
            return create_approval_policy(
                by=self.actor, clock=DATABASE_CLOCK, content={"name": cleaned["name"], **content}
            )
        return update_approval_policy(
            by=self.actor,
            clock=DATABASE_CLOCK,
            policy_id=self.instance.pk,
            changes=content,
            used_by=(),  # needed for disabling only, which this form does not offer
            if_match=self.condition(cleaned),
        )

    def place_of(self, place: str) -> tuple[str, str]:
        if not place.startswith("rules["):
            wire = place.rpartition(".")[2]
            return next((name for name, each in {**_FLAGS, **_DUTIES}.items() if each == wire), wire), ""
        index, _bracket, inside = place.removeprefix("rules[").partition("]")
        part = _PARTS.get(inside.removeprefix("."))
        return "rules", f"Rule {int(index) + 1}, {part}: " if part else f"Rule {int(index) + 1}: "


class PromotionPolicyForm(ProposingForm):
    main_field = "document"

    document = forms.CharField(
        label="Document",
        max_length=200_000,
        widget=forms.Textarea(attrs={**_MONO, "rows": 24}),
        help_text=(
            "The draft, as JSON: gates, pendingTtl and approvalTtl in seconds, supersedeOlder. The gates "
            "preconditions, freeze-window and approval are always there. Saving changes the draft only, until you "
            "publish it."
        ),
    )

    class Meta:
        model = PromotionPolicy
        fields = ("name",)
        help_texts = {"name": _NAME_HELP}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.draft is not None:
            shown = self.instance.draft
        elif self.instance.current is not None:
            shown = orjson.loads(self.instance.current.canonical)
        else:
            shown = documents.promotion_policy({}).content
        text = json.dumps(shown, indent=2, ensure_ascii=False)
        self.initial["document"] = text
        if not self.instance._state.adding:
            self.initial["seen"] = promotion_policy_tag(self.instance)

    def clean_document(self) -> dict[str, Any]:
        try:
            value, problems = parse_json(self.cleaned_data["document"].encode(), called="The document")
        except Invalid as refusal:
            raise forms.ValidationError(refusal.message) from None
        if problems:
            raise forms.ValidationError([f"{each.field}: {each.message}" for each in problems])
        if not isinstance(value, dict):
            raise forms.ValidationError("This must be a JSON object, in braces.")
        return value

    def act(self, cleaned: dict[str, Any]) -> PromotionPolicy | Proposal:
        if self.instance._state.adding:
            return create_promotion_policy(
                by=self.actor, clock=DATABASE_CLOCK, name=cleaned["name"], document=cleaned["document"]
            )
        # Everything is there, so that what was taken out of the text is taken out of the draft.
        whole = {"overrideTtl": None, **documents.promotion_policy({}).content, **cleaned["document"]}
        name = self.instance.name
        saved = save_draft(
            by=self.actor, clock=DATABASE_CLOCK, name=name, changes=whole, if_match=self.condition(cleaned)
        )
        if PUBLISH not in self.data:
            return saved
        return publish_promotion_policy(
            by=self.actor, clock=DATABASE_CLOCK, name=name, if_match=IfMatch(promotion_policy_tag(saved))
        )

    def place_of(self, place: str) -> tuple[str, str]:
        return ("name", "") if place == "name" else ("document", f"{place}: ")
