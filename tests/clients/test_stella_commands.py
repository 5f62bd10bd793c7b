"""Each command of stella against a running server: what it does, its exit code, its JSON."""

import json
import os
import pty
import re
import subprocess
import time
from pathlib import Path

import pytest
from django.conf import settings

from promotions.models import EvidenceDocument, Feed, Promotion, Release
from tests.clients.stella import Ran, by, published, typed, until
from tests.promotions.api.world import World

DIGEST = "sha256:" + "a" * 64


class TestRelease:
    def test_create_finalizes_images_by_digest(self, world: World, url: str) -> None:
        ran = by(world, url, "ravi")(
            *(
                "release",
                "create",
                "1.4.0",
                "--component",
                f"app=ghcr.io/acme/shop:1.4@{DIGEST}",
                "--finalize",
                "--json",
            )
        )
        release = Release.objects.get(name="1.4.0")
        assert ran.code == 0, ran.err
        assert ran.json["release"]["manifestDigest"] == release.manifest_digest != ""
        assert ran.json["url"] == f"{url}/releases/{release.pk}"
        component = release.components.get()
        assert (component.image_repository, component.tag, component.digest) == ("ghcr.io/acme/shop", "1.4", DIGEST)

    def test_a_tag_alone_is_refused(self, world: World, url: str) -> None:
        ran = by(world, url, "ravi")("release", "create", "1.4.0", "--component", "app=ghcr.io/acme/shop:1.4")
        assert ran.code == 2
        assert ran.err == (
            "stella: ghcr.io/acme/shop:1.4 has no digest, and a tag decides nothing. Write IMAGE@sha256:…, or add "
            "--resolve to ask the registry.\n"
        )
        assert not Release.objects.exists()

    def test_the_source_is_that_of_the_checkout(self, world: World, url: str, tmp_path: Path) -> None:
        def git(*arguments: str) -> str:
            who = ["-c", "user.name=Ravi", "-c", f"user.email={arguments[-1]}"] if arguments[0] == "commit" else []
            command = ["git", *who, *(arguments[:-1] if who else arguments)]
            return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

        git("init", "-q", "-b", "trunk")
        git("remote", "add", "origin", "https://ravi:secret@git.example/acme/shop.git")
        for who in ("old@acme.example", "ravi@acme.example", "mei@acme.example"):
            git("commit", "-q", "--allow-empty", "-m", "Change", who)
        stella = by(world, url, "ravi")
        script = f'cd {tmp_path} && exec "$@"'
        command = stella.command(
            *("release", "create", "1.4.0", "--component", f"app=ghcr.io/acme/shop@{DIGEST}"),
            *("--source-from-git", "--since", "HEAD~2", "--json"),
        )
        done = subprocess.run(
            ["sh", "-c", script, "sh", *command], env=stella.environment(), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["release"]["sourceRef"] == {
            "repository": "https://git.example/acme/shop.git",
            "commitSha": git("rev-parse", "HEAD"),
            "branch": "trunk",
            "buildId": None,
            "pipelineUrl": None,
            "authors": ["mei@acme.example", "ravi@acme.example"],
        }


SCAN = {
    "SchemaVersion": 2,
    "ArtifactName": "shop/app",
    "Metadata": {"RepoDigests": [f"shop/app@{DIGEST}"]},
    "Results": [{"Target": "Python", "Class": "lang-pkgs", "Type": "python-pkg", "Vulnerabilities": []}],
}
SBOM = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "version": 1,
    "components": [{"type": "library", "name": "left-pad", "version": "1", "purl": "pkg:npm/left-pad@1"}],
}


