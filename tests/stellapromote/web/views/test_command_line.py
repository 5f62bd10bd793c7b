"""The program `stella`, as every installation gives it away."""

import hashlib

from django.conf import settings
from django.test import Client

PROGRAM = (settings.BASE_DIR / "clients" / "stella").read_bytes()


def test_a_stranger_gets_the_program_byte_for_byte() -> None:
    answer = Client().get("/cli/stella")
    assert (answer.status_code, answer.content) == (200, PROGRAM)
    assert answer["Cache-Control"] == "public, max-age=300"
    assert not answer.cookies


def test_its_checksum_is_that_of_the_bytes() -> None:
    answer = Client().get("/cli/stella.sha256")
    assert answer.content.decode() == f"{hashlib.sha256(PROGRAM).hexdigest()}  stella\n"
    assert not answer.cookies


def test_it_is_only_read() -> None:
    assert Client().post("/cli/stella").status_code == 405
