"""The first check of gates that read documents: this version's reader has read all of them."""

from typing import Final

from policies.facts import GateInput
from policies.outcomes import Verdict

UNREAD: Final = "EVIDENCE_UNREAD"


def unread(facts: GateInput) -> Verdict | None:
    """The verdict while an older reader has read some document of the bundles; None when there is nothing to wait for.

    An older reader may have found less than there is, so no gate believes it, not even what it did find. The gate waits
    under every onError: only documents of open promotions are read again, so a promotion rejected for this would be
    rejected at each new request.
    """
    evidence = facts.get("evidence")
    if evidence is None or evidence.get("readBy") is not None:
        return None
    message = (
        "An older version of StellaPromote has read some of the documents, and this version reads them more strictly: "
        "the worker reads them again, which takes seconds. There is nothing for you to do."
    )
    return Verdict("pending", (UNREAD,), {"bundle": evidence["bundleDigest"]}, message)
