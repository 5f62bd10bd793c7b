"""stella deploy runs COMMAND once, and the deployment ends in a true state, whatever dies in between."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promotions.models import Deployment, Promotion
from tests.clients.relay import Relay, Seen, looks, relay, reports
from tests.clients.stella import Ran, Stella
from tests.database import CommittedDatabase
from tests.factories import make_freeze
from tests.live_server import free_port, served_at
from tests.promotions.api.world import World, make_world

__all__ = ["relay"]

RUN = ("--run-id", "ci-7")


@pytest.fixture
def world(live_server_url: str, committed_db: CommittedDatabase) -> World:
    return make_world()


@pytest.fixture
def stella(world: World, live_server_url: str) -> Stella:
    return Stella(live_server_url, world.ci.token)


@pytest.fixture
def behind(world: World, relay: Relay) -> Stella:
    """Behind the relay."""
    return Stella(relay.url, world.ci.token)


class Command:
    """A COMMAND that writes one line into a file when it begins, and one when it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, *, seconds: float = 0, code: int = 0) -> tuple[str, ...]:
        script = f'echo began >> "{self._path}"; sleep {seconds}; echo ended >> "{self._path}"; exit {code}'
        return ("--", "sh", "-c", script)

    @property
    def lines(self) -> list[str]:
        return self._path.read_text().split() if self._path.exists() else []

    @property
    def times(self) -> int:
        return self.lines.count("began")


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path / "command.txt")


