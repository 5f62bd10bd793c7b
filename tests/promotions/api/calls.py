"""Every call that bad input is sent to, as it would succeed, and the answers that are documented for it."""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from promotions.api.config import ConfigBody
from promotions.api.document_resources import Artifacts, NewEvidence, NewFeed, NewTrustedKey
from promotions.api.webhooks import NewWebhook, WebhookChanges
from promotions.pages.bodies import (
    Approval,
    Cancellation,
    DeploymentReport,
    DeprecationReason,
    NewProduct,
    NewPromotion,
    NewRelease,
    OverrideBody,
    ProductChanges,
    Rejection,
    ReviewBody,
    SharedRepository,
)
from stellapromote.api.schema import openapi
from stellapromote.api.serializers import Body
from stellapromote.clock import SYSTEM_CLOCK, rfc3339
from stellapromote.identity.api.bodies import (
    NewGrant,
    NewService,
    NewTeam,
    OptionalReason,
    Reason,
    ServiceChanges,
    TeamChanges,
)
from tests.promotions.formats.samples import ARTIFACT, cyclonedx
from tests.promotions.formats.samples import KEV as CATALOGUE
from tests.promotions.uploads import Signer

DIGEST = "sha256:" + "ab" * 32
COMPONENT = {"name": "api", "imageRepository": "registry.example/api", "digest": DIGEST}
TAGS = (
    "Products",
    "Services",
    "Teams",
    "Releases",
    "Promotions",
    "Evidence",
    "Evidence inputs",
    "Audit",
    "Policy as code",
    "Reports",
    "Webhooks",
    "Operations",
)


@dataclass(frozen=True)
class Call:
    """One call that would succeed: who makes it, with which body. {product}, {team}, {draft}, {release}, {promotion},
    {approved}."""

    who: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    form: type[Body] | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


OVERRIDE = {
    "reason": "x",
    "ticket": "INC-7",
    "expiresAt": rfc3339(SYSTEM_CLOCK.now() + timedelta(hours=12)),
}
KEV = {**CATALOGUE, "dateReleased": "2025-08-25T17:04:19Z"}
NEW_KEY = Signer().pem
CONFIG = {"schema": "stella.config/v1", "teams": []}

