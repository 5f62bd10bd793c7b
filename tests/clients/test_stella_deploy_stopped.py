"""stella deploy that is stopped, or that the network or the server leaves alone."""

import fcntl
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
from tests.clients.deploying import RUN, Command, state
from tests.clients.relay import Relay, Seen, looks, reports
from tests.clients.stella import Stella, until
from tests.database import CommittedDatabase
from tests.live_server import free_port, served_at
from tests.promotions.api.world import World, make_world


def interrupted(stella: Stella, promotion: Promotion, script: str, began: Path) -> int:
    """The exit code where Ctrl-C is pressed in the terminal of a COMMAND that wrote this file."""
    terminal, far_end = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored in what a shell runs in its background

    running = subprocess.Popen(
        stella.command("deploy", str(promotion.number), *RUN, "--", "sh", "-c", script),
        env=stella.environment(),
        stdin=far_end,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    until(began.exists)
    os.write(terminal, b"\x03")
    code = running.wait(30)
    os.close(terminal)
    os.close(far_end)
    return code


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
        assert interrupted(stella, promotion, script, told) == 130
        assert state(promotion) == "failed"
        assert told.read_text().split() == ["began", "interrupted"]

    def test_a_command_that_ends_at_once_was_interrupted_too(
        self, world: World, stella: Stella, tmp_path: Path
    ) -> None:
        promotion = world.approved()
        told = tmp_path / "told"
        assert interrupted(stella, promotion, f"echo began >> {told}; exec sleep 60", told) == 130
        assert (state(promotion), promotion.status_detail) == ("failed", "COMMAND was stopped by SIGINT.")

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
