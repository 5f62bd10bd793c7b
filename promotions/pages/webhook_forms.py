"""The forms of /settings/webhooks. They read input; the actions judge it."""

from collections.abc import Sequence
from typing import Any

from django import forms

from promotions.models import Webhook
from promotions.models.webhook import LONGEST_URL
from promotions.reading.event_types import CHOSEN
from stellapromote.accounts.models import Product
from stellapromote.identity.product_choice import offer_products, products_field
from stellapromote.web.forms import ActionForm

_FORMATS = (
    (Webhook.Format.CLOUDEVENTS, "CloudEvents: every event"),
    (Webhook.Format.CDEVENTS, "CDEvents: the events that it has, experimental for approvals"),
)


class WebhookForm(ActionForm):
    """``seen``: the ETag of the webhook that the person saw; of a new one there is none."""

    seen = forms.CharField(max_length=100, required=False, widget=forms.HiddenInput)
    url = forms.CharField(
        label="Address",
        max_length=LONGEST_URL,
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off"}),
        help_text="It begins with https://. Only administrators see it.",
    )
    events = forms.MultipleChoiceField(
        label="Only these events",
        required=False,
        choices=[(name, name) for name in CHOSEN],
        widget=forms.CheckboxSelectMultiple,
        help_text="None: all, those of later versions too.",
    )
    products = products_field("None: for all. Events about environments and policies come whatever the products.")
    environments = forms.MultipleChoiceField(
        label="Only for these environments",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None: for all.",
    )
    format = forms.ChoiceField(label="Form of the message", choices=_FORMATS)

    def __init__(self, *args: Any, products: Sequence[Product], environments: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        offer_products(self, products)
        field = self.fields["environments"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(name, name) for name in environments]
        if not environments:
            del self.fields["environments"]

    @property
    def changes(self) -> dict[str, Any]:
        """The fields for the action. A field that is not shown is for all."""
        names = ("url", "events", "products", "environments", "format")
        return {name: self.cleaned_data.get(name, []) for name in names}
