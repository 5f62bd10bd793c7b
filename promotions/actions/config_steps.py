"""The edits of one apply of policy as code: each is the single edit of that thing, by its own action.

A step names the things that it takes to be in force. What becomes easier is a proposal, as it is alone; what another
step waits for, waits with it (docs/adr/0248).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from django.db import transaction

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.create_environment import create_environment
from environments.actions.create_freeze_window import create_freeze_window
from environments.actions.update_environment import update_environment
from environments.actions.update_freeze_window import update_freeze_window
from environments.models import Environment
from policies.actions.create_approval_policy import create_approval_policy
from policies.actions.create_promotion_policy import create_promotion_policy
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.etags import promotion_policy_tag
from policies.models import PromotionPolicy, Proposal
from promotions.actions.archive_environment import archive_environment
from promotions.actions.delete_team import delete_team
from promotions.actions.image_repositories import free_repository, share_repository
from promotions.actions.products import archive_product, create_product, update_product
from promotions.actions.retire_approval_policy import retire_approval_policy
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.reading.config import Document
from promotions.reading.config_differences import ConfigChange, Thing
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch
from stellapromote.api.serializers import snake
from stellapromote.clock import Clock
from stellapromote.errors import Conflict, FieldError, Invalid, ProductError, Refused
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.rename_team import rename_team
from stellapromote.image_repositories import patterns_over

ORDER: Final[Thing] = ("the", "promotion order")

DONE: Final = "done"
PROPOSED: Final = "proposed"
DRAFT: Final = "draft"
UNSATISFIABLE: Final = "unsatisfiable"
WAITS: Final = "waits"
STAYS: Final = "stays"
OUTCOMES: Final = (DONE, PROPOSED, DRAFT, UNSATISFIABLE, WAITS, STAYS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``message``: why the thing is not as the file says, and what to do next."""

    state: str = DONE
    message: str = ""
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """``thing``: what is in force by it; ``act``: the edit; ``needs``: the things that must be in force before, and
    ``free_index`` the place in the promotion order that must be free. ``moves``: the order becomes another."""

    change: ConfigChange
    thing: Thing
    act: Callable[[Actor, Clock], Outcome]
    needs: frozenset[Thing] = frozenset()
    free_index: int | None = None
    moves: bool = False


def steps_of(changes: Iterable[ConfigChange]) -> list[Step]:
    """The steps of these changes, in the order in which they are tried."""
    todo = sorted(changes, key=_rank)
    of_environments = [each for each in todo if each.kind == "environment"]
    reorders = any(each.verb == "create" or "orderIndex" in each.given for each in of_environments)
    freed = [(name, each.thing) for each in todo if each.kind == "product" for name in _repositories(each)[0]]
    return [_behind_owner(step, freed) for change in todo for step in _steps(change, reorders)]


def _repositories(change: ConfigChange) -> tuple[set[str], set[str]]:
    """Those that the product loses, and those that it gains."""
    before, after = (set((each or {}).get("imageRepositories", ())) for each in (change.before, change.after))
    return before - after, after - before


def _behind_owner(step: Step, freed: Iterable[tuple[str, Thing]]) -> Step:
    """A product gains an image repository when the one that has it has lost it."""
    if step.change.kind != "product":
        return step
    gained = _repositories(step.change)[1]
    owners = {
        thing
        for name, thing in freed
        if not gained.isdisjoint(patterns_over(name)) or any(name in patterns_over(each) for each in gained)
    }
    return replace(step, needs=step.needs | owners)


def _steps(change: ConfigChange, reorders: bool) -> Iterator[Step]:
    if reorders and (change.kind, change.verb) == ("environment", "update"):
        return _environment_beside_moves(change)
    return _STEPS[change.kind, change.verb](change)


_ORDER: Final = (
    *("team create", "team update", "product create", "product update"),
    *("shared image repository create", "approval policy create", "approval policy update"),
    *("environment update", "environment create", "promotion policy create", "promotion policy update"),
    *("freeze create", "freeze update"),
    *("freeze remove", "environment remove", "promotion policy remove", "approval policy remove"),
    *("shared image repository remove", "product remove", "team remove"),
)


def _rank(change: ConfigChange) -> tuple[int, int]:
    """Environments that go up in the order first, the last of them before the others, then those that go down: none
    passes another that keeps its place beside it."""
    index, later = _ORDER.index(f"{change.kind} {change.verb}"), 0
    before, after = change.before or {}, change.after or {}
    if change.kind == "environment" and after:
        later = after.get("orderIndex") or 0
        later = -later if before and later > before["orderIndex"] else later
    return index, later


# ------------------------------------------------------------------------------------------------------- each kind


def _team(change: ConfigChange) -> Iterator[Step]:
    slug, name = change.name, change.given.get("displayName", "")
    if change.verb == "create":
        yield Step(change, change.thing, _acting(create_team, slug=slug, name=name))
    else:
        yield Step(change, change.thing, _acting(rename_team, slug=slug, name=name))


