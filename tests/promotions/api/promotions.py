"""What the tests of promotions over REST share: the fields of an answer, times far away, the cost of a GET."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.promotions.api.world import Caller

ANSWER = {
    "id",
    "number",
    "releaseId",
    "releaseName",
    "product",
    "sourceEnvironmentId",
    "sourceEnvironmentName",
    "targetEnvironmentId",
    "targetEnvironmentName",
    "status",
    "statusReason",
    "statusDetail",
    "retryClosed",
    "requestedBy",
    "requestedByName",
    "requestedAt",
    "reason",
    "change",
    "isRollback",
    "subjectDigest",
    "manifestDigest",
    "approvalCount",
    "votesHidden",
    "blockedBy",
    "decision",
    "evidenceBundle",
    "evidencePacketId",
    "decidedAt",
    "startedAt",
    "completedAt",
    "attempt",
}
LONG_AGO, FAR_AHEAD = "2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"


def statements_of(caller: Caller, path: str) -> int:
    """How many statements a GET costs, without the token's last use, which is written once a minute."""
    with CaptureQueriesContext(connection) as statements:
        caller.get(path)
    return len([each for each in statements if "SET last_used_at" not in each["sql"]])
