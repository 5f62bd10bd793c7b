import re
from dataclasses import asdict

from django.conf import settings

from promotions.formats.reading import MOST_BODY
from scripts.supervisor import STOP_SECONDS
from scripts.web_command import web_command
from stellapromote.database.addresses import Timeouts
from stellapromote.environment_variables import EnvironmentVariables
from stellapromote.front import body, front


def test_every_variable_that_settings_read_is_documented_and_no_other() -> None:
    files = ("settings.py", "database/addresses.py")
    code = "".join((settings.BASE_DIR / "stellapromote" / file).read_text() for file in files)
    page = (settings.BASE_DIR / "docs" / "production.md").read_text()
    read = set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", code))
    read |= {f"DATABASE_{name}_TIMEOUT" for name in re.findall(r"seconds\(\"([A-Z]+)\"", code)}
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)} == read


def test_image_starts_the_web_server_with_the_options_of_make_run() -> None:
    image = (settings.BASE_DIR / "Dockerfile").read_text()
    for option in web_command("0.0.0.0", 8000)[3:]:
        name, _, value = option.partition("=")
        assert (f"GRANIAN_WORKERS={value}" if name == "--workers" else f'"{option}"') in image


def test_the_page_starts_the_web_server_with_the_options_of_make_run() -> None:
    page = (settings.BASE_DIR / "docs" / "production.md").read_text()
    for option in web_command("0.0.0.0", 8000)[3:]:
        assert option in page


def test_a_stop_leaves_time_for_a_body_that_comes_slowly() -> None:
    """Otherwise one stranger with half a form has the process killed, with a warning in the log."""
    killed = re.findall(r"--workers-kill-timeout=(\d+)", " ".join(web_command("0.0.0.0", 8000)))
    assert [body.FIRST_SECONDS < int(seconds) < STOP_SECONDS for seconds in killed] == [True]
    page, compose = ((settings.BASE_DIR / name).read_text() for name in ("docs/production.md", "compose.yaml"))
    assert f"not done after {killed[0]} s" in page
    assert f"Give both {STOP_SECONDS:.0f} s" in page
    assert f"stop_grace_period: {STOP_SECONDS:.0f}s" in compose


def test_the_page_names_the_limits_of_the_front() -> None:
    page = (settings.BASE_DIR / "docs" / "production.md").read_text()
    section = page.partition("## Limits of a web process")[2].partition("\n## ")[0]
    for said in (
        f"{body.FIRST_SECONDS:.0f} s",
        f"{body.SMALL // 1024} KiB",
        f"{body.LEAST_RATE // 1024} KiB/s",
        f"{MOST_BODY:,} bytes",
        f"{body.IN_MEMORY // 1024**2} MiB",
        f"{front.MOST_BODIES} bodies",
        f"{front.ROOM // 1024**2} MiB",
        f"{front.LINE} requests, each for {front.LINE_SECONDS:.0f} s",
        f"{front.LARGE_LINE} of them wait, each for {front.LARGE_LINE_SECONDS:.0f} s",
    ):
        assert said in section, said


def test_the_page_installs_as_the_image_does() -> None:
    install = re.compile(r"pip install (--require-hashes .*base\.txt)$", re.MULTILINE)
    page, image = ((settings.BASE_DIR / name).read_text() for name in ("docs/production.md", "Dockerfile"))
    assert install.findall(page) == install.findall(image) != []


def test_the_page_of_a_second_server_names_the_time_outs() -> None:
    page = (settings.BASE_DIR / "docs" / "high-availability.md").read_text()
    defaults = asdict(Timeouts.from_environment(EnvironmentVariables({})))
    for name, seconds in defaults.items():
        assert f"`DATABASE_{name.upper()}_TIMEOUT`, {seconds} s" in page
    assert f"{front.LINE_SECONDS:.0f} s; more than {body.SMALL // 1024} KiB: {front.LARGE_LINE_SECONDS:.0f} s" in page
