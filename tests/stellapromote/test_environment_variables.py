from ipaddress import ip_network
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from stellapromote.environment_variables import EnvironmentVariables, TrustedProxies


def env(**values: str) -> EnvironmentVariables:
    return EnvironmentVariables(values)


def test_value_comes_from_a_file_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret words\n")
    assert env(KEY_FILE=str(tmp_path / "key")).text("KEY") == "secret words"


def test_value_and_file_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"Both KEY and KEY_FILE are set\. Unset one"):
        env(KEY="a", KEY_FILE=str(tmp_path)).text("KEY")


def test_file_that_is_not_there_is_named_with_the_variable() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"KEY_FILE names /no/such/file, which cannot be read"):
        env(KEY_FILE="/no/such/file").text("KEY")


def test_empty_file_is_refused_and_not_read_as_no_value(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    with pytest.raises(ImproperlyConfigured, match="which is empty"):
        env(KEY_FILE=str(tmp_path / "key")).text("KEY", "default")


def test_empty_value_means_the_default() -> None:
    assert env(KEY="").text("KEY", "default") == "default"


@pytest.mark.parametrize(("written", "read"), [("1", True), ("TRUE", True), ("on", True), ("0", False), ("no", False)])
def test_yes_and_no_are_read_in_the_usual_words(written: str, read: bool) -> None:
    assert env(DEBUG=written).boolean("DEBUG", default=not read) is read


def test_word_that_is_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"DEBUG is 'maybe'\. Write 1 or 0\."):
        env(DEBUG="maybe").boolean("DEBUG", default=False)


@pytest.mark.parametrize("written", ["0", "65536", "-1", "80.0", "eighty", "٨٠", "9" * 30])
def test_number_out_of_bounds_or_no_number_is_refused_with_the_bounds(written: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="whole number from 1 to 65535"):
        env(PORT=written).integer("PORT", 8000, at_least=1, at_most=65535)


def test_number_inside_its_bounds_is_read() -> None:
    assert env(PORT="65535").integer("PORT", 8000, at_least=1, at_most=65535) == 65535


def test_choice_outside_the_list_is_refused_with_the_list() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"LOG_LEVEL is 'LOUD'\. Write one of: INFO, ERROR"):
        env(LOG_LEVEL="LOUD").choice("LOG_LEVEL", "INFO", ("INFO", "ERROR"))


def test_items_are_separated_by_commas() -> None:
    assert env(HOSTS=" a.example , b.example,,").items("HOSTS") == ["a.example", "b.example"]


@pytest.mark.parametrize(
    "written",
    ["promote.example.org", "ftp://promote.example.org", "https://promote.example.org/", "https://", "https://[x"],
)
def test_origin_that_is_no_origin_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"such as https://promote\.example\.org"):
        env(ORIGINS=written).origins("ORIGINS")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", TrustedProxies()),
        ("2", TrustedProxies(count=2)),
        ("10.0.0.0/8, ::1", TrustedProxies(networks=(ip_network("10.0.0.0/8"), ip_network("::1")))),
    ],
)
def test_trusted_proxies_are_a_count_or_networks(written: str, read: TrustedProxies) -> None:
    assert env(TRUSTED_PROXIES=written).trusted_proxies("TRUSTED_PROXIES") == read


@pytest.mark.parametrize("written", ["everybody", "10.0.0.1/8", "-1", "1,2.3"])
def test_trusted_proxies_that_are_neither_are_refused(written: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="how many proxies are in front"):
        env(TRUSTED_PROXIES=written).trusted_proxies("TRUSTED_PROXIES")


def test_networks_are_networks_and_addresses() -> None:
    read = env(NETWORKS="10.0.0.0/8, 192.0.2.1,2001:db8::/32").networks("NETWORKS")
    assert [str(network) for network in read] == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]
    assert env().networks("NETWORKS") == ()


@pytest.mark.parametrize("written", ["everybody", "10.0.0.1/8", "1.2.3"])
def test_networks_that_are_none_are_refused(written: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"NETWORKS is not understood .*Write networks"):
        env(NETWORKS=written).networks("NETWORKS")


def test_no_trusted_proxies_is_false() -> None:
    assert not TrustedProxies()
