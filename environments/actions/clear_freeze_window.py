from uuid import UUID

from environments import rules
from environments.etags import freeze_window_tag
from environments.guarding import frozen_by
from environments.locks import lock_freeze_window, note_write
from environments.models import FreezeWindow
from environments.presenters import differences, freeze_window_document
from environments.settings_schema import CLEAR_REASON, read_freeze_window
from environments.weakening import of_cleared
from policies.proposals import proposable
from policies.weakening_edits import Weakening
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@proposable("freeze_window.clear")
@transactional
def clear_freeze_window(
    *,
    by: Actor,
    clock: Clock,
    window_id: UUID,
    environment_id: UUID | None,
    reason: str = "",
    if_match: IfMatch | None = None,
) -> FreezeWindow:
    """Lifts a freeze from now on, or calls off one that has not begun; the row stays in history (domain.md §2).

    Clearing a cleared freeze changes nothing: the first clearing counts. Clearing a freeze that another person set or
    changed is a weakening edit, in a protected environment a proposal. Raises Refused (403), Http404 (also when the
    window is not of this environment), Invalid (400), PreconditionFailed (412), FreezeOver (409) for one that has ended
    by itself.
    """
    rules.check_can_write(by)
    window, environment = lock_freeze_window(by.tenant, window_id, environment_id)
    values = read_freeze_window({"reason": reason}, CLEAR_REASON)
    if if_match is not None:
        if_match.check(freeze_window_tag(window.pk, window.version))
    if window.cleared_at is not None:
        return window
    at = note_write(by.tenant, clock)
    rules.check_can_change_freeze(window, at)
    before, tag = freeze_window_document(window), freeze_window_tag(window.pk, window.version)
    own = rules.is_own_freeze(window, by)
    window.cleared_at = window.changed_at = at
    window.cleared_by_id = by.user_id
    window.cleared_by_name = by.display_name
    window.clear_reason = values["reason"]
    window.version += 1
    window.save()
    old, new = differences(before, freeze_window_document(window))
    weakened = Weakening("freeze_window", str(window_id), window.name, tag, old, new)
    if not own:
        guards = frozen_by(by.tenant, environment, at)
        sentence = of_cleared(window, environment.name if environment else None)
        weakened.add([sentence], environment_id=environment_id, guards=guards)
    record(
        by=by,
        at=at,
        action="freeze_window.cleared",
        resource="freeze_window",
        resource_id=window_id,
        before=old,
        after=new,
        metadata={"name": window.name},
        environment_id=environment_id,
        rows=[window, *weakened.store(by=by, at=at)],
    )
    return window
