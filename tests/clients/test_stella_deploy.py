"""stella deploy runs COMMAND once, and the deployment ends in a true state, whatever dies in between."""

import json
import os
import pty
from pathlib import Path

import pytest

from promotions.models import Deployment, Promotion
from tests.clients.deploying import RUN, Command, approve, killed, state
from tests.clients.relay import Relay, reports
from tests.clients.stella import Ran, Stella, until
from tests.factories import make_freeze
from tests.promotions.api.world import World


class TestOneRun:
    def test_it_waits_runs_and_reports(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.waiting()
        running = stella.begin("deploy", str(promotion.number), *RUN, "--json", *command())
        until(lambda: running.stderr is not None and "awaiting_approval" in running.stderr.readline())
        approve(world, promotion)
        out, _ = running.communicate(timeout=60)
        told = json.loads(out)
        assert running.returncode == 0
        assert (told["outcome"], told["runId"], told["commandExitCode"]) == ("deployed", "ci-7", 0)
        assert (command.times, state(promotion)) == (1, "deployed")
        assert [each.run_id for each in Deployment.objects.filter(promotion=promotion)] == ["ci-7", "ci-7"]

    def test_a_command_that_fails_is_reported_with_its_code(
        self, world: World, stella: Stella, command: Command
    ) -> None:
        promotion = world.approved()
        ran = stella("deploy", str(promotion.number), *RUN, "--json", *command(code=7))
        assert (ran.code, ran.json["commandExitCode"], state(promotion)) == (1, 7, "failed")
        assert promotion.status_detail == "COMMAND ended with exit code 7."

    def test_another_run_tries_a_failed_one_again_and_the_same_run_does_not(
        self, world: World, stella: Stella, command: Command
    ) -> None:
        promotion = world.approved()
        stella("deploy", str(promotion.number), *RUN, *command(code=7))
        same = stella("deploy", str(promotion.number), *RUN, *command())
        assert (same.code, command.times) == (1, 1)
        assert "Run ci-7 deployed" in same.err
        other = stella("deploy", str(promotion.number), "--run-id", "ci-8", *command())
        assert (other.code, command.times, state(promotion)) == (0, 2, "deployed")

    def test_the_run_is_that_of_the_ci_job(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.approved()
        job = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "deploy"}
        ran = stella("deploy", str(promotion.number), *command(), **job, GITHUB_REPOSITORY="acme/shop")
        assert ran.code == 0, ran.err
        started = Deployment.objects.get(promotion=promotion, status="started")
        assert started.run_id == "github-7-2-deploy"
        assert started.url == "https://github.com/acme/shop/actions/runs/7"

    def test_the_command_is_told_what_to_deploy_and_not_the_token(
        self, world: World, stella: Stella, tmp_path: Path
    ) -> None:
        def environment_of(*options: str) -> dict[str, str]:
            promotion = world.approved()
            ran = stella("deploy", str(promotion.number), *options, "--", "sh", "-c", f"env > {tmp_path}/env")
            assert ran.code == 0, ran.err
            told = dict(line.partition("=")[::2] for line in (tmp_path / "env").read_text().splitlines())
            assert told["STELLA_PROMOTION_ID"] == str(promotion.pk)
            assert told["STELLA_MANIFEST_DIGEST"] == promotion.manifest_digest
            assert told["STELLA_ENVIRONMENT"] == "production"
            return told

        assert stella.token not in environment_of().values()
        assert environment_of("--pass-token")["STELLA_TOKEN"] == stella.token

    def test_nothing_is_started_for_a_command_that_is_not_there(self, world: World, stella: Stella) -> None:
        promotion = world.approved()
        ran = stella("deploy", str(promotion.number), "--", "no-such-program")
        assert (ran.code, state(promotion)) == (2, "approved")

    def test_a_rejected_one_runs_nothing(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.waiting()
        world.nia.ok("POST", f"promotions/{promotion.pk}/reject", {"reason": "It is slow"})
        assert (stella("deploy", str(promotion.number), *command()).code, command.times) == (1, 0)

    def test_the_time_is_up(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.waiting()
        ran = stella("deploy", str(promotion.number), "--timeout", "3s", *command())
        assert (ran.code, command.times, state(promotion)) == (4, 0, "awaiting_approval")

    def test_a_freeze_that_began_makes_it_wait(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.approved()
        production = world.environments["production"]
        make_freeze(world.greta.actor, production, "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
        ran = stella("deploy", str(promotion.number), "--timeout", "6s", *command())
        assert (ran.code, command.times, state(promotion)) == (4, 0, "pending")

    def test_it_waits_for_another_deployment_of_the_product(
        self, world: World, stella: Stella, command: Command
    ) -> None:
        first, second = (world.requested(world.release(), "dev") for _ in range(2))
        world.ci.ok("POST", f"promotions/{first.pk}/deployment", {"status": "started"})
        running = stella.begin("deploy", str(second.number), *RUN, *command())
        assert running.stderr is not None
        until(lambda: "is being deployed there" in running.stderr.readline())  # type: ignore[union-attr]
        world.ci.ok("POST", f"promotions/{first.pk}/deployment", {"status": "succeeded"})
        running.communicate(timeout=60)
        assert (running.returncode, command.times, state(second)) == (0, 1, "deployed")


class TestRaces:
    @pytest.mark.parametrize("runs", [("ci-1", "ci-2", "ci-3", "ci-4"), ("ci-1",) * 4], ids=["other runs", "one run"])
    def test_exactly_one_command_runs(
        self, world: World, stella: Stella, command: Command, runs: tuple[str, ...]
    ) -> None:
        promotion = world.approved()
        racing = [stella.begin("deploy", str(promotion.number), "--run-id", run, *command(seconds=6)) for run in runs]
        for each in racing:
            each.communicate(timeout=90)
        assert sorted(each.returncode for each in racing) == [0, 5, 5, 5]
        assert (command.times, state(promotion)) == (1, "deployed")

    def test_the_run_that_deploys_is_named_to_another(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.approved()
        world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": "started", "runId": "ci-1"})
        ran = stella("deploy", str(promotion.number), *RUN, *command())
        assert (ran.code, command.times) == (5, 0)
        assert f"Run ci-1 deploys #{promotion.number}" in ran.err
        assert f"stella deploy {promotion.pk} --run-id ci-1 --report failed" in ran.err


class TestKilled:
    """kill -9 at each step; the same run is called again."""

    def test_while_it_waits(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.waiting()
        running = stella.begin("deploy", str(promotion.number), *RUN, *command())
        until(lambda: running.stderr is not None and "awaiting_approval" in running.stderr.readline())
        killed(running)
        approve(world, promotion)
        assert stella("deploy", str(promotion.number), *RUN, *command()).code == 0
        assert (command.times, state(promotion)) == (1, "deployed")

    def test_before_the_start_arrives(
        self, world: World, stella: Stella, behind: Stella, relay: Relay, command: Command
    ) -> None:
        promotion = world.approved()
        relay.hold(reports("started"))
        running = behind.begin("deploy", str(promotion.number), *RUN, *command())
        assert relay.reached.wait(30)
        killed(running)
        assert (command.times, state(promotion)) == (0, "approved")
        assert stella("deploy", str(promotion.number), *RUN, *command()).code == 0
        assert (command.times, state(promotion)) == (1, "deployed")

    def test_before_the_answer_to_the_start(
        self, world: World, stella: Stella, behind: Stella, relay: Relay, command: Command
    ) -> None:
        promotion = world.approved()
        relay.hold_answer(reports("started"))
        running = behind.begin("deploy", str(promotion.number), *RUN, *command())
        assert relay.reached.wait(30)
        killed(running)
        again = stella("deploy", str(promotion.number), *RUN, *command())
        assert (again.code, command.times, state(promotion)) == (5, 0, "deploying")
        assert f"stella deploy {promotion.pk} --run-id ci-7 --report succeeded, or failed" in again.err
        assert stella("deploy", str(promotion.number), *RUN, "--report", "failed").code == 0
        assert (command.times, state(promotion)) == (0, "failed")

    def test_while_the_command_runs(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.approved()
        running = stella.begin("deploy", str(promotion.number), *RUN, *command(seconds=3))
        until(lambda: command.times)
        running.kill()
        again = stella("deploy", str(promotion.number), *RUN, *command())
        assert (again.code, state(promotion)) == (5, "deploying")
        until(lambda: "ended" in command.lines)  # it went on without stella
        running.communicate(timeout=30)
        assert stella("deploy", str(promotion.number), *RUN, "--report", "succeeded").code == 0
        assert (command.times, state(promotion)) == (1, "deployed")

    def test_before_the_end_arrives(
        self, world: World, stella: Stella, behind: Stella, relay: Relay, command: Command
    ) -> None:
        promotion = world.approved()
        relay.hold(reports("succeeded"))
        running = behind.begin("deploy", str(promotion.number), *RUN, *command())
        assert relay.reached.wait(30)
        killed(running)
        assert stella("deploy", str(promotion.number), *RUN, *command()).code == 5
        assert (command.times, state(promotion)) == (1, "deploying")
        assert stella("deploy", str(promotion.number), *RUN, "--report", "succeeded").code == 0
        assert (command.times, state(promotion)) == (1, "deployed")

    def test_before_the_answer_to_the_end(
        self, world: World, stella: Stella, behind: Stella, relay: Relay, command: Command
    ) -> None:
        promotion = world.approved()
        relay.hold_answer(reports("succeeded"))
        running = behind.begin("deploy", str(promotion.number), *RUN, *command())
        assert relay.reached.wait(30)
        killed(running)
        again = stella("deploy", str(promotion.number), *RUN, "--json", *command())
        assert (again.code, again.json["outcome"], again.json["commandExitCode"]) == (0, "deployed", None)
        assert (command.times, state(promotion)) == (1, "deployed")

    def test_another_run_does_not_end_what_was_lost(self, world: World, stella: Stella) -> None:
        promotion = world.approved()
        world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": "started", "runId": "ci-1"})
        ran = stella("deploy", str(promotion.number), *RUN, "--report", "succeeded", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (3, "RES_STATE_CONFLICT")
        assert state(promotion) == "deploying"


class TestResume:
    @pytest.fixture
    def lost(self, world: World) -> Promotion:
        """Started by ci-7, which is gone."""
        promotion = world.approved()
        world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": "started", "runId": "ci-7"})
        return promotion

    def resume(self, stella: Stella, promotion: Promotion, command: Command, answer: str) -> Ran:
        terminal, far_end = pty.openpty()
        os.write(terminal, f"{answer}\n".encode())
        try:
            with os.fdopen(far_end, "rb", buffering=0) as stdin:
                return stella("deploy", str(promotion.number), *RUN, "--resume", *command(), stdin=stdin)
        finally:
            os.close(terminal)

    def test_a_person_says_yes(self, stella: Stella, lost: Promotion, command: Command) -> None:
        ran = self.resume(stella, lost, command, "y")
        assert (ran.code, command.times, state(lost)) == (0, 1, "deployed")
        assert "may run still. Run it again?" in ran.err

    @pytest.mark.parametrize("answer", ["n", ""])
    def test_a_person_says_no(self, stella: Stella, lost: Promotion, command: Command, answer: str) -> None:
        assert self.resume(stella, lost, command, answer).code == 5
        assert (command.times, state(lost)) == (0, "deploying")

    def test_nobody_is_there_to_answer(self, stella: Stella, lost: Promotion, command: Command) -> None:
        assert stella("deploy", str(lost.number), *RUN, "--resume", *command()).code == 2
        assert (command.times, state(lost)) == (0, "deploying")

    def test_another_run_has_nothing_to_resume(self, stella: Stella, lost: Promotion, command: Command) -> None:
        ran = stella("deploy", str(lost.number), "--run-id", "ci-8", "--resume", *command())
        assert (ran.code, command.times) == (5, 0)
