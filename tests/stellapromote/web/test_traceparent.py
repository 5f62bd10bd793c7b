import pytest

from stellapromote.web.traceparent import trace_logged, traceparent_from

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"),
        (f"cc-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
        (f"cc-{TRACE}-{PARENT}-01-more", f"00-{TRACE}-{PARENT}-01"),
    ],
)
def test_a_valid_trace_is_taken_as_version_00(given: str, taken: str) -> None:
    assert traceparent_from(given) == taken


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"cc-{TRACE}-{PARENT}-01more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01",
    ],
)
def test_any_other_is_ignored(given: str | None) -> None:
    assert traceparent_from(given) is None


def test_log_lines_name_the_trace_alone() -> None:
    assert trace_logged(f"00-{TRACE}-{PARENT}-01") == {"trace_id": TRACE}
    assert trace_logged(None) == {}