class TestEvidence:
    def test_the_kind_of_each_file_is_found(self, world: World, url: str, tmp_path: Path) -> None:
        for name, document in (("scan.json", SCAN), ("sbom.json", SBOM)):
            (tmp_path / name).write_text(json.dumps(document))
        files = [str(tmp_path / name) for name in ("scan.json", "sbom.json")]
        ran = by(world, url, "ravi")("evidence", "upload", *files, "--artifact", DIGEST, "--wait", "--json")
        assert ran.code == 0, ran.err
        assert [(each["kind"], each["format"]) for each in ran.json["documents"]] == [
            ("vulnerabilities", "trivy"),
            ("sbom", "cyclonedx"),
        ]
        assert EvidenceDocument.objects.count() == 2

    def test_what_cannot_be_told_is_asked_for(self, world: World, url: str, tmp_path: Path) -> None:
        (tmp_path / "other.json").write_text("{}")
        ran = by(world, url, "ravi")("evidence", "upload", str(tmp_path / "other.json"), "--artifact", DIGEST)
        assert ran.code == 2
        assert "Name it with --kind." in ran.err

    def test_a_wrong_document_is_refused_with_its_place(self, world: World, url: str, tmp_path: Path) -> None:
        (tmp_path / "scan.json").write_text(json.dumps({**SCAN, "SchemaVersion": 3}))
        ran = by(world, url, "ravi")("evidence", "upload", str(tmp_path / "scan.json"), "--artifact", DIGEST, "--json")
        assert (ran.code, ran.json["error"]["code"]) == (3, "EVD_INVALID_DOCUMENT")


KEV = {
    "catalogVersion": "2026.11.01",
    "count": 1,
    "vulnerabilities": [{"cveID": "CVE-2026-0001", "dateAdded": "2026-10-01"}],
}


class TestFeeds:
    def fetch(self, world: World, url: str, tmp_path: Path, released: str, *more: str) -> Ran:
        (tmp_path / "kev.json").write_text(json.dumps({**KEV, "dateReleased": released}))
        return by(world, url, "greta")("feeds", "fetch", str(tmp_path / "kev.json"), "--json", *more)

    def test_a_new_feed_is_brought_in(self, world: World, url: str, tmp_path: Path) -> None:
        ran = self.fetch(world, url, tmp_path, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600)))
        assert (ran.code, ran.json["old"], ran.json["ageDays"]) == (0, False, 0.0)
        assert Feed.objects.get().entry_count == 1

    def test_an_old_one_is_an_alarm(self, world: World, url: str, tmp_path: Path) -> None:
        released = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5 * 86400))
        ran = self.fetch(world, url, tmp_path, released)
        assert (ran.code, ran.json["old"]) == (1, True)
        assert "The kev feed is 5.0 days old." in ran.err
        assert self.fetch(world, url, tmp_path, released, "--max-age", "7d").code == 0

    def test_an_address_is_followed_without_the_token(self, world: World, url: str, tmp_path: Path) -> None:
        released = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
        catalogue = json.dumps({**KEV, "dateReleased": released}).encode()
        with published(catalogue) as (address, calls):
            ran = by(world, url, "greta")("feeds", "fetch", f"{address}/moved", "--json")
            assert (ran.code, ran.json["feed"]["entries"]) == (0, 1)
            assert [call.path for call in calls] == ["/moved", "/kev.json"]
            assert not any("Authorization" in call.headers for call in calls)
            elsewhere = by(world, url, "greta")("feeds", "fetch", f"{address}/elsewhere", "--json")
        assert (elsewhere.code, "http://feeds.example/kev.json is no https address." in elsewhere.err) == (2, True)

    def test_an_address_without_https_is_refused(self, world: World, url: str) -> None:
        ran = by(world, url, "greta")("feeds", "fetch", "http://feeds.example/kev.json")
        assert (ran.code, "is no https address" in ran.err) == (2, True)