def _new_product(change: ConfigChange) -> Iterator[Step]:
    """The path by an edit of its own: environments may name the product, and the path names environments."""
    given = _for_python(change.given)
    path = given.pop("path", None)
    yield Step(change, change.thing, _acting(create_product, **given))
    if path is not None:
        yield _product_edit(change, {"path": path})


def _product(change: ConfigChange) -> Iterator[Step]:
    yield _product_edit(change, _for_python(change.given))


def _product_edit(change: ConfigChange, changes: Document) -> Step:
    needs = {("environment", name) for name in changes.get("path") or ()}
    act = _acting(update_product, slug=change.name, changes=changes)
    if change.verb == "update":
        return Step(change, change.thing, act, frozenset(needs))
    return Step(change, ("path of product", change.name), act, frozenset({*needs, change.thing}))


def _shared(change: ConfigChange) -> Iterator[Step]:
    yield Step(change, change.thing, _acting(share_repository, name=change.name))


def _new_approval_policy(change: ConfigChange) -> Iterator[Step]:
    yield Step(change, change.thing, partial(_create_approval_policy, change))


def _create_approval_policy(change: ConfigChange, by: Actor, clock: Clock) -> Outcome:
    content = {name: value for name, value in change.given.items() if name != "enabled"}
    create = partial(create_approval_policy, by=by, clock=clock, content=content)
    enabled = bool(change.given["enabled"])
    unsatisfiable = _tried(partial(create, enabled=enabled))
    if unsatisfiable is None:
        return Outcome()
    create(enabled=False)
    return Outcome(UNSATISFIABLE, f"{unsatisfiable.message} It is stored disabled, and guards nothing.")


def _approval_policy(change: ConfigChange) -> Iterator[Step]:
    yield Step(change, change.thing, partial(_update_approval_policy, change))


def _update_approval_policy(change: ConfigChange, by: Actor, clock: Clock) -> Outcome:
    text = change.after or {}
    changes = {name: value for name, value in text.items() if name != "enabled"}
    update = partial(update_approval_policy, by=by, clock=clock, policy_id=change.row.pk, changes=changes)
    found: list[Any] = []
    unsatisfiable = _tried(lambda: found.append(update(enabled=text["enabled"])))
    if unsatisfiable is None:
        return _outcome(found[0])
    if change.row.enabled:
        return Outcome(UNSATISFIABLE, f"{unsatisfiable.message} The version in force stays.")
    update(enabled=False)
    return Outcome(UNSATISFIABLE, f"{unsatisfiable.message} It is stored disabled, and guards nothing.")


def _promotion_policy(change: ConfigChange) -> Iterator[Step]:
    text = change.after or {}
    needs = frozenset(
        ("environment", target["environment"])
        for gate in text["gates"]
        if gate["kind"] == "dependency"
        for target in gate["config"]["targets"]
        if "environment" in target
    )
    yield Step(change, change.thing, partial(_publish, change), needs)


def _publish(change: ConfigChange, by: Actor, clock: Clock) -> Outcome:
    """Writes the draft and publishes it. The author of a file has read its text, so a second person who applies the
    same file publishes what the first one drafted."""
    text = {name: value for name, value in (change.after or {}).items() if name != "name"}
    policy = PromotionPolicy.objects.filter(tenant_id=by.tenant, name=change.name).first()
    if policy is None:
        policy = create_promotion_policy(by=by, clock=clock, name=change.name, document=text)
    else:
        gone = dict.fromkeys(policy.draft or {}) | dict.fromkeys(change.before or {})
        changes = {name: None for name in gone if name not in ("name", "schema")} | text
        policy = save_draft(by=by, clock=clock, name=change.name, changes=changes)
    publish = partial(
        publish_promotion_policy, by=by, clock=clock, name=change.name, if_match=IfMatch(promotion_policy_tag(policy))
    )
    found: list[Any] = []
    try:
        unsatisfiable = _tried(lambda: found.append(publish()))
    except Refused as refusal:
        return Outcome(DRAFT, refusal.message)
    if unsatisfiable is None:
        return _outcome(found[0])
    return Outcome(UNSATISFIABLE, f"{unsatisfiable.message} It is stored as a draft, and guards nothing.")


def _new_environment(change: ConfigChange) -> Iterator[Step]:
    given = _for_python(change.given)
    wanted = {"promotion_policy": "default", **given}
    needs = _named_by_environment(wanted)
    yield Step(change, change.thing, _acting(create_environment, **given), needs, free_index=given["order_index"])


def _environment(change: ConfigChange) -> Iterator[Step]:
    yield _environment_edit(change, _for_python(change.given))


def _environment_beside_moves(change: ConfigChange) -> Iterator[Step]:
    """It follows another one by itself again when the order stands."""
    given = _for_python(change.given)
    follows = given.pop("auto_promote_from", None)
    if "autoPromoteFrom" in change.given and (change.before or {})["autoPromoteFrom"] is not None:
        yield _environment_edit(change, {"auto_promote_from": None})
    if given:
        yield _environment_edit(change, given)
    if follows is not None:
        yield _environment_edit(change, {"auto_promote_from": follows})