def until(found: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if it := found():
            return it
        time.sleep(0.05)
    raise AssertionError("It did not happen in time.")


def state(promotion: Promotion) -> str:
    promotion.refresh_from_db()
    return promotion.status


def approve(world: World, promotion: Promotion) -> None:
    for name in ("nia", "mei"):
        world.people[name].ok("POST", f"promotions/{promotion.pk}/approve", {})


def killed(running: "subprocess.Popen[str]") -> None:
    running.kill()
    running.communicate(timeout=30)


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


class TestSignals:
    def test_sigterm_stops_the_command_and_reports_failed(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.approved()
        running = stella.begin("deploy", str(promotion.number), *RUN, *command(seconds=60))
        until(lambda: command.times)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
        assert (running.returncode, command.lines, state(promotion)) == (143, ["began"], "failed")
        assert promotion.status_detail == "COMMAND was stopped by SIGTERM."

    def test_a_command_that_does_not_stop_is_killed(self, world: World, stella: Stella, tmp_path: Path) -> None:
        promotion = world.approved()
        script = f'trap "" TERM; echo began > {tmp_path}/it; while :; do sleep 0.2; done'
        running = stella.begin("deploy", str(promotion.number), *RUN, "--grace", "2s", "--", "sh", "-c", script)
        until((tmp_path / "it").exists)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
        assert (running.returncode, state(promotion)) == (143, "failed")

    def test_a_terminal_interrupts_the_command_once(self, world: World, stella: Stella, tmp_path: Path) -> None:
        promotion = world.approved()
        told = tmp_path / "told"
        script = f'trap "echo interrupted >> {told}" INT; echo began >> {told}; sleep 1; sleep 1; exit 3'
        terminal, far_end = pty.openpty()
        running = subprocess.Popen(
            stella.command("deploy", str(promotion.number), *RUN, "--", "sh", "-c", script),
            env=stella.environment(),
            stdin=far_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        until(told.exists)
        os.write(terminal, b"\x03")
        assert running.wait(30) == 130
        os.close(terminal)
        os.close(far_end)
        assert state(promotion) == "failed"
        assert told.read_text().split() == ["began", "interrupted"]

    def test_a_hangup_that_nohup_ignores_stops_nothing(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.approved()
        deploying = stella.command("deploy", str(promotion.number), *RUN, *command(seconds=3))
        running = subprocess.Popen(
            ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *deploying], env=stella.environment(), stdin=subprocess.DEVNULL
        )
        until(lambda: command.times)
        running.send_signal(signal.SIGHUP)
        assert running.wait(30) == 0
        assert (command.times, state(promotion)) == (1, "deployed")

    def test_while_it_waits_nothing_is_reported(self, world: World, stella: Stella, command: Command) -> None:
        promotion = world.waiting()
        running = stella.begin("deploy", str(promotion.number), *RUN, *command())
        until(lambda: running.stderr is not None and "awaiting_approval" in running.stderr.readline())
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
        assert (running.returncode, command.times) == (143, 0)
        assert not Deployment.objects.filter(promotion=promotion).exists()

    def test_between_start_and_command_the_start_is_ended(
        self, world: World, behind: Stella, relay: Relay, command: Command
    ) -> None:
        promotion = world.approved()
        relay.answer_busy(reports("started"), once=False)
        relay.lose_answer(reports("started"))
        relay.rules.reverse()
        running = behind.begin("deploy", str(promotion.number), *RUN, *command())
        until(lambda: state(promotion) == "deploying")
        running.send_signal(signal.SIGTERM)
        relay.rules.clear()
        running.communicate(timeout=30)
        assert (running.returncode, command.times, state(promotion)) == (143, 0, "failed")
        assert promotion.status_detail == "Stopped before COMMAND ran."

    def test_the_start_of_another_process_of_the_run_is_not_ended(
        self, world: World, behind: Stella, relay: Relay, command: Command
    ) -> None:
        promotion = world.approved()
        tried = threading.Event()

        def tries_to_start(seen: Seen) -> bool:
            if reports("started")(seen):
                tried.set()
            return tried.is_set()

        relay.answer_busy(tries_to_start, once=False)
        running = behind.begin("deploy", str(promotion.number), *RUN, *command())
        assert tried.wait(30)
        world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", {"status": "started", "runId": RUN[1]})
        running.send_signal(signal.SIGTERM)
        relay.rules.clear()
        running.communicate(timeout=30)
        assert (running.returncode, command.times, state(promotion)) == (143, 0, "deploying")


class TestBadNetwork:
    def test_a_start_whose_answer_is_lost_runs_the_command_once(
        self, world: World, behind: Stella, relay: Relay, command: Command
    ) -> None:
        promotion = world.approved()
        relay.lose_answer(reports("started"))
        assert behind("deploy", str(promotion.number), *RUN, *command()).code == 0
        assert (command.times, state(promotion)) == (1, "deployed")
        keys = [each.headers["Idempotency-Key"] for each in relay.seen if reports("started")(each)]
        assert len(keys) == 2
        assert len(set(keys)) == 1

    def test_an_answer_of_before_runs_nothing(
        self, world: World, behind: Stella, relay: Relay, command: Command
    ) -> None:
        """The stored answer says deploying; since then a person has ended it."""
        promotion = world.approved()
        ended = {"status": "failed", "message": "Stop"}
        relay.lose_answer(
            reports("started"), lambda: world.ci.ok("POST", f"promotions/{promotion.pk}/deployment", ended)
        )
        ran = behind("deploy", str(promotion.number), *RUN, *command())
        assert (ran.code, command.times, state(promotion)) == (1, 0, "failed")

    def test_an_end_whose_answer_is_lost_is_reported_once(
        self, world: World, behind: Stella, relay: Relay, command: Command
    ) -> None:
        promotion = world.approved()
        relay.lose_answer(reports("succeeded"))
        assert behind("deploy", str(promotion.number), *RUN, *command()).code == 0
        assert Deployment.objects.filter(promotion=promotion, status="succeeded").count() == 1

    @pytest.mark.parametrize("status", ["503", "429"])
    def test_a_busy_server_is_asked_again_when_it_says(
        self, world: World, behind: Stella, relay: Relay, status: str
    ) -> None:
        for _ in range(2):
            relay.answer_busy(looks, once=True, status=status)
        began = time.monotonic()
        assert behind("list").code == 0
        assert time.monotonic() - began > 2

    def test_it_does_not_ask_for_ever(self, world: World, behind: Stella, relay: Relay) -> None:
        relay.answer_busy(looks, once=False)
        ran = behind("list", "--retry-for", "3s", "--json")
        assert (ran.code, relay.seen) == (3, [])

    def test_a_poll_is_cheap_and_less_than_one_in_a_second(self, world: World, behind: Stella, relay: Relay) -> None:
        promotion = world.waiting()
        behind("wait", str(promotion.pk), "--timeout", "7s")
        first, *polls = relay.seen
        assert first.status == 200
        assert len(polls) >= 2
        assert {each.status for each in polls} == {304}
        assert all(later.at - earlier.at > 1 for earlier, later in zip(relay.seen, polls, strict=False))

    def test_no_redirect_takes_the_token_elsewhere(self, world: World, behind: Stella, relay: Relay) -> None:
        relay.redirect("http://elsewhere.example")
        ran = behind("list")
        assert ran.code == 3
        assert "redirects to http://elsewhere.example, and the token goes nowhere but to STELLA_URL." in ran.err
        assert relay.seen == []


@pytest.fixture
def restarted(committed_db: CommittedDatabase, tmp_path: Path) -> Callable[[], Any]:
    port = free_port()
    return lambda: served_at(port, tmp_path / "server.log")


def test_the_server_restarts_while_the_command_runs(
    restarted: Callable[[], Any], committed_db: CommittedDatabase, command: Command
) -> None:
    world = make_world()
    promotion = world.approved()
    with restarted() as (url, _):
        running = Stella(url, world.ci.token).begin("deploy", str(promotion.number), *RUN, *command(seconds=4))
        until(lambda: command.times)
    assert running.stderr is not None
    until(lambda: "does not answer" in running.stderr.readline())  # type: ignore[union-attr]
    with restarted():
        running.communicate(timeout=60)
    assert (running.returncode, command.times, state(promotion)) == (0, 1, "deployed")


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "said"),
        [
            ("http://promote.example", "would send the token in the clear"),
            ("https://user:secret@promote.example", "STELLA_URL is no address"),
            ("promote.example", "STELLA_URL is no address"),
            ("", "No address is set"),
        ],
    )
    def test_a_wrong_one_is_refused_before_any_call(self, address: str, said: str) -> None:
        ran = Stella(address, "spt_x")("list", "--retry-for", "0")
        assert (ran.code, said in ran.err) == (2, True)
        assert "secret" not in ran.err

    def test_one_that_does_not_answer_is_exit_code_6(self) -> None:
        ran = Stella(f"http://127.0.0.1:{free_port()}", "spt_x")("list", "--retry-for", "1s", "--json")
        assert (ran.code, ran.json["error"]["exitCode"]) == (6, 6)

    def test_http_to_another_machine_is_allowed_by_name(self) -> None:
        ran = Stella("http://promote.invalid", "spt_x")("list", "--retry-for", "0", "--insecure-http")
        assert ran.code == 6
