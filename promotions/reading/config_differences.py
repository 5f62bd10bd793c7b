"""The differences between a file of policy as code and the settings of a tenant, in words. Pure, but for documents of
the rows that were read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from environments.presenters import environment_document, freeze_window_document
from environments.settings_schema import ENVIRONMENT_TO_CREATE
from environments.weakening import PolicyTexts, in_environment, in_freeze_window
from policies import documents, weakening
from policies.differences import differences
from policies.windows import BadTime, instant_of
from promotions.reading.config import Document, Key, StoredConfig, StoredSection
from promotions.reading.config_schema import BY_KIND, CONFIG_SCHEMA, SECTIONS
from stellapromote import wrong_values as wrong
from stellapromote.clock import rfc3339
from stellapromote.errors import FieldError, Invalid
from stellapromote.image_repositories import canonical_pattern
from stellapromote.json_schema import read

Thing = tuple[str, str]
"""Kind and name of what an edit names."""
Verb = Literal["create", "update", "remove"]
_POLICIES: Final = {"approvalPolicies": "approval policy", "promotionPolicies": "promotion policy"}


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One thing that an apply changes. ``place``: where it stands in the file. ``before``: its entry as it is stored;
    ``after``: as it becomes; ``given``: the fields of it that change, of a new thing all that the file has."""

    kind: str
    name: str
    key: Key
    verb: Verb
    place: str = ""
    before: Document | None = None
    after: Document | None = None
    given: Document = field(default_factory=dict)
    row: Any = None
    loosens: tuple[str, ...] = ()
    tightens: bool = False

    @property
    def id(self) -> tuple[str, Key]:
        return self.kind, self.key

    @property
    def thing(self) -> Thing:
        return self.kind, self.key if isinstance(self.key, str) else " ".join(map(str, self.key))

    @property
    def words(self) -> list[str]:
        """The fields that become others, each with both values."""
        if self.verb == "remove":
            return []
        found = differences(_sorted(self.before or {}), _sorted(self.after or {}))
        return [
            f"{each.place}: {'gone' if each.after is None else each.after}"
            f"{'' if each.before is None else f', was {each.before}'}"
            for each in found
            if each.place not in ("name", "slug")
        ]


@dataclass(frozen=True, slots=True)
class ConfigDifferences:
    """``changes`` lead to the file; ``unnamed``: things in its sections that it does not name."""

    changes: list[ConfigChange]
    unnamed: list[ConfigChange]


def _sorted(entry: Document) -> Document:
    """The entry with the fields of each object in one order, so that equal values have equal words."""
    found: Document = orjson.loads(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS))
    return found


def read_config(value: Any) -> Document:
    """The file in normal form. Invalid with the place of each mistake: also of a name that stands twice."""
    normal: Document
    normal, errors = read(value, CONFIG_SCHEMA)
    if not errors:
        errors = [*_named_twice(normal), *_read_policies(normal)]
    if errors:
        raise Invalid(fields=errors)
    return normal


def _named_twice(config: Document) -> Iterator[FieldError]:
    for section in SECTIONS:
        if section.name == "freezes":
            continue
        seen = set()
        for index, entry in enumerate(config.get(section.name, ())):
            name = _name(entry)
            if name in seen:
                problem = f"{name} is there twice: name it once."
                yield FieldError(f"{section.name}[{index}]", problem, "invalid")
            seen.add(name)
    indexes: dict[int, str] = {}
    for index, entry in enumerate(config.get("environments", ())):
        order_index = entry.get("orderIndex")
        if order_index in indexes:
            problem = f"{indexes[order_index]} has this orderIndex: choose another."
            yield FieldError(f"environments[{index}].orderIndex", problem, "invalid")
        elif order_index is not None:
            indexes[order_index] = entry["name"]


def _read_policies(config: Document) -> Iterator[FieldError]:
    """Puts the normal form of each policy in place of it."""
    for section, reader in (
        ("approvalPolicies", documents.read_approval_policy),
        ("promotionPolicies", documents.read_promotion_policy),
    ):
        for index, entry in enumerate(config.get(section, ())):
            apart = {name: entry.pop(name) for name in _apart(section) if name in entry}
            normal, errors = reader(entry)
            yield from (replace(each, field=f"{section}[{index}].{each.field}") for each in errors)
            config[section][index] = {**{name: part for name, part in normal.items() if name != "schema"}, **apart}


def _apart(section: str) -> tuple[str, ...]:
    """The fields of an entry that are not in the text of the policy."""
    return ("enabled",) if section == "approvalPolicies" else ("name",)


def compare(config: Document, stored: StoredConfig, at: datetime, *, prune: bool) -> ConfigDifferences:
    """The differences between the file, in normal form, and what is stored in its sections. ``prune``: what the file
    does not name is to go, image repositories of a product too."""
    texts = _texts(config, stored)
    changes, unnamed = [], []
    for section in SECTIONS:
        if section.name not in config:
            continue
        there = stored[section.name]
        named = _by_key(section.name, config[section.name], at)
        for key, (place, entry) in named.items():
            change = _change(section.kind, key, place, entry, there, at, texts, prune=prune)
            if change is not None:
                changes.append(change)
        unnamed += [
            ConfigChange(section.kind, _title(entry), key, "remove", before=entry, row=there.rows[key])
            for key, entry in there.entries.items()
            if key not in named
        ]
    return ConfigDifferences([*changes, *(unnamed if prune else ())], unnamed)


