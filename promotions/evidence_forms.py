"""What people type and choose when they bring in documents, feeds and keys; the rules are in the actions."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from promotions.models import EvidenceDocument, Feed

_KINDS = [
    (EvidenceDocument.Kind.VULNERABILITIES, _("Vulnerability report: Trivy, Grype, OSV-Scanner, CycloneDX")),
    (EvidenceDocument.Kind.SBOM, _("SBOM: CycloneDX or SPDX")),
    (EvidenceDocument.Kind.VEX, _("VEX: OpenVEX or CycloneDX")),
    (EvidenceDocument.Kind.ATTESTATION, _("Attestation: in-toto in a DSSE envelope or Sigstore bundle")),
    (EvidenceDocument.Kind.INDEX, _("Image index: the bytes that the registry serves")),
]
_FEEDS = [(Feed.Kind.KEV, _("Known exploited vulnerabilities (KEV)")), (Feed.Kind.EPSS, _("Exploit prediction (EPSS)"))]


class DocumentForm(forms.Form):
    """A document about one component of a release."""

    artifact = forms.ChoiceField(label=_("About"))
    kind = forms.ChoiceField(label=_("What it is"), choices=_KINDS)
    document = forms.FileField(
        label=_("File"), help_text=_("JSON, or several envelopes, each on one line; at most 32 MiB.")
    )

    def __init__(self, *data: Any, components: Iterable[dict[str, Any]]) -> None:
        super().__init__(*data)
        artifact: Any = self.fields["artifact"]
        artifact.choices = [(each["digest"], each["name"]) for each in components if each["digest"]]


class FeedForm(forms.Form):
    kind = forms.ChoiceField(label=_("Feed"), choices=_FEEDS)
    document = forms.FileField(label=_("File"), help_text=_("JSON for KEV, CSV or CSV.GZ for EPSS."))


class TrustedKeyForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("Who signs with it, for example ci-signing."))
    pem = forms.CharField(
        label=_("Public key"),
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 5, "class": "mono", "spellcheck": "false"}),
        help_text=_("PEM. P-256, P-384, P-521, Ed25519, or RSA of 2048 to 8192 bits."),
    )
