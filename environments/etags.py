"""The ETags of environments and freeze windows (api.md, concurrency): what GET answers, and what a write compares."""

from uuid import UUID

from stellapromote.api.etag import opaque


def environment_tag(environment_id: UUID, version: int) -> str:
    return opaque("environment", environment_id, version)


def freeze_window_tag(window_id: UUID, version: int) -> str:
    return opaque("freeze-window", window_id, version)