class TestPromote:
    def test_a_request_shows_its_page_and_the_people_who_can_act(self, world: World, url: str) -> None:
        release = world.release()
        world.deployed(release, "dev", "staging")
        ran = by(world, url, "tomas")("promote", release.name, "--to", "production", "--reason", "It is ready")
        promotion = Promotion.objects.latest("number")
        assert ran.code == 0, ran.err
        first, second, *_ = ran.out.splitlines()
        told = "awaiting_approval, 0 of 2 approvals, blocked by approval"
        assert first == f"#{promotion.number} {release.name} to production: {told}"
        assert second == f"  {url}/promotions/{promotion.pk}"
        assert "can act: mei, nia" in ran.out

    def test_a_second_request_is_shown_the_first(self, world: World, url: str) -> None:
        promotion = world.waiting()
        ran = by(world, url, "tomas")(
            "promote", promotion.release.name, "--to", "production", "--reason", "Again", "--json"
        )
        assert (ran.code, ran.json["error"]["code"]) == (3, "RES_DUPLICATE")
        assert ran.json["error"]["next"] == f"Use the one that is there: stella wait {promotion.pk}"

    def test_with_wait_it_ends_with_the_decision(self, world: World, url: str) -> None:
        release = world.release()
        world.deployed(release, "dev")
        running = by(world, url, "tomas").begin(
            *("promote", release.name, "--to", "staging", "--reason", "It is ready", "--wait", "--json")
        )
        promotion = until(lambda: Promotion.objects.filter(status="awaiting_approval").first())
        world.nia.ok("POST", f"promotions/{promotion.pk}/approve", {})
        out, _ = running.communicate(timeout=30)
        assert running.returncode == 0
        assert (json.loads(out)["outcome"], json.loads(out)["promotion"]["status"]) == ("reached", "approved")


class TestWait:
    def test_each_change_is_printed_once(self, world: World, url: str) -> None:
        promotion = world.waiting()
        running = by(world, url, "vera").begin("wait", f"#{promotion.number}")
        assert running.stderr is not None
        lines = [running.stderr.readline()]
        for name in ("nia", "mei"):
            world.people[name].ok("POST", f"promotions/{promotion.pk}/approve", {})
            lines.append(running.stderr.readline())
        _, rest = running.communicate(timeout=30)
        assert (running.returncode, rest) == (0, "")
        shown = [line.partition("production: ")[2].rstrip() for line in lines]
        assert shown == [
            "awaiting_approval, 0 of 2 approvals, blocked by approval",
            "awaiting_approval, 1 of 2 approvals, blocked by approval",
            "approved, 2 of 2 approvals",
        ]

    @pytest.mark.parametrize("goal", ["approved", "deployed", "final"])
    def test_what_is_deployed_has_reached_every_goal(self, world: World, url: str, goal: str) -> None:
        world.deployed(world.release(), "dev")
        assert by(world, url, "vera")("wait", "1", "--for", goal).code == 0

    @pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
    def test_colour_and_the_line_that_waits_are_for_terminals(
        self, world: World, url: str, env: dict[str, str], coloured: bool
    ) -> None:
        promotion = world.waiting()
        vera = by(world, url, "vera")
        command = vera.command("wait", str(promotion.number), "--timeout", "3s")
        terminal, far_end = pty.openpty()
        done = subprocess.run(
            command, env=vera.environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=far_end
        )
        os.close(far_end)
        shown = os.read(terminal, 65536)
        os.close(terminal)
        assert b"waiting 0:0" in shown
        assert (b"\x1b[33mawaiting_approval\x1b[0m" in shown) is coloured
        assert b"\x1b" not in done.stdout
        assert "\x1b" not in vera("wait", str(promotion.number), "--timeout", "0").err

    @pytest.mark.parametrize("goal", ["approved", "deployed", "final"])
    def test_what_is_rejected_is_exit_code_1(self, world: World, url: str, goal: str) -> None:
        promotion = world.waiting()
        world.nia.ok("POST", f"promotions/{promotion.pk}/reject", {"reason": "It is slow"})
        ran = by(world, url, "vera")("wait", str(promotion.pk), "--for", goal, "--json")
        assert (ran.code, ran.json["outcome"], ran.json["promotion"]["status"]) == (1, "ended", "rejected")

    def test_a_failed_one_is_final_only_without_another_attempt(self, world: World, url: str) -> None:
        promotion = world.approved()
        report(world, promotion, "started")
        report(world, promotion, "failed")
        vera = by(world, url, "vera")
        assert vera("wait", str(promotion.pk), "--for", "deployed").code == 1
        assert vera("wait", str(promotion.pk), "--for", "final", "--timeout", "1s").code == 4
        world.nia.ok("POST", f"promotions/{promotion.pk}/reject", {"reason": "It is slow"})
        assert vera("wait", str(promotion.pk), "--for", "final").code == 1

    def test_the_request_stays_when_the_time_is_up(self, world: World, url: str) -> None:
        promotion = world.waiting()
        ran = by(world, url, "vera")("wait", str(promotion.pk), "--timeout", "3s", "--json")
        assert (ran.code, ran.json["outcome"]) == (4, "timeIsUp")
        promotion.refresh_from_db()
        assert promotion.status == "awaiting_approval"


