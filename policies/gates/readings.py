"""What the gates that look into documents ask first: whether this version's reader has read all of them."""

from typing import Final

from policies.facts import GateInput
from policies.outcomes import Verdict

UNREAD: Final = "EVIDENCE_UNREAD"


def unread(facts: GateInput) -> Verdict | None:
    """The verdict while an older reader has read some document of the bundles; None when there is nothing to wait for.

    An older reader may have found less than there is, so no gate believes it, not even about what it did find. It waits
    whatever its onError says: only documents of open promotions are read again, so one that was rejected for this
    would be rejected for it each time it is requested.
    """
    evidence = facts.get("evidence")
    if evidence is None or evidence.get("readBy") is not None:
        return None
    message = (
        "An older version of StellaPromote has read some of the documents, and this version reads them more strictly: "
        "the worker reads them again, which takes seconds. There is nothing for you to do."
    )
    return Verdict("pending", (UNREAD,), {"bundle": evidence["bundleDigest"]}, message)
