from collections.abc import Mapping
from typing import Any
from uuid import UUID

from environments import rules
from environments.actions.freeze_edges import (
    check_exceptions,
    check_order,
    edges,
    excepted_by,
    places_of,
    usernames_of,
)
from environments.actions.products import check_products
from environments.etags import freeze_window_tag
from environments.guarding import frozen_by
from environments.locks import lock_freeze_window, note_write
from environments.models import FreezeWindow
from environments.presenters import differences, freeze_window_document
from environments.settings_schema import FREEZE_WINDOW_TO_UPDATE, read_freeze_window
from environments.weakening import in_freeze_window
from policies.proposals import proposable
from policies.weakening_edits import Weakening
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import persons_behind
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.transactions import transactional


@proposable("freeze_window.update")
@transactional
def update_freeze_window(
    *,
    by: Actor,
    clock: Clock,
    window_id: UUID,
    environment_id: UUID | None,
    changes: Mapping[str, Any],
    if_match: IfMatch | None = None,
) -> FreezeWindow:
    """Changes the given fields; names as for create_freeze_window. A new zone alone moves no instant: they are
    absolute.

    Freezing less of a freeze that another person set or changed is a weakening edit, in a protected environment a
    proposal. Raises Refused (403), Http404 (also when the window is not of this environment), Invalid (400),
    PreconditionFailed (412), FreezeOver (409).
    """
    rules.check_can_write(by)
    window, environment = lock_freeze_window(by.tenant, window_id, environment_id)
    values = read_freeze_window(changes, FREEZE_WINDOW_TO_UPDATE)
    before = freeze_window_document(window)
    values = {name: value for name, value in values.items() if value != before[name]}
    if if_match is not None:
        if_match.check(freeze_window_tag(window.pk, window.version))
    if not values:
        return window
    at = note_write(by.tenant, clock)
    rules.check_can_change_freeze(window, at)
    times = edges(values, values.get("timezone", window.timezone), at)
    check_products(by.tenant, places_of(values.get("products", ())))
    if "exceptions" in values:
        values["exceptions"] = usernames_of(by.tenant, values["exceptions"])
        check_exceptions(by, values["exceptions"], before["exceptions"])
        window.excepted_by = excepted_by(by, values["exceptions"], window.excepted_by)
    plain = {name: value for name, value in values.items() if name not in ("start", "end")}
    for name, value in {**plain, **times}.items():
        setattr(window, name, value)
    check_order(window.starts_at, window.ends_at)
    after = freeze_window_document(window)
    old, new = differences(before, after)
    if not new:
        return window
    tag, own = freeze_window_tag(window.pk, window.version), rules.is_own_freeze(window, by)
    window.held_by = sorted({*window.held_by, *persons_behind(by)})
    window.changed_at = at
    window.version += 1
    window.save()
    weakened = Weakening("freeze_window", str(window_id), window.name, tag, old, new)
    if not own:
        sentences = in_freeze_window(before, after, at, environment.name if environment else None)
        weakened.add(sentences, environment_id=environment_id, guards=frozen_by(by.tenant, environment, at))
    record(
        by=by,
        at=at,
        action="freeze_window.updated",
        resource="freeze_window",
        resource_id=window_id,
        before=old,
        after=new,
        metadata={"name": window.name},
        environment_id=environment_id,
        rows=[window, *weakened.store(by=by, at=at)],
    )
    return window
