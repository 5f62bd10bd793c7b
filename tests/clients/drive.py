"""The main job by the client that openapi-python-client made: run in the generator's own Python, not by pytest.

Usage: drive.py FOLDER_OF_THE_CLIENT ADDRESS, with {name: token} and the artifact's digest as JSON on standard input.
Prints what the server answered, as JSON.
"""

import json
import sys
from io import BytesIO

sys.path.insert(0, sys.argv[1])

from stella_client import AuthenticatedClient
from stella_client.api.environments import (
    environments_freeze_windows_create,
    environments_freeze_windows_destroy,
    environments_freeze_windows_patch,
    environments_list,
)
from stella_client.api.evidence_inputs import evidence_create, evidence_score_get
from stella_client.api.promotions import (
    promotions_approve_post,
    promotions_create,
    promotions_deployment_post,
    promotions_gates_get,
    promotions_list,
    promotions_retrieve,
)
from stella_client.api.releases import releases_create, releases_list
from stella_client.models import (
    Approval,
    ComponentBody,
    DeploymentReport,
    DeploymentReportStatus,
    FreezeWindowBody,
    NewEvidence,
    NewEvidenceDocumentType0,
    NewEvidenceForm,
    NewEvidenceFormKind,
    NewEvidenceKind,
    NewPromotion,
    NewRelease,
    PatchedFreezeWindowBody,
)
from stella_client.types import File

given = json.load(sys.stdin)
callers = {
    name: AuthenticatedClient(base_url=sys.argv[2], token=token, raise_on_unexpected_status=True)
    for name, token in given["tokens"].items()
}
ravi, tomas, nia, mei, ci, greta = (callers[name] for name in ("ravi", "tomas", "nia", "mei", "ci", "greta"))
artifact, trivy = given["artifact"], given["trivy"]

release = releases_create.sync(
    client=ravi,
    body=NewRelease(
        name="2026.48.1",
        finalize=True,
        components=[ComponentBody(name="app", image_repository="registry.example/app", digest=artifact)],
    ),
)
file = File(payload=BytesIO(json.dumps(trivy).encode()), file_name="trivy.json", mime_type="application/json")
form = NewEvidenceForm(artifact_digest=artifact, kind=NewEvidenceFormKind.VULNERABILITIES, document=file)
uploaded = evidence_create.sync(client=tomas, body=form)
again = evidence_create.sync(
    client=tomas,
    body=NewEvidence(
        artifact_digest=artifact,
        kind=NewEvidenceKind.VULNERABILITIES,
        document=NewEvidenceDocumentType0.from_dict({**trivy, "CreatedAt": "2026-11-29T00:00:00Z"}),
    ),
)
environments = {each.name: each for each in environments_list.sync(client=tomas)}


def deploy(target: str) -> str:
    asked = promotions_create.sync(
        client=tomas, body=NewPromotion(release_id=release.id, target_environment=target, reason="The next version")
    )
    for voter in {"dev": [], "staging": [nia], "production": [nia, mei]}[target]:
        promotions_approve_post.sync(
            asked.id, client=voter, body=Approval(subject_digest=asked.subject_digest, comment="Looked at it")
        )
    started = DeploymentReport(status=DeploymentReportStatus.STARTED, url="https://ci.example/1")
    promotions_deployment_post.sync(asked.id, client=ci, body=started)
    done = promotions_deployment_post.sync(
        asked.id, client=ci, body=DeploymentReport(status=DeploymentReportStatus.SUCCEEDED)
    )
    assert done.attempt == 1
    assert done.started_at <= done.completed_at
    return done.status.value


statuses = {name: deploy(name) for name in ("dev", "staging", "production")}
production = environments["production"].id
window = environments_freeze_windows_create.sync(
    production,
    client=greta,
    body=FreezeWindowBody(start="2090-12-24T00:00:00Z", end="2090-12-27T00:00:00Z", reason="Nobody is here"),
)
changed = environments_freeze_windows_patch.sync(
    production, window.id, client=greta, body=PatchedFreezeWindowBody(reason="Nobody is there")
)
cleared = environments_freeze_windows_destroy.sync(production, window.id, client=greta, reason="It was called off")
page = promotions_list.sync(client=tomas, page_size=2)
following = promotions_list.sync(client=tomas, page_size=2, cursor="")
whole = promotions_retrieve.sync(page.data[0].id, client=tomas)
refused = releases_create.sync(client=nia, body=NewRelease(name="2026.48.2"))

print(
    json.dumps(
        {
            "statuses": statuses,
            "uploaded": [uploaded.kind.value, uploaded.summary["findings"], again.format_],
            "score": evidence_score_get.sync(client=tomas, artifact_id=artifact).evidence_score,
            "freeze": [changed.reason, cleared.clear_reason],
            "page": [len(page.data), page.meta.total_count, following.meta.next_cursor is not None],
            "verdict": whole.decision_record.decision.value,
            "gates": [each.type_ for each in promotions_gates_get.sync(whole.id, client=tomas).data],
            "releases": [each.name for each in releases_list.sync(client=tomas).data],
            "refused": refused.error.code,
        }
    )
)
