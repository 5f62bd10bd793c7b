import re

from django.conf import settings

from scripts.web_command import web_command


def test_every_variable_that_settings_read_is_documented_and_no_other() -> None:
    code = (settings.BASE_DIR / "stellapromote" / "settings.py").read_text()
    page = (settings.BASE_DIR / "docs" / "production.md").read_text()
    read = set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", code)) | set(
        re.findall(r"_external_database\(\"([A-Z_]+)\"", code)
    )
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)} == read


def test_image_starts_the_web_server_with_the_options_of_make_run() -> None:
    image = (settings.BASE_DIR / "Dockerfile").read_text()
    numbers = {"--workers": "GRANIAN_WORKERS", "--blocking-threads": "GRANIAN_BLOCKING_THREADS"}
    numbers["--blocking-threads-idle-timeout"] = "GRANIAN_BLOCKING_THREADS_IDLE_TIMEOUT"
    for option in web_command("0.0.0.0", 8000)[3:]:
        name, _, value = option.partition("=")
        expected = f"{numbers[name]}={value}" if name in numbers else f'"{option}"'
        assert expected in image


def test_the_page_installs_as_the_image_does() -> None:
    install = re.compile(r"pip install (--require-hashes .*base\.txt)$", re.MULTILINE)
    page, image = ((settings.BASE_DIR / name).read_text() for name in ("docs/production.md", "Dockerfile"))
    assert install.findall(page) == install.findall(image) != []