def report(world: World, promotion: Promotion, status: str, **fields: str) -> None:
    world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": status, **fields})


class TestActs:
    def test_a_vote_is_for_what_was_shown(self, world: World, url: str) -> None:
        promotion = world.waiting()
        no = typed(by(world, url, "nia"), "n", "approve", str(promotion.number))
        assert (no.code, "no vote was given" in no.err) == (5, True)
        assert promotion.subject_digest in no.err
        yes = typed(by(world, url, "nia"), "y", "approve", str(promotion.number), "--comment", "Fine")
        assert yes.code == 0, yes.err
        assert promotion.votes.get().subject_digest == promotion.subject_digest

    def test_without_a_terminal_the_subject_is_named(self, world: World, url: str) -> None:
        promotion = world.waiting()
        nia = by(world, url, "nia")
        assert nia("approve", str(promotion.number)).code == 2
        other = nia("approve", str(promotion.number), "--subject", DIGEST, "--json")
        assert (other.code, other.json["error"]["code"]) == (3, "RES_SUBJECT_CHANGED")
        assert nia("approve", str(promotion.number), "--subject", promotion.subject_digest).code == 0

    def test_a_requester_is_refused(self, world: World, url: str) -> None:
        promotion = world.waiting()
        ran = by(world, url, "tomas")("approve", str(promotion.number), "--subject", promotion.subject_digest, "--json")
        assert (ran.code, ran.json["error"]["code"]) == (3, "PERM_SEPARATION_OF_DUTIES")

    def test_reject(self, world: World, url: str) -> None:
        promotion = world.waiting()
        ran = by(world, url, "nia")(
            *("reject", str(promotion.number), "--reason", "It is slow", "--subject", promotion.subject_digest)
        )
        assert ran.code == 0, ran.err
        promotion.refresh_from_db()
        assert (promotion.status, promotion.status_detail) == ("rejected", "Rejected by Nia: It is slow")

    def test_cancel(self, world: World, url: str) -> None:
        promotion = world.waiting()
        assert by(world, url, "tomas")("cancel", str(promotion.number), "--reason", "A mistake").code == 0
        promotion.refresh_from_db()
        assert promotion.status == "cancelled"

    def test_report_rolled_back(self, world: World, url: str) -> None:
        release = world.release()
        world.deployed(release, "dev")
        ci = by(world, url, "ci")
        refused = ci("report", "1", "rolled_back", "--json")
        assert (refused.code, refused.json["error"]["code"]) == (3, "VAL_INVALID")
        assert ci("report", "1", "rolled_back", "--reason", "It was slow").code == 0
        assert Promotion.objects.get().status == "rolled_back"

    def test_rollback_requests_the_release_before_the_current_one(self, world: World, url: str) -> None:
        for name in ("1.0", "1.1", "1.2"):
            world.deployed(world.release(name), "dev")
        tomas = by(world, url, "tomas")
        back = tomas("rollback", "--in", "dev", "--reason", "It fails", "--json")
        assert (back.code, back.json["promotion"]["releaseName"], back.json["promotion"]["isRollback"]) == (
            0,
            "1.1",
            True,
        )
        promotion = Promotion.objects.get(pk=back.json["promotion"]["id"])
        report(world, promotion, "started")
        report(world, promotion, "succeeded")
        further = tomas("rollback", "--in", "dev", "--reason", "It fails too", "--json")
        assert further.json["promotion"]["releaseName"] == "1.0"

    def test_without_an_earlier_release_there_is_no_rollback(self, world: World, url: str) -> None:
        world.deployed(world.release("1.0"), "dev")
        ran = by(world, url, "tomas")("rollback", "--in", "dev", "--reason", "It fails")
        assert (ran.code, "No release of main ran in dev before 1.0." in ran.err) == (3, True)


