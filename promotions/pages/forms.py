"""The forms of promotion and release pages. The API's body of the same act (promotions.pages.bodies) bounds each field,
with the same words; the rules are in the actions."""

from typing import Any, cast

from django import forms
from rest_framework import serializers

from promotions.actions.releases import ComponentSpec
from promotions.models import Promotion
from promotions.models.promotion import CHANGE_TYPES
from promotions.models.release import MAX_COMPONENTS
from promotions.models.vote import ACT_TEXTS, ActTexts
from promotions.pages.bodies import (
    Approval,
    Cancellation,
    ChangeBody,
    ComponentBody,
    DeprecationReason,
    NewPromotion,
    NewRelease,
    OverrideBody,
    Rejection,
    ReviewBody,
    change_record,
)
from stellapromote.api.exceptions import field_errors
from stellapromote.api.fields import TextField
from stellapromote.api.serializers import Body, camel
from stellapromote.web.forms import ActionForm
from stellapromote.web.words import CHANGE_TYPES as CHANGE_WORDS


class BodyField(forms.CharField):
    """One text of an API body, typed on a page: the body's field says what may stand in it. Nothing is cut.

    ``required`` only where it differs from the body. A page ends its lines with CR LF and counts them as one character,
    as its `maxlength` does.
    """

    def __init__(self, body: type[Body], name: str, *, required: bool | None = None, **options: Any) -> None:
        self.rule: Any = cast("Any", body().fields[name])
        if required is None:
            required = self.rule.required
        super().__init__(max_length=self.rule.max_length, required=required, **options)

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n")

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        if not text:
            return ""
        try:
            return str(self.rule.run_validation(text))
        except serializers.ValidationError as error:
            raise forms.ValidationError([each.message for each in field_errors(error.detail)]) from None


def _lines(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


def _written(body: type[Body], name: str) -> BodyField:
    """A text of the body, called by its name."""
    wire = camel(name)
    widget = _lines(2) if isinstance(body().fields[wire], TextField) else None
    return BodyField(body, wire, label=name.replace("_", " ").capitalize(), widget=widget)


def _seen() -> BodyField:
    """The digest of the subject that the page showed."""
    return BodyField(Approval, "subjectDigest", required=True, widget=forms.HiddenInput)


class VoteForm(ActionForm):
    """An approval or a confirmation, bound to what the page showed, with each text that the API's body takes."""

    subject_digest = _seen()

    def texts(self) -> ActTexts:
        return cast("ActTexts", {name: self.cleaned_data[name] for name in ACT_TEXTS})


VoteForm.base_fields |= {name: _written(Approval, name) for name in ACT_TEXTS}


class RejectForm(ActionForm):
    """A reject, bound to the subject on the page; the requester reads the reason."""

    subject_digest = _seen()
    reason = BodyField(Rejection, "reason", label="Reason", widget=_lines(3))


class SubjectForm(ActionForm):
    """An act without words, bound to what the page showed: withdraw, unconfirm."""

    subject_digest = _seen()


class OverrideForm(ActionForm):
    """An override of one gate, bound to the decision and the subject that the page showed."""

    called = {"expiresAt": "hours"}

    subject_digest = _seen()
    decision = forms.UUIDField(widget=forms.HiddenInput)
    reason = BodyField(OverrideBody, "reason", label="Why it cannot wait", widget=_lines(3))
    ticket = BodyField(OverrideBody, "ticket", label="Ticket")
    hours = forms.IntegerField(label="For how many hours", min_value=1, max_value=720, initial=4)


class ReviewForm(ActionForm):
    verdict = forms.ChoiceField(
        label="Was it justified?",
        choices=[("justified", "Yes, it was justified"), ("objected", "No, I object")],
        widget=forms.RadioSelect,
    )
    comment = BodyField(ReviewBody, "comment", label="Comment", widget=_lines(2))


class CancelForm(ActionForm):
    reason = BodyField(Cancellation, "reason", label="Why it is not wanted any more")


class RequestForm(ActionForm):
    """The last step of a request; release and target are in the address."""

    reason = BodyField(NewPromotion, "reason", label="Why should it go there now?", widget=_lines(3))
    change_ref = BodyField(ChangeBody, "ref", label="Change ticket")
    change_type = forms.ChoiceField(
        label="Kind of change",
        choices=[("", "Not said"), *((name, CHANGE_WORDS[name].word) for name in CHANGE_TYPES)],
        required=False,
    )
    change_url = BodyField(ChangeBody, "url", label="Address of the change record")
    change_backout = BodyField(ChangeBody, "backout", label="Back-out plan", widget=_lines(2))

    def change(self) -> dict[str, Any] | None:
        typed = {name.removeprefix("change_"): value for name, value in self.cleaned_data.items()}
        return change_record({name: value or None for name, value in typed.items()})

    @classmethod
    def initial_of(cls, promotion: Promotion) -> dict[str, Any]:
        """The input of the request for ``promotion``, to be sent again."""
        change = promotion.change or {}
        return {"reason": promotion.reason, **{f"change_{name}": value for name, value in change.items() if value}}


class ReleaseForm(ActionForm):
    """A new release; one component in each line."""

    name = BodyField(NewRelease, "name", label="Name")
    product = BodyField(NewRelease, "product", label="Product", required=True, initial="main")
    description = BodyField(NewRelease, "description", label="What is new", widget=_lines(2))
    components = forms.CharField(
        label="Components",
        max_length=200_000,
        help_text=(
            "One in each line: name, image repository, sha256 digest, and a tag if you like; with spaces between."
        ),
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )

    def clean_components(self) -> list[ComponentSpec]:
        lines = enumerate(self.cleaned_data["components"].splitlines(), start=1)
        found = [_component(number, line.split()) for number, line in lines if line.strip()]
        if len(found) > MAX_COMPONENTS:
            raise forms.ValidationError("A release has at most %(most)d components.", params={"most": MAX_COMPONENTS})
        return found


_PARTS = {
    "name": "name",
    "imageRepository": "image repository",
    "digest": "digest",
    "tag": "tag",
}
_COMPONENT = ComponentBody()


def _component(number: int, words: list[str]) -> ComponentSpec:
    """The component of one line. ValidationError that names the line and the part, with the API's words."""
    if len(words) not in (3, 4):
        raise forms.ValidationError(
            "Line %(number)s needs a name, an image repository and a digest.", params={"number": number}
        )
    try:
        return ComponentSpec(**_COMPONENT.run_validation(dict(zip(_PARTS, words, strict=False))))
    except serializers.ValidationError as error:
        raise forms.ValidationError(
            [
                forms.ValidationError(
                    "Line %(number)s, %(part)s: %(problem)s",
                    params={"number": number, "part": _PARTS.get(each.field, each.field), "problem": each.message},
                )
                for each in field_errors(error.detail)
            ]
        ) from None


class ReasonForm(ActionForm):
    reason = BodyField(DeprecationReason, "reason", label="Reason")


class VerifyForm(forms.Form):
    """A packet or envelope to check, pasted or as a file."""

    text = forms.CharField(
        label="Packet or envelope",
        max_length=1_000_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 10, "class": "mono", "spellcheck": "false"}),
    )
    file = forms.FileField(label="Or a file", required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("text") and not cleaned.get("file"):
            raise forms.ValidationError("Paste a packet, or choose a file.")
        return cleaned