def _by_key(section: str, entries: Sequence[Any], at: datetime) -> dict[Key, tuple[str, Document]]:
    found: dict[Key, tuple[str, Document]] = {}
    if section != "freezes":
        for index, entry in enumerate(entries):
            given = {"name": canonical_pattern(entry)} if isinstance(entry, str) else entry
            found[_name(given)] = (f"{section}[{index}]", given)
        return found
    freezes = [(index, _in_utc(entry, f"{section}[{index}]")) for index, entry in enumerate(entries)]
    seen: dict[tuple[str | None, str], int] = {}
    for index, entry in sorted(freezes, key=lambda each: (each[1]["start"], each[1]["end"])):
        if entry["end"] <= rfc3339(at):
            continue  # it is over: nothing is left to do
        where = (entry["environment"], entry["name"])
        seen[where] = seen.get(where, -1) + 1
        found[*where, seen[where]] = (f"{section}[{index}]", entry)
    return found


def _in_utc(freeze: Document, place: str) -> Document:
    """The freeze with its times as they are stored. Invalid with the place of one that cannot be read."""
    times: Document = {}
    edges: tuple[Literal["start", "end"], ...] = ("start", "end")
    for edge in edges:
        try:
            times[edge] = rfc3339(instant_of(freeze[edge], freeze.get("timezone", "UTC"), edge))
        except BadTime as error:
            raise Invalid(fields=[FieldError(f"{place}.{edge}", str(error), "invalid")]) from None
    return {**freeze, **times}


def _change(
    kind: str,
    key: Key,
    place: str,
    entry: Document,
    there: StoredSection,
    at: datetime,
    texts: PolicyTexts,
    *,
    prune: bool,
) -> ConfigChange | None:
    before = there.entries.get(key)
    if before is None:
        _check_complete(kind, place, entry)
        is_freeze = kind == "freeze"
        return ConfigChange(kind, _title(entry), key, "create", place, None, entry, entry, tightens=is_freeze)
    row = there.rows[key]
    after = _merged(kind, before, entry, row, prune=prune)
    if after == before:
        return None
    given = {name: value for name, value in after.items() if before.get(name) != value}
    change = ConfigChange(kind, _title(entry), key, "update", place, before, after, given, row)
    loosens, tightens = (_easier(change, a, b, at, texts) for a, b in ((before, after), (after, before)))
    return replace(change, loosens=tuple(loosens), tightens=bool(tightens))


def _check_complete(kind: str, place: str, entry: Document) -> None:
    """A new environment says more than its name. Invalid with the place of each field that it leaves out."""
    if kind == "environment":
        missing = [name for name in ENVIRONMENT_TO_CREATE["required"] if name not in entry]
        if missing:
            raise Invalid(fields=[FieldError(f"{place}.{name}", *wrong.REQUIRED) for name in missing])


def _merged(kind: str, before: Document, entry: Document, row: Any, *, prune: bool) -> Document:
    """The entry as it becomes: a policy is the text of the file, of everything else what is left out stays."""
    if kind in _POLICIES.values():
        return entry
    after = {**before, **entry}
    if kind == "product":
        named = {canonical_pattern(each) for each in after["imageRepositories"]}
        after["imageRepositories"] = sorted(named if prune else {*named, *before["imageRepositories"]})
    if kind == "environment":
        after["config"] = {**before["config"], **entry.get("config", {})}
        after["productApprovalPolicies"] = sorted(after["productApprovalPolicies"], key=lambda each: str(each["name"]))
        if row.hold_ends_with_request:
            after["autoPromoteHold"] = before["autoPromoteHold"]  # a rollback set it, and a request ends it
    return after


def _easier(change: ConfigChange, before: Document, after: Document, at: datetime, texts: PolicyTexts) -> list[str]:
    """The sentences about what becomes easier from one entry to the other, by the rules of the single edits."""
    if change.kind == "approval policy":
        return weakening.in_approval_policy(before, after)
    if change.kind == "promotion policy":
        return weakening.in_promotion_policy(before, after)
    if change.kind == "freeze":
        document, where = freeze_window_document(change.row), after["environment"]
        return in_freeze_window({**document, **before}, {**document, **after}, at, where)
    if change.kind == "environment" and _all_known(texts, before, after):
        document = environment_document(change.row)
        return in_environment({**document, **before}, {**document, **after}, texts)
    return []


def _texts(config: Document, stored: StoredConfig) -> PolicyTexts:
    """The texts of policies as they are stored, and of new ones as the file has them."""
    found: list[Mapping[str, Document]] = []
    for section in _POLICIES:
        of_file = {entry["name"]: entry for entry in config.get(section, ())}
        known = stored.get(section)
        found.append({**of_file, **({} if known is None else {str(key): each for key, each in known.entries.items()})})
    approval, promotion = found
    return PolicyTexts(approval, promotion)


def _all_known(texts: PolicyTexts, *environments: Document) -> bool:
    """Whether all policies that they name are in the sections that were compared."""
    approval = {
        name
        for each in environments
        for name in (*each["approvalPolicies"], *(entry["name"] for entry in each["productApprovalPolicies"]))
    }
    return approval <= texts.approval.keys() and {each["promotionPolicy"] for each in environments} <= (
        texts.promotion.keys()
    )


def _name(entry: Any) -> str:
    return entry if isinstance(entry, str) else str(entry.get("slug") or entry["name"])


def _title(entry: Document) -> str:
    where = entry.get("environment", "")
    return _name(entry) if "environment" not in entry else f"{_name(entry)} of {where or 'all environments'}"


def rights_for(changes: Sequence[ConfigChange]) -> list[str]:
    """The rights that these changes take."""
    return sorted({BY_KIND[each.kind].writes for each in changes})
