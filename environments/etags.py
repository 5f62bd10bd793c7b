"""The ETags of environments and freeze windows (contract.md, concurrency): GET answers them, a write compares them."""

from uuid import UUID

from stellapromote.api.etag import opaque


def environment_tag(environment_id: UUID, version: int) -> str:
    return opaque("environment", environment_id, version)


def freeze_window_tag(window_id: UUID, version: int) -> str:
    return opaque("freeze-window", window_id, version)
