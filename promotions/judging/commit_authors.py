"""The authors of a release's commits: accounts here, or people and robots without one (docs/adr/0056)."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Lower

from promotions.models import Release
from stellapromote.accounts.models import User
from stellapromote.errors import FieldError, Invalid, RuleViolation

EXTERNAL: Final = "external:"
"""The prefix of an author in sourceRef.authors without an account here, who excludes no person."""

_MOST_NAMED: Final = 10


class CommitAuthorsUnknown(RuleViolation):
    """A policy excludes commit authors and it is not known who they are: nothing passes on a guess (docs/adr/0056)."""

    code = "PROM_BLOCKED"


def commit_authors(release: Release) -> tuple[list[UUID], list[str]]:
    """The accounts of the release's authors, and the authors that the release names as without an account here.

    An author is a username of a member or service of the tenant, now or before, or a member's e-mail address, alone or
    as in `Tomas <tomas@example.org>`. CommitAuthorsUnknown for any other name, for a release without authors, and for
    an account that is named as external.
    """
    named = [str(author).strip().lower() for author in (release.source_ref or {}).get("authors") or []]
    if not named:
        raise CommitAuthorsUnknown(
            "An approval policy of this environment excludes commit authors, but the release names none in "
            "sourceRef.authors: create the release with its authors and request again."
        )
    external = [author for author in named if author.startswith(EXTERNAL)]
    if hidden := named_as_external(release.tenant_id, external):
        raise CommitAuthorsUnknown(
            f"{', '.join(hidden[:_MOST_NAMED])} of this release's authors are accounts here, and an approval policy of "
            "this environment excludes commit authors: create the release with their usernames and request again.",
            details={"accountsNamedExternal": hidden[:_MOST_NAMED]},
        )
    inside = {author: author.rpartition("<")[2].rstrip(">") for author in named if not author.startswith(EXTERNAL)}
    keys = {*inside, *inside.values()} - {""}
    known: dict[str, set[UUID]] = {}
    for user_id, username, address, _ in _accounts(release.tenant_id, keys):
        for label in filter(None, (username, address)):
            known.setdefault(label, set()).add(user_id)
    unknown = sorted(author for author, address in inside.items() if not (author in known or address in known))
    if unknown:
        raise CommitAuthorsUnknown(
            "An approval policy of this environment excludes commit authors, and no account here is known as "
            f"{', '.join(unknown[:_MOST_NAMED])}: name authors in sourceRef.authors by their usernames, or as "
            f"`{EXTERNAL}name` when they have no account here, and request again.",
            details={"unknownAuthors": unknown[:_MOST_NAMED]},
        )
    accounts = sorted({user_id for key in keys for user_id in known.get(key, ())})
    return accounts, sorted({author.removeprefix(EXTERNAL).strip() for author in external})


def check_external(tenant_id: UUID, source_ref: Mapping[str, Any] | None) -> None:
    """Invalid for an author who is named as external and is an account here. One statement where there are any."""
    hidden = set(named_as_external(tenant_id, (source_ref or {}).get("authors") or ()))
    errors = [
        FieldError(f"sourceRef.authors[{index}]", "This is an account here: name them by their username.", "account")
        for index, author in enumerate((source_ref or {}).get("authors") or ())
        if author in hidden
    ]
    if errors:
        raise Invalid(f"{errors[0].field}: {errors[0].message}", fields=errors)


def named_as_external(tenant_id: UUID, authors: Iterable[Any]) -> list[str]:
    """The authors with `external:` before them that are accounts of the tenant, now or before: by username, address or
    displayed name, in any letter case, alone or as in `Name <address>`."""
    texts = (author for author in authors if isinstance(author, str))
    names = {author: _names(author) for author in texts if author.lower().startswith(EXTERNAL)}
    if not names:
        return []
    known = {label for _, *labels in _accounts(tenant_id, set().union(*names.values())) for label in labels if label}
    return sorted(author for author, given in names.items() if not known.isdisjoint(given))


def _names(author: str) -> set[str]:
    """The possible names of an external author: the whole text, and the name and address in it, as written and
    folded."""
    text = " ".join(unicodedata.normalize("NFKC", author).lower().split())
    while text.startswith(EXTERNAL):
        text = text.removeprefix(EXTERNAL).lstrip()
    parts = {part.strip(" @\"'") for part in (text, *re.split(r"[<>()]", text))}
    return {form for part in parts for form in (part, part.casefold())} - {""}


def _accounts(tenant_id: UUID, keys: Collection[str]) -> Iterable[tuple[UUID, str, str, str]]:
    """Id, username, address and displayed name, in lower case, of accounts of the tenant known by one of the keys."""
    return (
        User.objects.filter(Q(memberships__tenant_id=tenant_id) | Q(service__tenant_id=tenant_id))
        .annotate(name=Lower("username"), address=Lower("email"), shown=Lower("display_name"))
        .filter(Q(name__in=keys) | Q(address__in=keys) | Q(shown__in=keys))
        .distinct()
        .values_list("pk", "name", "address", "shown")
    )
