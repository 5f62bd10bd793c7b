"""What people type on promotion and release pages; the rules are in the actions."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from promotions.actions.releases import ComponentSpec
from promotions.models.release import DIGEST_PATTERN, RELEASE_NAME_PATTERN
from stellapromote.accounts.models.tenant import SLUG_PATTERN

DIGEST = re.compile(DIGEST_PATTERN)


class VoteForm(forms.Form):
    """An approval, bound to what the page showed."""

    subject_digest = forms.RegexField(DIGEST_PATTERN, widget=forms.HiddenInput)
    comment = forms.CharField(
        label=_("Comment"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class RejectForm(forms.Form):
    """A reject, bound to what the page showed; the reason is for whoever asked."""

    subject_digest = forms.RegexField(DIGEST_PATTERN, widget=forms.HiddenInput)
    reason = forms.CharField(label=_("Reason"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))


class SubjectForm(forms.Form):
    """An act without words, bound to what the page showed: withdraw, unconfirm."""

    subject_digest = forms.RegexField(DIGEST_PATTERN, widget=forms.HiddenInput)


class OverrideForm(forms.Form):
    """An override of one gate, bound to the decision and the subject that the page showed."""

    subject_digest = forms.RegexField(DIGEST_PATTERN, widget=forms.HiddenInput)
    decision = forms.UUIDField(widget=forms.HiddenInput)
    reason = forms.CharField(label=_("Why it cannot wait"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))
    ticket = forms.CharField(label=_("Ticket"), max_length=200)
    hours = forms.IntegerField(label=_("For how many hours"), min_value=1, max_value=720, initial=4)


class ReviewForm(forms.Form):
    verdict = forms.ChoiceField(
        label=_("Was it justified?"),
        choices=[("justified", _("Yes, it was justified")), ("objected", _("No, I object"))],
        widget=forms.RadioSelect,
    )
    comment = forms.CharField(
        label=_("Comment"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class CancelForm(forms.Form):
    reason = forms.CharField(label=_("Why it is not wanted any more"), max_length=2000, required=False)


class RequestForm(forms.Form):
    """The last step of a request; release and target are in the address."""

    reason = forms.CharField(
        label=_("Why should it go there now?"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )
    change_ref = forms.CharField(label=_("Change ticket"), max_length=64, required=False)

    def change(self) -> dict[str, Any] | None:
        ref = self.cleaned_data["change_ref"].strip()
        return {"ref": ref, "url": None, "type": None, "backout": None} if ref else None


class ReleaseForm(forms.Form):
    """A new release; one component in each line."""

    name = forms.RegexField(RELEASE_NAME_PATTERN, label=_("Name"), max_length=128)
    product = forms.RegexField(SLUG_PATTERN, label=_("Product"), max_length=63, initial="main")
    description = forms.CharField(
        label=_("What is new"), max_length=5000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    components = forms.CharField(
        label=_("Components"),
        max_length=100_000,
        help_text=_(
            "One in each line: name, image repository, sha256 digest, and a tag if you like; with spaces between."
        ),
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )

    def clean_components(self) -> list[ComponentSpec]:
        found = []
        for number, line in enumerate(self.cleaned_data["components"].splitlines(), start=1):
            if not (words := line.split()):
                continue
            if len(words) not in (3, 4):
                raise forms.ValidationError(
                    _("Line %(number)s needs a name, an image repository and a digest."), params={"number": number}
                )
            name, repository, digest, *tag = words
            if not DIGEST.fullmatch(digest):
                raise forms.ValidationError(
                    _("Line %(number)s: the digest is sha256: and 64 hexadecimal digits."), params={"number": number}
                )
            found.append(ComponentSpec(name[:128], repository[:255], digest, tag[0][:128] if tag else ""))
        return found


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=500)


class VerifyForm(forms.Form):
    """A packet or envelope to check, pasted or as a file."""

    text = forms.CharField(
        label=_("Packet or envelope"),
        max_length=1_000_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 10, "class": "mono", "spellcheck": "false"}),
    )
    file = forms.FileField(label=_("Or a file"), required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("text") and not cleaned.get("file"):
            raise forms.ValidationError(_("Paste a packet, or choose a file."))
        return cleaned
