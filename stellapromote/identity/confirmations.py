"""The grants and accounts of a tenant that wait for another person, and the confirmation of those that one chose."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.held_accounts import accounts_alike
from stellapromote.accounts.models import Confirmable, RoleGrant
from stellapromote.accounts.vouching import vouched_for
from stellapromote.audit.refusals import note_refusal
from stellapromote.clock import Clock
from stellapromote.errors import ProductError, sentence_against
from stellapromote.identity import rules
from stellapromote.identity.actions.confirm_account import confirm_account
from stellapromote.identity.actions.confirm_grant import confirm_grant
from stellapromote.identity.roster import Member, members_of

_KINDS: Final = {"scope": "right"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A grant of a member, or with None the account, that nobody confirmed. ``cannot``: why this person does not."""

    member: Member
    grant: Confirmable | None
    cannot: str

    @property
    def key(self) -> str:
        """The name of it in a form."""
        return f"{self.member.user.pk}" if self.grant is None else f"{self.member.user.pk}/{self.grant.pk}"

    @property
    def right(self) -> str:
        """What it is, in words."""
        if self.grant is None:
            return "account"
        kind, name = self.grant.names_right
        return f"{_KINDS.get(kind, kind)} {self.grant.label if isinstance(self.grant, RoleGrant) else name}"

    @property
    def title(self) -> str:
        return f"{self.right} of {self.member.user.username}"

    def confirm(self, *, by: Actor, clock: Clock) -> None:
        """By the action of a single confirmation, which raises what it refuses."""
        if self.grant is None:
            confirm_account(by=by, clock=clock, user_id=self.member.user.pk)
        else:
            confirm_grant(by=by, clock=clock, user_id=self.member.user.pk, grant_id=self.grant.pk)


@dataclass(slots=True)
class Confirmations:
    """The titles of what was confirmed, and of what was refused by the sentence that says why. ``status``: that of the
    first refusal."""

    done: list[str] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)
    status: int = 200


def waiting_for(by: Actor, everybody: Collection[Member]) -> list[Waiting]:
    """What waits, accounts first: a person whose account is not confirmed yet may hold rights that are not either. Two
    statements, where anything does."""
    accounts = [member for member in everybody if member.held]
    grants = [(member, grant) for member in everybody for grant in member.grants if not grant.is_vouched_for]
    if not accounts and not grants:
        return []
    is_vouched_for = vouched_for(by.tenant, by.account) is not None
    alike = accounts_alike(by.tenant, [by.account]) if accounts else frozenset()
    return [
        *(Waiting(each, None, why_not_account(by, each, alike, is_vouched_for=is_vouched_for)) for each in accounts),
        *(
            Waiting(
                member,
                grant,
                sentence_against(
                    rules.check_can_confirm_grant,
                    by,
                    member.user.pk,
                    grant,
                    is_vouched_for=is_vouched_for,
                    alike=alike,
                ),
            )
            for member, grant in grants
        ),
    ]


def why_not_account(by: Actor, member: Member, alike: Collection[object], *, is_vouched_for: bool) -> str:
    """Why this person cannot confirm the account of the member; empty where they can. ``alike``: other accounts that
    may be this person's."""
    user_id = member.user.pk
    return sentence_against(rules.check_can_confirm, by, user_id) or sentence_against(
        rules.check_can_confirm_account, by, [by.account] if user_id in alike else [], is_vouched_for=is_vouched_for
    )


def confirm_chosen(*, by: Actor, clock: Clock, chosen: Collection[str]) -> Confirmations:
    """Confirms each of the chosen ones by its own action, in a transaction and with an event of its own: what is
    refused keeps no other one from being confirmed (docs/adr/0250). What waits no more is passed over."""
    found = Confirmations()
    for each in _of(chosen, waiting_for(by, members_of(by.tenant))):
        try:
            each.confirm(by=by, clock=clock)
        except Http404:
            continue
        except ProductError as refusal:
            target = f"/settings/members/{each.key}"
            note_refusal(by=by, code=refusal.code, action="POST settings/members/confirm", target=target)
            found.status = refusal.status if not found.refused else found.status
            found.refused.setdefault(refusal.message, []).append(each.title)
        else:
            found.done.append(each.title)
    return found


def _of(chosen: Collection[str], waiting: Iterable[Waiting]) -> list[Waiting]:
    return [each for each in waiting if each.key in chosen]
