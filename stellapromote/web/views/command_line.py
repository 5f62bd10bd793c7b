"""The command line `stella` of this version, as every installation gives it to CI jobs (docs/command-line.md)."""

import hashlib
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from stellapromote.web.access import public

PROGRAM: Final = (settings.BASE_DIR / "clients" / "stella").read_bytes()
CHECKSUM: Final = hashlib.sha256(PROGRAM).hexdigest()
CACHED: Final = "public, max-age=300"


@public
@require_safe
def program(request: HttpRequest) -> HttpResponse:
    """The file, byte for byte."""
    headers = {"Cache-Control": CACHED, "Content-Disposition": 'attachment; filename="stella"'}
    return HttpResponse(PROGRAM, content_type="text/x-python; charset=utf-8", headers=headers)


@public
@require_safe
def checksum(request: HttpRequest) -> HttpResponse:
    """Its SHA-256 as `sha256sum --check` reads it."""
    return HttpResponse(f"{CHECKSUM}  stella\n", content_type="text/plain", headers={"Cache-Control": CACHED})
