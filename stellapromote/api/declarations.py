"""The declarations of a viewset besides bodies and parameters: the rights of each call, and the form of a success."""

from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from stellapromote.api.rendering import MEDIA_TYPE

#: Scope of a call that needs no credentials; a test lists each one with its reason.
PUBLIC = "public"
#: Scope of a call that any member of the tenant may make.
MEMBER = "member"

Scopes = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The documented success answer of an action: a Resource class, a JSON Schema, or None for free JSON.

    `paged` is a list in data and meta, `many` a bare array. `media_type` is what Accept is compared with. `etag` says
    that the answer carries an ETag, so that GET may be answered 304.
    """

    form: type[serializers.Serializer[Any]] | dict[str, Any] | None = None
    status: int = 200
    paged: bool = False
    many: bool = False
    etag: bool = False
    media_type: str = MEDIA_TYPE
    description: str = ""
