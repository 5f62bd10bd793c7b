"""The wording of evidence gates.

A version of a policy that is older than a setting has the default of that setting.
"""

from collections.abc import Iterator
from typing import Final

from policies import phrases
from policies.gates.wording import Config, Fact, Stored, Wording, fact


def _sentence(config: Config) -> str:
    wanted = []
    if config["requireSbom"]:
        formats = phrases.listed(config["formats"], "or")
        sbom = f"an SBOM ({formats})" if formats else "an SBOM"
        valid = config.get("requireValidSchema", False)
        wanted.append(f"{sbom} that its schema finds valid" if valid else sbom)
    wanted += [f"an attestation {each}" for each in config["requiredPredicateTypes"]]
    documents = phrases.listed(wanted)
    if config["trustedKeys"]:
        return f"Each artifact has {documents}, signed by {phrases.listed(config['trustedKeys'], 'or')}."
    return f"Each artifact has {documents}."


def _weaker(name: str, before: Config, after: Config) -> list[str]:
    found = []
    if before["requireSbom"] and not after["requireSbom"]:
        found.append(f"Gate {name} needs no SBOM any more.")
    elif before["formats"] and (not after["formats"] or {*after["formats"]} - {*before["formats"]}):
        found.append(f"Gate {name} takes {' or '.join(after['formats']) or 'any format'} as SBOM.")
    if before.get("requireValidSchema") and not after.get("requireValidSchema") and after["requireSbom"]:
        found.append(f"Gate {name} takes an SBOM that breaks the schema of its format.")
    gone = sorted({*before["requiredPredicateTypes"]} - {*after["requiredPredicateTypes"]})
    found.extend(f"Gate {name} needs no attestation {each} any more." for each in gone)
    if before["trustedKeys"] and not after["trustedKeys"]:
        found.append(f"Gate {name} names no trusted keys any more.")
    elif before["trustedKeys"]:
        joined = sorted({*after["trustedKeys"]} - {*before["trustedKeys"]})
        found.extend(f"Gate {name} also trusts {each}." for each in joined)
    if _older(before["maxAge"], after["maxAge"]):
        found.append(f"Gate {name} takes older documents.")
    return found


def _older(before: int | None, after: int | None) -> bool:
    """Whether `after` is the greater age; null is no limit at all."""
    return before is not None and (after is None or after > before)


def _facts(_gate: Stored, gate_input: Stored, bundle: Stored | None) -> Iterator[Fact]:
    evidence = gate_input.get("evidence")
    if evidence is not None:
        yield from documents(evidence, bundle)
        yield from trusted_keys(evidence)


def documents(evidence: Stored, bundle: Stored | None) -> Iterator[Fact]:
    """The bundle that a gate read, and its content."""
    yield fact("bundle", "documents of the release", digest=evidence["bundleDigest"], id_=evidence["bundleId"])
    for each in (bundle or {}).get("documents", ()):
        yield fact(each["kind"], f"{each['format']} by {each['producer']}", digest=each["digest"], id_=each.get("id"))


def trusted_keys(evidence: Stored) -> Iterator[Fact]:
    for key in evidence["trustedKeys"]:
        yield fact("trusted-key", key["name"], digest=key["keyId"])


WORDING: Final = Wording(
    sentence=_sentence,
    weaker=_weaker,
    facts_shown=_facts,
    event="Upload the missing documents, then take a new bundle.",
    tells_votes=False,
)