CALLS = [
    Call("vera", "GET", "products"),
    Call("greta", "POST", "products", {"slug": "new"}, NewProduct),
    Call("vera", "GET", "products/{product}"),
    Call("vera", "GET", "image-repositories"),
    Call("greta", "POST", "image-repositories", {"name": "registry.example/shared"}, SharedRepository),
    Call("vera", "GET", "image-repositories/{repository}"),
    Call("greta", "DELETE", "image-repositories/{repository}"),
    Call("greta", "PUT", "products/{product}", {"description": "x"}, ProductChanges),
    Call("greta", "PATCH", "products/{product}", {"description": "x"}, ProductChanges),
    Call("greta", "POST", "products/{product}/archive", {}),
    Call("greta", "GET", "members"),
    Call("greta", "POST", "members/{someone}/end", {"reason": "x"}, Reason),
    Call("greta", "POST", "members/{someone}/grants", {"kind": "role", "name": "operator", "reason": "x"}, NewGrant),
    Call("nia", "POST", "members/{someone}/grants/{grant}/confirm", {}),
    Call("greta", "POST", "members/{someone}/grants/{grant}/end", {"reason": "x"}, Reason),
    Call("greta", "GET", "teams"),
    Call("greta", "POST", "teams", {"slug": "new"}, NewTeam),
    Call("greta", "GET", "teams/{team}"),
    Call("greta", "PUT", "teams/{team}", {"displayName": "x"}, TeamChanges),
    Call("greta", "PATCH", "teams/{team}", {"displayName": "x"}, TeamChanges),
    Call("greta", "DELETE", "teams/{team}"),
    Call("greta", "PUT", "teams/{team}/members/{member}", {"reason": "x"}, OptionalReason),
    Call("greta", "PATCH", "teams/{team}/members/{member}", {"reason": "x"}, OptionalReason),
    Call("greta", "DELETE", "teams/{peopled}/members/{member}"),
    Call("greta", "GET", "services"),
    Call("greta", "POST", "services", {"name": "new", "owners": ["nia"], "scopes": ["release:read"]}, NewService),
    Call("greta", "GET", "services/{service}"),
    Call("greta", "PUT", "services/{service}", {"scopes": ["release:read"]}, ServiceChanges),
    Call("greta", "PATCH", "services/{service}", {"scopes": ["release:read"]}, ServiceChanges),
    Call("greta", "POST", "services/{service}/end", {"reason": "x"}, Reason),
    Call("greta", "PUT", "services/{service}/owners/{member}", {}),
    Call("greta", "PATCH", "services/{service}/owners/{member}", {}),
    Call("greta", "DELETE", "services/{service}/owners/{member}"),
    Call("vera", "GET", "releases"),
    Call("ravi", "POST", "releases", {"name": "9.9", "components": [COMPONENT]}, NewRelease),
    Call("vera", "GET", "releases/{release}"),
    Call("ravi", "PUT", "releases/{draft}", {"description": "x"}, NewRelease),
    Call("ravi", "PATCH", "releases/{draft}", {"description": "x"}, NewRelease),
    Call("ravi", "POST", "releases/{draft}/finalize", {}),
    Call("ravi", "POST", "releases/{release}/deprecate", {"reason": "x"}, DeprecationReason),
    Call("ravi", "POST", "releases/{draft}/archive", {}),
    Call("vera", "GET", "releases/{release}/diff"),
    Call("vera", "GET", "promotions"),
    Call(
        "tomas",
        "POST",
        "promotions",
        {"releaseName": "spare", "targetEnvironment": "dev", "reason": "x"},
        NewPromotion,
    ),
    Call("nia", "GET", "promotions/pending-approvals"),
    Call("vera", "GET", "promotions/{promotion}"),
    Call("vera", "GET", "promotions/{promotion}/gates"),
    Call("vera", "GET", "promotions/{promotion}/approvals"),
    Call("vera", "GET", "promotions/{promotion}/events"),
    Call("vera", "GET", "promotions/{promotion}/decision"),
    Call("vera", "GET", "promotions/{promotion}/decision/input"),
    Call("vera", "GET", "promotions/{promotion}/decision/input/evidence"),
    Call("vera", "GET", "promotions/{promotion}/decisions"),
    Call("vera", "GET", "promotions/{promotion}/decisions/{record}/input"),
    Call("vera", "GET", "promotions/{promotion}/decisions/{record}/input/evidence"),
    Call("vera", "GET", "promotions/{approved}/evidence"),
    Call("nia", "POST", "promotions/{promotion}/approve", {}, Approval),
    Call("nia", "POST", "promotions/{promotion}/reject", {"reason": "x"}, Rejection),
    Call("mei", "POST", "promotions/{approved}/withdraw-approval", {}),
    Call("nia", "POST", "promotions/{manual}/gates/backup/confirm", {}, Approval),
    Call("mei", "POST", "promotions/{manual}/gates/backup/unconfirm", {}),
    Call("omar", "POST", "promotions/{manual}/gates/hours/override", OVERRIDE, OverrideBody),
    Call("vera", "GET", "promotions/{overridden}/overrides"),
    Call("mei", "POST", "promotions/{overridden}/overrides/{override}/review", {"verdict": "justified"}, ReviewBody),
    Call("tomas", "POST", "promotions/{promotion}/cancel", {}, Cancellation),
    Call("tomas", "POST", "promotions/{promotion}/evaluate", {}),
    Call("idris", "POST", "promotions/{promotion}/decision/replay", {}),
    Call("ci", "POST", "promotions/{approved}/deployment", {"status": "started"}, DeploymentReport),
    Call("idris", "POST", "evidence/verify", {"contentHash": "x"}),
    Call("tomas", "POST", "promotions/{promotion}/evidence-bundle", {}),
    Call("vera", "GET", "evidence"),
    Call("tomas", "POST", "evidence", {"artifactDigest": DIGEST, "kind": "sbom", "document": cyclonedx()}, NewEvidence),
    Call("vera", "GET", "evidence/{bundle}"),
    Call("tomas", "POST", "evidence/snapshot", {"artifactDigests": [ARTIFACT]}, Artifacts),
    Call("vera", "GET", "evidence/documents/{document}"),
    Call("vera", "GET", "evidence/documents/{document}/content"),
    Call("vera", "GET", "feeds"),
    Call("greta", "POST", "feeds", {"kind": "kev", "document": KEV}, NewFeed),
    Call("vera", "GET", "trusted-keys"),
    Call("greta", "POST", "trusted-keys", {"name": "new", "pem": NEW_KEY}, NewTrustedKey),
    Call("vera", "GET", "trusted-keys/{key}"),
    Call("greta", "DELETE", "trusted-keys/{key}"),
    Call("vera", "GET", "events/types"),
    Call("greta", "GET", "webhooks"),
    Call("greta", "POST", "webhooks", {"url": "https://hooks.example.org/"}, NewWebhook),
    Call("greta", "GET", "webhooks/{webhook}"),
    Call("greta", "PUT", "webhooks/{webhook}", {"events": ["promotion.approved"]}, WebhookChanges),
    Call("greta", "PATCH", "webhooks/{webhook}", {"events": ["promotion.approved"]}, WebhookChanges),
    Call("greta", "DELETE", "webhooks/{webhook}"),
    Call("greta", "POST", "webhooks/{webhook}/rotate-secret", {}),
    Call("greta", "POST", "webhooks/{webhook}/test", {}),
    Call("greta", "GET", "webhooks/{webhook}/deliveries"),
    Call("greta", "POST", "webhooks/{webhook}/deliveries/{delivery}/resend", {}),
    Call("idris", "GET", "audit-events"),
    Call("idris", "GET", "audit-events/verify"),
    Call("vera", "GET", "reports/delivery"),
    Call("vera", "GET", "config"),
    Call("vera", "GET", "config/yaml"),
    Call("vera", "GET", "config/schema"),
    Call("greta", "POST", "config/plan", CONFIG, ConfigBody),
    Call("greta", "POST", "config/apply", CONFIG, ConfigBody),
    Call("vera", "GET", "me"),
]
PUBLIC = {"evidence/keys", "healthz", "readyz", "schema"}
NEEDS_A_QUERY = {"evidence/score"}
NEEDS_A_CONDITION = {"config/apply"}
SIGNED_IN = {("PATCH", "me")}
"""What no token does."""
TAKES_DOCUMENTS = {"evidence", "feeds"}
WRITES = [call for call in CALLS if call.body is not None]
LISTS = [call for call in CALLS if call.method == "GET"]


@lru_cache
def documented(method: str, path: str) -> dict[str, Any]:
    """The operation's answers by status, for a path as it stands in CALLS."""
    wanted = [
        part if not part.startswith("{") else None
        for part in path.replace("backup", "{gate}").replace("hours", "{gate}").split("/")
    ]
    for template, item in openapi("stellapromote.urls")["paths"].items():
        parts = template.removeprefix("/api/v1/").split("/")
        fits = len(parts) == len(wanted) and all(w in (None, p) for w, p in zip(wanted, parts, strict=True))
        if fits and method.lower() in item and ("{" in template) == (None in wanted):
            return dict(item[method.lower()]["responses"])
    raise LookupError(f"{method} {path}")
