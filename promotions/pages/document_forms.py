"""The forms for documents, feeds and keys; the actions have the rules."""

from collections.abc import Iterable
from typing import Any

from django import forms

from promotions.models import EvidenceDocument, Feed
from stellapromote.web.forms import ActionForm

_KINDS = [
    (EvidenceDocument.Kind.VULNERABILITIES, "Vulnerability report: Trivy, Grype, OSV-Scanner, CycloneDX"),
    (EvidenceDocument.Kind.SBOM, "SBOM: CycloneDX or SPDX"),
    (EvidenceDocument.Kind.VEX, "VEX: OpenVEX or CycloneDX"),
    (EvidenceDocument.Kind.ATTESTATION, "Attestation: in-toto in a DSSE envelope or Sigstore bundle"),
    (EvidenceDocument.Kind.INDEX, "Image index: the bytes that the registry serves"),
]
_FEEDS = [(Feed.Kind.KEV, "Known exploited vulnerabilities (KEV)"), (Feed.Kind.EPSS, "Exploit prediction (EPSS)")]


class DocumentForm(ActionForm):
    """A document about one component of a release."""

    main_field = "document"

    artifact = forms.ChoiceField(label="About")
    kind = forms.ChoiceField(label="What it is", choices=_KINDS)
    document = forms.FileField(label="File", help_text="JSON, or several envelopes, each on one line; at most 32 MiB.")

    def __init__(self, *data: Any, components: Iterable[dict[str, Any]]) -> None:
        super().__init__(*data)
        artifact: Any = self.fields["artifact"]
        artifact.choices = [(each["digest"], each["name"]) for each in components if each["digest"]]


class FeedForm(ActionForm):
    main_field = "document"

    kind = forms.ChoiceField(label="Feed", choices=_FEEDS)
    document = forms.FileField(label="File", help_text="JSON for KEV, CSV or CSV.GZ for EPSS.")


class TrustedKeyForm(ActionForm):
    name = forms.CharField(label="Name", max_length=100, help_text="Who signs with it, for example ci-signing.")
    pem = forms.CharField(
        label="Public key",
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 5, "class": "mono", "spellcheck": "false"}),
        help_text="PEM. P-256, P-384, P-521, Ed25519, or RSA of 2048 to 8192 bits.",
    )
