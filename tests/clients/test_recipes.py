"""The pipelines of clients/recipes, run against a server: from a tag to a deployment that a person approved.

Docker, Trivy and the package manager are stand-ins; curl, openssl, jq and `stella` are real. dan administers, olga
owns the machine that requests, sam the machine that scans, ann approves.
"""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from promotions.models import Deployment, EvidenceDocument, Promotion, Release, TrustedKey
from stellapromote.accounts.models import User
from tests import factories
from tests.clients.pipelines import PIPELINE, RECIPES, SCANNER, TAG, Failed, GitHub, GitLab, Shell, Site, read_yaml
from tests.clients.stella import PROGRAM
from tests.database import CommittedDatabase
from tests.promotions.api.world import Caller

pytestmark = pytest.mark.skipif(
    not all(shutil.which(each) for each in ("bash", "curl", "git", "jq", "openssl", "sha256sum")),
    reason="needs bash, curl, git, jq, openssl and sha256sum",
)
Pipeline = GitHub | GitLab | Shell
ALL = pytest.mark.parametrize("service", [GitHub, GitLab, Shell])


@dataclass(frozen=True)
class Shop:
    """A tenant whose production takes one approval, and a scan that sam vouches for."""

    dan: Caller
    ann: Caller
    site: Site

    @property
    def tokens(self) -> list[str]:
        return [self.site.settings[each]["STELLA_TOKEN"] for each in ("pipeline", "scanner")]


def new_key() -> tuple[str, str]:
    """A private key and its public one."""
    key = ec.generate_private_key(ec.SECP256R1())
    encodings = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.private_bytes(*encodings).decode(), public.decode()


@pytest.fixture
def shop(live_server_url: str, committed_db: CommittedDatabase, tmp_path: Path) -> Shop:
    tenant = factories.make_ready_tenant("shop")
    people = {
        name: factories.make_person(tenant, name, roles=[role])
        for name, role in (("dan", "admin"), ("ann", "approver"), ("olga", "operator"), ("sam", "viewer"))
    }
    dan, ann = (Caller(people[name], tenant, factories.make_token(tenant, people[name])) for name in ("dan", "ann"))
    ci = factories.make_service(tenant, people["olga"], "ci", scopes=PIPELINE)
    scanner = factories.make_service(tenant, people["sam"], "scanner", scopes=SCANNER)
    private, public = new_key()
    dan.ok("POST", "trusted-keys", {"name": "scan-job", "pem": public}, status=201)
    config = {"trustedUploaders": ["sam"], "rules": {"release-aggregate-cve": {"maxCritical": 0}}}
    gates = [{"kind": "security", "name": "cve", "config": config}]
    factories.make_promotion_policy(dan.actor, "scanned", gates=gates)
    dan.ok(
        "POST",
        "environments",
        {
            "name": "production",
            "displayName": "Production",
            "orderIndex": 1,
            "requiredApprovals": 1,
            "promotionPolicy": "scanned",
            "requireManifestReport": True,
        },
        status=201,
    )
    site = Site(
        tmp_path,
        {
            "": {
                "STELLA_URL": live_server_url,
                "STELLA_SHA256": sha256(PROGRAM.read_bytes()).hexdigest(),
                "IMAGE": "ghcr.io/acme/shop",
            },
            "pipeline": {"STELLA_TOKEN": factories.make_token(tenant, ci.user)},
            "scanner": {"STELLA_TOKEN": factories.make_token(tenant, scanner.user), "SCAN_KEY": private},
        },
    )
    return Shop(dan, ann, site)


def requested(shop: Shop, service: type[Pipeline]) -> tuple[Pipeline, str, Promotion]:
    """All jobs but the last have run: the pipeline, the name of its last job, the promotion."""
    pipeline = service(shop.site)
    *first, last = pipeline.jobs
    for job in first:
        pipeline.run(job)
    return pipeline, last, Promotion.objects.get()


def until(found: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not found():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.05)


@ALL
@pytest.mark.slow
def test_a_tag_is_scanned_and_deployed_once_a_person_approves(shop: Shop, service: type[Pipeline]) -> None:
    pipeline, deploy, promotion = requested(shop, service)
    digest = Release.objects.get(name=TAG).components.get().digest
    check_scan(shop, digest)
    with ThreadPoolExecutor(1) as pool:
        deploying = pool.submit(pipeline.run, deploy)
        until(lambda: deploy in shop.site.logs and "awaiting_approval" in read(shop.site.logs[deploy]))
        assert not shop.site.deployed.exists()
        shop.ann.ok("POST", f"promotions/{promotion.pk}/approve", {})
        deploying.result(timeout=60)
    promotion.refresh_from_db()
    assert promotion.status == "deployed"
    assert shop.site.deployed.read_text() == f"{TAG} ghcr.io/acme/shop@{digest}\n"
    run = {GitHub: "github-77-1-deploy", GitLab: "gitlab-77-stella-deploy", Shell: "jenkins-shop-77"}[service]
    reports = Deployment.objects.filter(promotion=promotion).order_by("reported_at")
    assert list(reports.values_list("run_id", "status")) == [(run, "started"), (run, "succeeded")]
    check_logs(shop, promotion)


