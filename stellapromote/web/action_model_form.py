"""Forms of the Django admin: a valid form has done its action, a refusal stands beside its field."""

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.db import transaction

from stellapromote.accounts.actor import Actor
from stellapromote.audit.refusals import note_refusal
from stellapromote.errors import ProductError
from stellapromote.web.forms import ActionFields
from stellapromote.web.refusals import sentence_of

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm


class ActionModelForm(ActionFields, ModelForm):
    """`actor` is set by the admin for each request; `seen` is the tag of the row that the person saw.

    Cleaning calls the action, in a savepoint: afterwards `stored` is true, `done` is the result of the action, and so
    is the instance where that is a row of the model. The admin undoes it when it shows the form again.
    """

    actor: ClassVar[Actor]

    seen = forms.CharField(max_length=100, widget=forms.HiddenInput, required=False)

    stored = False
    done: Any = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                with transaction.atomic():
                    self.done = self.act(cleaned)
                self.stored = True
                if isinstance(self.done, self._meta.model):
                    self.instance = self.done
            except ProductError as refusal:
                target = f"{self._meta.model._meta.label_lower} {self.instance.pk}"
                note_refusal(by=self.actor, code=refusal.code, action="administration", target=target)
                if not self.show_refusal(refusal):
                    self.add_error(None, sentence_of(refusal))
        return cleaned

    def _post_clean(self) -> None:
        """Django would put what was typed into the row that the action has stored, and judge it once more."""

    def act(self, cleaned: dict[str, Any]) -> Any:
        """Creates or changes the row by its action."""
        raise NotImplementedError
