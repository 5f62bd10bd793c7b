"""What stella shows, and what it says of a token or a server that is wrong."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from tests.clients.stella import Ran, Stella, by, published
from tests.factories import make_token
from tests.promotions.api.world import World, make_world


class TestLooking:
    def test_status_of_a_promotion(self, world: World, url: str) -> None:
        promotion = world.waiting()
        ran = by(world, url, "vera")("status", f"{url}/promotions/{promotion.pk}", "--json")
        assert (ran.code, ran.json["promotion"]["id"]) == (0, str(promotion.pk))

    def test_status_of_the_environments(self, world: World, url: str) -> None:
        world.deployed(world.release("1.0"), "dev")
        ran = by(world, url, "vera")("status")
        assert ran.out.splitlines() == [
            "dev: main 1.0; 0 open",
            "staging: nothing; 0 open",
            "production: nothing; 0 open",
        ]

    def test_list(self, world: World, url: str) -> None:
        promotion = world.waiting()
        vera, nia = by(world, url, "vera"), by(world, url, "nia")

        def numbers(ran: Ran) -> list[int]:
            return [each["number"] for each in ran.json["promotions"]]

        assert numbers(vera("list", "--json")) == [3, 2, 1]
        assert numbers(vera("list", "--status", "deployed", "--environment", "dev", "--json")) == [1]
        assert numbers(nia("list", "--mine", "--json")) == [promotion.number]
        assert numbers(vera("list", "--product", "nothing", "--json")) == []

    def test_why(self, world: World, url: str) -> None:
        promotion = world.waiting()
        ran = by(world, url, "vera")("why", str(promotion.number), "--json")
        [block] = ran.json["blocks"]
        assert (block["gate"], block["status"], block["whoCanAct"]) == ("approval", "pending", ["mei", "nia"])

    def test_open_prints_the_address(self, world: World, url: str) -> None:
        promotion = world.waiting()
        assert by(world, url, "vera")("open", str(promotion.number)).out == f"{url}/promotions/{promotion.pk}\n"

    def test_another_tenants_promotion_does_not_exist(self, world: World, url: str) -> None:
        promotion = world.waiting()
        stranger = make_world("elsewhere", "e-").people["vera"]
        for named in (str(promotion.pk), str(promotion.number)):
            ran = Stella(url, stranger.token)("status", named, "--json")
            assert (ran.code, promotion.release.name in ran.out + ran.err) == (3, False)


@pytest.mark.parametrize("content", [b"<html>Hello</html>", b"{}", b"[]", b'{"data": [{}]}', b"[" * 5000])
def test_another_server_is_no_traceback(content: bytes) -> None:
    with published(content) as (address, _):
        ran = Stella(address, "spt_x")("list", "--json")
    assert (ran.code, set(ran.json)) == (3, {"error"})


class TestToken:
    def test_from_a_file(self, world: World, url: str, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(f"{world.vera.token}\n")
        assert Stella(url, "")("list", "--token-file", str(tmp_path / "token")).code == 0
        assert Stella(url, "")("--token-file", str(tmp_path / "missing"), "list").code == 2

    def test_an_expired_one_is_said(self, world: World, url: str) -> None:
        promotion = world.waiting()
        issued = FixedClock(DATABASE_CLOCK.now() - timedelta(days=1) + timedelta(seconds=4))
        short = make_token(world.tenant, world.vera.user, life=timedelta(days=1), clock=issued)
        running = Stella(url, short).begin("wait", str(promotion.pk), "--json")
        out, err = running.communicate(timeout=30)
        assert (running.returncode, json.loads(out)["error"]["code"]) == (3, "AUTH_TOKEN_EXPIRED")
        assert "Set STELLA_TOKEN, or name a file with --token-file." in err

    @pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("why", "9"), ("promote", "x", "--to", "y")])
    def test_is_never_printed(self, world: World, url: str, arguments: tuple[str, ...]) -> None:
        for token in (world.vera.token, f"{world.vera.token}x"):
            ran = Stella(url, token)(*arguments)
            assert token not in ran.out + ran.err