def check_scan(shop: Shop, digest: str) -> None:
    """It is signed, and comes from the second identity."""
    documents = EvidenceDocument.objects.order_by("kind")
    assert list(documents.values_list("kind", "artifact_digest", "uploaded_by_username", "signer")) == [
        ("sbom", digest, "shop.scanner", ""),
        ("vulnerabilities", digest, "shop.scanner", TrustedKey.objects.get().key_id),
    ]
    scan = next(job for job in shop.site.logs if "scan" in job)
    assert "scan.dsse.json: by sam. " in read(shop.site.logs[scan])


def check_logs(shop: Shop, promotion: Promotion) -> None:
    """None has a secret."""
    said = "".join(map(read, shop.site.logs.values()))
    secrets = [*shop.tokens, shop.site.settings["scanner"]["SCAN_KEY"].splitlines()[1], "registry-password"]
    assert f"#{promotion.number} {TAG} to production" in said
    assert [each for each in secrets if each in said] == []


@ALL
@pytest.mark.slow
def test_a_scan_by_the_requester_does_not_count(shop: Shop, service: type[Pipeline]) -> None:
    olga = User.objects.get(username="olga")
    machine = factories.make_service(shop.dan.tenant, olga, "other", scopes=["evidence:write"])
    shop.site.settings["scanner"]["STELLA_TOKEN"] = factories.make_token(shop.dan.tenant, machine.user)
    _, _, promotion = requested(shop, service)
    gates = shop.dan.get(f"promotions/{promotion.pk}/gates")["data"]
    [scanned] = [each for each in gates if each["name"] == "cve"]
    assert (scanned["status"], scanned["reasonCodes"]) == ("pending", ["SECURITY_REPORT_UNTRUSTED"])


@ALL
@pytest.mark.slow
def test_a_scan_by_an_unknown_key_ends_the_pipeline_and_says_so(shop: Shop, service: type[Pipeline]) -> None:
    shop.site.settings["scanner"]["SCAN_KEY"] = new_key()[0]
    pipeline = service(shop.site)
    build, scan, *_ = pipeline.jobs
    pipeline.run(build)
    with pytest.raises(Failed, match="No trusted key signed the scan: trust"):
        pipeline.run(scan)


@pytest.mark.parametrize("service", [GitHub, GitLab])
@pytest.mark.slow
@pytest.mark.parametrize("known", ["0" * 64, ""], ids=["other", "none"])
def test_another_program_than_the_known_one_does_not_run(shop: Shop, service: type[Pipeline], known: str) -> None:
    shop.site.settings[""]["STELLA_SHA256"] = known
    pipeline = service(shop.site)
    with pytest.raises(Failed, match="sha256sum"):
        pipeline.run(pipeline.jobs[0])
    assert not Release.objects.exists()


@ALL
@pytest.mark.slow
def test_another_image_than_the_approved_one_is_not_deployed(shop: Shop, service: type[Pipeline]) -> None:
    pipeline, deploy, promotion = requested(shop, service)
    shop.ann.ok("POST", f"promotions/{promotion.pk}/approve", {})
    other = f"sha256:{'0' * 64}"
    if isinstance(pipeline, GitHub):
        pipeline.outputs["build"]["outputs"]["manifest"] = other
    elif isinstance(pipeline, GitLab):
        pipeline.reports["stella-build"]["MANIFEST"] = other
    else:
        with (pipeline.place / "checkout" / "build.env").open("a") as file:
            file.write(f"MANIFEST={other}\n")
    with pytest.raises(Failed, match="manifest"):
        pipeline.run(deploy)
    assert not shop.site.deployed.exists()


def read(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def scripts() -> Iterator[tuple[str, str]]:
    """Each shell text of the YAML files, with its file."""
    for path in sorted(RECIPES.rglob("*.y*ml")):
        for text in shell_of(read_yaml(path)):
            yield path.name, text


def shell_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name in ("run", "script", "before_script"):
                yield from [part] if isinstance(part, str) else part
            else:
                yield from shell_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from shell_of(part)


SECRET = r'"?\$\{?(?:STELLA_TOKEN|SCAN_KEY|(?:CI_)?REGISTRY_PASSWORD)\b'


def test_no_secret_stands_in_a_command_line() -> None:
    """A shell's own `echo`, `export` and here-strings start no process whose arguments others could list."""
    found = list(scripts())
    assert {name for name, _ in found} == {"action.yml", "promote.yml", "stella.gitlab-ci.yml"}
    safe = re.compile(rf"<<<{SECRET}|^echo {SECRET}\"? \||^export .*{SECRET}")
    lines = [(name, line) for name, text in found for line in text.splitlines() if re.search(SECRET, line)]
    assert len(lines) == 3
    assert [each for each in lines if not safe.search(each[1])] == []


def test_a_shell_text_has_no_expression_of_github() -> None:
    """A name of a tag with quotes in it would be run."""
    assert [text for _, text in scripts() if "${{" in text] == []


def test_every_action_of_others_is_pinned_by_commit() -> None:
    workflow = read_yaml(RECIPES / "github/.github/workflows/promote.yml")
    used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    others = [each for each in used if not each.startswith("./")]
    assert others
    assert [each for each in others if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each)] == []
