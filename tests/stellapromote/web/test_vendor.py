import re
from hashlib import sha256

from django.conf import settings

VENDOR = settings.BASE_DIR / "static/vendor"
LISTED = dict(re.findall(r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", (VENDOR / "VENDOR.md").read_text(), re.M))


def test_every_vendored_file_is_the_one_that_is_recorded() -> None:
    found = {
        str(path.relative_to(VENDOR)): sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "VENDOR.md"
    }
    assert found == LISTED
