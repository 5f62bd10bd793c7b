"""Asks an embedded engine about one policy input, in the child: when facts are gathered, never while judging."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Literal

import orjson

from policies.document_facts import PolicyAnswer
from policies.engines.answers import normalized, words_of
from policies.engines.policy_input import FromDocuments, PolicyInput, no_documents, policy_input, remembered
from policies.facts import GateInput
from policies.gates import REGISTRY
from policies.library import DocumentMissing, Documents, blob
from stellapromote import isolation

Engine = Literal["cel", "rego", "opa"]

EMBEDDED: Final = ("cel", "rego")
_KIND: Final = "policy"
WARM_UP_SECONDS: Final = 5.0
MOST_SECONDS: Final = 3.0
"""On the clock, for all policies of one evaluation: a promotion is locked meanwhile. The last one may take longer."""

MOST_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
_EVIDENCE_UNKNOWN: Final = "EVIDENCE_UNKNOWN"


def ask_all(
    policy: Mapping[str, Any], facts: GateInput, documents: Documents, *, patience: float = 1.0
) -> dict[str, PolicyAnswer]:
    """The answers of every policy gate with an embedded engine, by its name; {} when the policy has none.

    `policy` is a promotion policy's content, `documents` hold the blobs that the facts name. A gate whose documents are
    missing has an answer with an error, as has one that fails: never raises for what a policy does.
    """
    gates = [each for each in policy["gates"] if each["kind"] == _KIND and each["config"]["engine"] in EMBEDDED]
    if not gates:
        return {}
    version = _version(facts)
    try:
        about = input_about(facts, documents)
    except DocumentMissing as missing:
        about = policy_input(facts, no_documents(version))
        problem = f"needs the document {missing.digest}, which is missing"
        return {
            gate["name"]: answer(gate["config"]["engine"], about.digest, error="GATE_ERROR", problem=problem)
            for gate in gates
        }
    answers: dict[str, PolicyAnswer] = {}
    until = time.monotonic() + MOST_SECONDS * patience
    for gate in gates:
        name, config = gate["name"], gate["config"]
        if time.monotonic() > until:
            problem = "was not asked, because the policies before it took all the time"
            answers[name] = answer(config["engine"], about.digest, error="GATE_TIMEOUT", problem=problem)
        else:
            answers[name] = ask(config, about, version=version, patience=patience)
    return answers


def input_about(facts: GateInput, documents: Documents) -> PolicyInput:
    """The policy inputs about these facts, by the version of their kind that the facts name. DocumentMissing."""
    evidence, version = facts.get("evidence"), _version(facts)
    if evidence is None:
        return policy_input(facts, no_documents(version))
    read = partial(blob, documents)
    # Read each time, also for remembered answers: a caller without a document must learn nothing from it.
    feeds = (feed["extract"] for feed in (evidence["kev"], evidence["epss"]) if feed is not None)
    parsed = (each["parsed"] for each in read(evidence["bundleDigest"])["documents"])
    for digest in (*feeds, *parsed):
        if digest not in documents:
            raise DocumentMissing(digest)
    return policy_input(facts, remembered(evidence, read, version))


def _version(facts: GateInput) -> int:
    """The version of the policy gates of these facts, where they have any, else of those that there may be."""
    return facts["kinds"].get(_KIND, REGISTRY.current[_KIND])


def ask(config: Mapping[str, Any], about: PolicyInput, *, version: int, patience: float = 1.0) -> PolicyAnswer:
    """The answer of the gate's own engine, or the code of why there is none. Never raises for what a policy does.

    `version` is the gate's kindVersion. `patience` multiplies the gate's time-out. Cost: 0.2 ms and the policy;
    documents that the child has not seen yet cost it some 100 ms for 5,000 findings, once.
    """
    engine: Engine = config["engine"]
    seconds = config["timeoutMs"] / 1000 * patience
    asked = {
        "text": config["text"],
        "query": config.get("query"),
        "data": config["data"],
        "situation": about.situation,
        "evidence": about.documents.digest,
    }
    try:
        said = _evaluate(engine, orjson.dumps(asked), about.documents, seconds)
    except isolation.IsolationTimeout:
        return answer(engine, about.digest, error="GATE_TIMEOUT", problem=f"gave no answer within {seconds:g} s")
    except isolation.IsolationCrashed:
        return answer(engine, about.digest, error="GATE_ERROR", problem="ended its process")
    except isolation.TaskRefused as refusal:
        return answer(engine, about.digest, error="GATE_ERROR", problem=f"could not be evaluated: {refusal.message}")
    return answer(engine, about.digest, result=normalized(orjson.loads(said), words_of(version)))


def answer(
    engine: Engine,
    input_digest: str,
    *,
    result: Any = None,
    revision: str | None = None,
    error: str | None = None,
    problem: str | None = None,
) -> PolicyAnswer:
    """A PolicyAnswer; one without an answer says in its result what the problem was."""
    return {
        "engine": engine,
        "inputDigest": input_digest,
        "revision": revision,
        "error": error,
        "result": result if error is None else {"problem": problem},
    }


def _evaluate(engine: str, asked: bytes, documents: FromDocuments, seconds: float) -> bytes:
    try:
        return isolation.run(f"policies.engines.{engine}:evaluate", asked, timeout=seconds)
    except isolation.TaskRefused as refusal:
        if refusal.code != _EVIDENCE_UNKNOWN:
            raise
    if len(documents.content) > MOST_DOCUMENT_BYTES:
        raise isolation.TaskRefused("GATE_ERROR", "the documents of the bundle are too large for a policy")
    taught = documents.digest.encode() + b"\n" + documents.content
    isolation.run(f"policies.engines.{engine}:warm_up", taught, timeout=WARM_UP_SECONDS)
    return isolation.run(f"policies.engines.{engine}:evaluate", asked, timeout=seconds)