def _environment_edit(change: ConfigChange, changes: Document) -> Step:
    act = _acting(update_environment, environment_id=change.row.pk, changes=changes)
    return Step(change, change.thing, act, _named_by_environment(changes), moves="order_index" in changes)


def _named_by_environment(values: Mapping[str, Any]) -> frozenset[Thing]:
    by_product = values.get("product_approval_policies", ())
    follows = values.get("auto_promote_from")
    return frozenset(
        {
            *((("promotion policy", values["promotion_policy"]),) if "promotion_policy" in values else ()),
            *(("approval policy", name) for name in values.get("approval_policies", ())),
            *(("approval policy", each["name"]) for each in by_product),
            *(("product", slug) for each in by_product for slug in each["products"]),
            *((("environment", follows),) if follows is not None else ()),
        }
    )


def _new_freeze(change: ConfigChange) -> Iterator[Step]:
    yield Step(change, change.thing, partial(_create_freeze, change), _named_by_freeze(change))


def _create_freeze(change: ConfigChange, by: Actor, clock: Clock) -> Outcome:
    given = _for_python(change.given)
    name = given.pop("environment")
    found = None if name is None else Environment.objects.of(by.tenant).filter(name=name).first()
    if name is not None and found is None:
        problem = f"There is no environment {name}: correct the name."
        raise Invalid(fields=[FieldError("environment", problem, "unknown")])
    create_freeze_window(by=by, clock=clock, environment_id=None if found is None else found.pk, **given)
    return Outcome()


def _freeze(change: ConfigChange) -> Iterator[Step]:
    row = change.row
    edit = {"window_id": row.pk, "environment_id": row.environment_id, "changes": _for_python(change.given)}
    yield Step(change, change.thing, _acting(update_freeze_window, **edit), _named_by_freeze(change))


def _named_by_freeze(change: ConfigChange) -> frozenset[Thing]:
    entry = change.after or {}
    where = entry["environment"]
    products = {("product", slug) for slug in change.given.get("products", ())}
    return frozenset({*products, *((("environment", where),) if where is not None else ())})


def _removal(change: ConfigChange) -> Iterator[Step]:
    yield Step(change, change.thing, partial(_remove, change))


def _remove(change: ConfigChange, by: Actor, clock: Clock) -> Outcome:
    """What cannot go stays, with the reason: records and other things may need it."""
    row, name = change.row, change.name
    act: Callable[..., Any]
    match change.kind:
        case "team":
            act = partial(delete_team, slug=name)
        case "product":
            act = partial(archive_product, slug=name)
        case "shared image repository":
            act = partial(free_repository, repository_id=row.pk)
        case "approval policy":
            act = partial(retire_approval_policy, policy_id=row.pk)
        case "environment":
            act = partial(archive_environment, environment_id=row.pk)
        case "freeze":
            reason = "The configuration does not name it any more."
            where = row.environment_id
            act = partial(clear_freeze_window, window_id=row.pk, environment_id=where, reason=reason)
        case _:
            return Outcome(STAYS, "A promotion policy is kept for the records that name it.")
    try:
        with transaction.atomic():
            return _outcome(act(by=by, clock=clock))
    except Conflict as refusal:
        return Outcome(STAYS, refusal.message)


_STEPS: Final[dict[tuple[str, str], Callable[[ConfigChange], Iterator[Step]]]] = {
    ("team", "create"): _team,
    ("team", "update"): _team,
    ("product", "create"): _new_product,
    ("product", "update"): _product,
    ("shared image repository", "create"): _shared,
    ("approval policy", "create"): _new_approval_policy,
    ("approval policy", "update"): _approval_policy,
    ("promotion policy", "create"): _promotion_policy,
    ("promotion policy", "update"): _promotion_policy,
    ("environment", "create"): _new_environment,
    ("environment", "update"): _environment,
    ("freeze", "create"): _new_freeze,
    ("freeze", "update"): _freeze,
    **{(kind.removesuffix(" remove"), "remove"): _removal for kind in _ORDER if kind.endswith(" remove")},
}


# ---------------------------------------------------------------------------------------------------------- shared


def _acting(action: Callable[..., Any], **arguments: Any) -> Callable[[Actor, Clock], Outcome]:
    return lambda by, clock: _outcome(action(by=by, clock=clock, **arguments))


def _outcome(result: Any) -> Outcome:
    if isinstance(result, Proposal):
        return Outcome(PROPOSED, "Another person confirms the proposal.", result)
    return Outcome()


def _tried(act: Callable[[], Any]) -> ProductError | None:
    """Does it, or undoes it and returns the refusal where nobody can satisfy the policy."""
    try:
        with transaction.atomic():
            act()
    except ProductError as refusal:
        if refusal.code != "POL_UNSATISFIABLE":
            raise
        return refusal
    return None


def _for_python(values: Mapping[str, Any]) -> dict[str, Any]:
    return {snake(name): value for name, value in values.items()}