def documented() -> dict[str, set[str]]:
    """The members of the object of each command, as the page has them."""
    page = (settings.BASE_DIR / "docs" / "command-line.md").read_text()
    table = page.partition("| command | the object has |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()]
    return {
        command: set(re.findall(r"`(\w+)`", re.sub(r"\([^()]*(\([^()]*\)[^()]*)?\)", "", members)))
        for commands, members in rows
        for command in re.findall(r"`([^`]+)`", commands) or [commands]
    }


def test_the_json_of_each_command_is_as_documented(world: World, url: str, tmp_path: Path) -> None:
    release = world.release("1.0")
    world.deployed(release, "dev")
    world.deployed(world.release("1.1"), "dev")
    waiting = world.waiting("1.2")
    subject = waiting.subject_digest
    started = world.requested(world.release("1.3"), "dev")
    mistaken = world.requested(world.release("1.4"), "dev")
    (tmp_path / "scan.json").write_text(json.dumps(SCAN))
    (tmp_path / "kev.json").write_text(json.dumps({**KEV, "dateReleased": "2026-11-01T00:00:00Z"}))
    config = str(tmp_path / "config.yaml")
    soon = ("--timeout", "0")
    component = ("--component", f"app=ghcr.io/acme/shop@{DIGEST}")
    calls: list[tuple[str, str, tuple[str, ...]]] = [
        ("release create", "ravi", ("release", "create", "2.0", *component)),
        ("evidence upload", "ravi", ("evidence", "upload", str(tmp_path / "scan.json"), "--artifact", DIGEST)),
        ("promote", "tomas", ("promote", "1.0", "--to", "staging", "--reason", "It is ready")),
        (
            "promote --wait",
            "tomas",
            ("promote", "1.1", "--to", "staging", "--reason", "Next", "--wait", *soon),
        ),
        ("wait", "vera", ("wait", str(waiting.number), *soon)),
        ("why", "vera", ("why", str(waiting.number))),
        ("status PROMOTION", "vera", ("status", str(waiting.number))),
        ("status", "vera", ("status",)),
        ("list", "vera", ("list",)),
        ("open", "vera", ("open", str(waiting.number))),
        ("approve", "nia", ("approve", str(waiting.number), "--subject", subject)),
        ("reject", "mei", ("reject", str(waiting.number), "--subject", subject, "--reason", "It is slow")),
        ("deploy", "ci", ("deploy", str(started.number), "--", "true")),
        ("report", "ci", ("report", str(started.number), "rolled_back", "--reason", "It fails")),
        ("rollback", "tomas", ("rollback", "--in", "dev", "--reason", "It fails")),
        ("cancel", "tomas", ("cancel", str(mistaken.number))),
        ("feeds fetch", "greta", ("feeds", "fetch", str(tmp_path / "kev.json"))),
        ("config export FILE", "greta", ("config", "export", config)),
        ("config plan", "greta", ("config", "plan", config)),
        ("an error", "vera", ("why", "999")),
    ]
    told = documented()
    for command, name, arguments in calls:
        ran = by(world, url, name)("--json", *arguments)
        assert set(ran.json) == told.pop(command), (command, ran.out)
    greta = by(world, url, "greta")
    plan = greta("--json", "config", "plan", config).json["planId"]
    assert set(greta("--json", "config", "apply", config, "--plan", plan).json) == told.pop("config apply")
    assert set(told) == {"rollback --wait", "deploy --report"}  # as `wait`, and as `report`
