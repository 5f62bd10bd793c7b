"""Weakening edits: stored, or stopped where they need a second person (domain.md §5)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from policies.models import WeakeningEdit
from stellapromote.accounts.actor import Actor, SecondPerson
from stellapromote.accounts.models import User
from stellapromote.api.etag import PreconditionFailed


class ChangedMeanwhile(PreconditionFailed):
    """The proposal would loosen other things than the second person read."""

    def __init__(self) -> None:
        super().__init__("This was changed since it was proposed: withdraw it, and propose the edit again.")


class NamedPolicy(TypedDict):
    """A version of a policy that an edit takes away, puts in force, or both."""

    kind: str
    name: str
    version: int
    digest: str
    before: bool
    after: bool


def versions_of(policies: Iterable[NamedPolicy]) -> tuple[str, ...]:
    """The versions of policies that an edit names, as texts to compare with those that a person read."""
    return tuple(f"{each['kind']} {each['name']} {each['version']} {each['digest']}" for each in policies)


@dataclass(slots=True)
class Weakening:
    """The guards that one edit loosens. ``guards``: names of the protected environments that it concerns.

    ``tag``: the ETag of the object before the edit. ``before`` and ``after``: those of the audit event. ``authors``:
    the accounts that wrote the edit beside the acting one. ``policies``: the policies that the edit names.
    """

    resource: str
    resource_id: str
    name: str
    tag: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    authors: Collection[UUID] = ()
    policies: list[NamedPolicy] = field(default_factory=list)
    guards: set[str] = field(default_factory=set)
    rows: list[tuple[str, UUID | None, str]] = field(default_factory=list)

    def add(
        self,
        sentences: Iterable[str],
        *,
        environment_id: UUID | None = None,
        policy_name: str = "",
        guards: Collection[str] = (),
    ) -> None:
        """``environment_id`` and ``policy_name`` as in WeakeningEdit."""
        found = [(each, environment_id, policy_name) for each in sentences]
        self.rows += found
        if found:
            self.guards.update(guards)

    @property
    def sentences(self) -> list[str]:
        return sorted(sentence for sentence, _, _ in self.rows)

    def store(self, *, by: Actor, at: datetime, author: User | None = None) -> list[WeakeningEdit]:
        """Stores the edits for the board and for packets; called once, after the change, in its transaction. The event
        of the change records them.

        ``author``: the person who wrote it, where ``by`` is the second person. Raises NeedsSecondPerson for a protected
        environment without a second person, ChangedMeanwhile where the second person read another text.
        """
        second = by.second
        if second is not None:
            found = (tuple(self.sentences), frozenset(self.guards), versions_of(self.policies))
            if found != (second.read, second.guards, second.policies):
                raise ChangedMeanwhile()
        if author is not None and second is None:
            second = SecondPerson(None, by.user_id, by.username, by.display_name, tuple(self.sentences))
        if self.guards and second is None:
            raise NeedsSecondPerson(self)
        return WeakeningEdit.objects.bulk_create(
            WeakeningEdit(
                tenant_id=by.tenant,
                at=at,
                actor_id=by.user_id if author is None else author.pk,
                actor_username=by.username if author is None else author.username,
                actor_name=by.display_name if author is None else author.display_name,
                what=sentence,
                environment_id=environment_id,
                policy_name=policy_name,
                confirmed_at=None if second is None else at,
                confirmed_by_id=None if second is None else second.user_id,
                confirmed_by_username="" if second is None else second.username,
                confirmed_by_name="" if second is None else second.display_name,
            )
            for sentence, environment_id, policy_name in self.rows
        )


class NeedsSecondPerson(Exception):
    """Undoes an edit that loosens a guard of a protected environment; `policies.proposals` stores it as a proposal."""

    def __init__(self, weakened: Weakening) -> None:
        super().__init__(f"{weakened.name}: {' '.join(weakened.sentences)}")
        self.weakened = weakened
