"""Refusals and their stable codes (contract.md, errors; architecture.md, refusals are named exceptions).

An action refuses by raising one of the four kinds below; concrete exceptions are declared beside the action that raises
them. They are translated in two places only: the API's exception handler and stellapromote.web. CODES is the one list
of codes; `python -m stellapromote.errors` writes docs/errors.md from it and a test compares the two.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, ParamSpec


@dataclass(frozen=True, slots=True)
class Code:
    """The HTTP status of a code, and its meaning together with the next step."""

    status: int
    meaning: str


CODES: dict[str, Code] = {
    # 400, 406, 408, 413, 415: the request itself
    "VAL_INVALID": Code(
        400, "A field has a value that is not allowed: correct the fields in validationErrors and send again."
    ),
    "VAL_UNKNOWN_FIELD": Code(
        400, "The body has a field this call does not know: remove the field named in validationErrors."
    ),
    "VAL_UNKNOWN_PARAMETER": Code(
        400,
        "The query has a parameter or value this call does not know: correct the one named in validationErrors.",
    ),
    "VAL_MALFORMED_JSON": Code(
        400, "The body is not valid JSON in UTF-8: repair it at the place named and send again."
    ),
    "VAL_MALFORMED_YAML": Code(
        400, "The text is not YAML, or has a part that is not read here: correct it at the line named and send again."
    ),
    "VAL_NOT_SUPPORTED": Code(
        400,
        "This version does not enforce the setting named, so it is not stored: leave the setting out and send again.",
    ),
    "VAL_BODY_TOO_SLOW": Code(
        408,
        "The body did not arrive in time, so nothing was done: send it again, on a faster line if you have one.",
    ),
    "VAL_BODY_TOO_LARGE": Code(
        413, "The body is larger than this call takes, or the request has too many fields: send less."
    ),
    "VAL_UNSUPPORTED_MEDIA_TYPE": Code(
        415, "This call does not take the media type of the body: send Content-Type application/json."
    ),
    "VAL_NOT_ACCEPTABLE": Code(
        406, "The Accept header excludes the answer of this call: allow application/json, or leave the header out."
    ),
    # 401: who calls
    "AUTH_TOKEN_MISSING": Code(
        401, "The call carries no credentials: send Authorization: Bearer with a token, or sign in."
    ),
    "AUTH_TOKEN_INVALID": Code(
        401, "The token or the Authorization header cannot be read: send a token exactly as it was issued."
    ),
    "AUTH_TOKEN_EXPIRED": Code(401, "The token's life has ended: issue a new one and use that."),
    "AUTH_TOKEN_REVOKED": Code(401, "The token was revoked: issue a new one if you are still meant to have access."),
    "AUTH_SESSION_ENDED": Code(
        401, "An administrator of the tenant ended this session there: sign out, then sign in again."
    ),
    # 403: what the caller may do
    "PERM_DENIED": Code(
        403,
        "The scope named in the message is missing, or limited to other products: ask an administrator of the tenant "
        "for a role that has it.",
    ),
    "PERM_TENANT_REQUIRED": Code(
        403, "The call names no tenant, or none of yours: name one that you belong to in the X-Stella-Tenant header."
    ),
    "PERM_CSRF": Code(
        403, "The CSRF token of the session is missing or wrong: load the page again, or call with a bearer token."
    ),
    "PERM_SEPARATION_OF_DUTIES": Code(
        403,
        "You took part in what is decided here, for the reason named: a person who took no part must decide on it.",
    ),
    "PERM_NOT_ELIGIBLE": Code(
        403,
        "Your vote, confirmation or override does not count here, for the one reason in details.reasons: ask a person "
        "who is eligible.",
    ),
    "PERM_NOT_MANAGED": Code(
        403,
        "This account is not managed here: its person asks for a new password on the sign-in page, or the people who "
        "run this installation make a link.",
    ),
    "PERM_NOT_VOUCHED_FOR": Code(
        403,
        "Your own role is not confirmed, so you cannot confirm what others hold: have your role confirmed first.",
    ),
    "PERM_SECOND_FACTOR": Code(
        403,
        "The tenant requires a second factor of a person who decides: set one up in your settings, sign in with it, "
        "and use that session or a token made in it.",
    ),
    "PERM_SERVICE_ACCOUNT_CANNOT_VOTE": Code(
        403, "Service accounts never vote or confirm, with any scopes: ask a person among the eligible approvers."
    ),
    "PERM_BLIND": Code(
        403,
        "An approval policy hides votes and the answer names them: vote first, or ask again when voting has ended.",
    ),
    "PERM_METRICS": Code(
        403,
        "The figures are for those who run the installation: call from a network in METRICS_ALLOW, or send the value "
        "of METRICS_TOKEN as Authorization: Bearer.",
    ),
    # 404, 405, 409, 412: the object and its state
    "RES_NOT_FOUND": Code(404, "There is no such path or object in your tenant: check the path and the id."),
    "RES_METHOD_NOT_ALLOWED": Code(
        405, "The path exists but not with this method: use one of those in the Allow header."
    ),
    "RES_DUPLICATE": Code(409, "The same thing exists already: use the one named in details, or choose other values."),
    "RES_AMBIGUOUS": Code(409, "Several objects have this name: name also what details has, or give the id."),
    "RES_NAME_USED": Code(
        409, "Records hold this name of an object that is gone, or a gate waits for it: choose another name."
    ),
    "RES_IN_USE": Code(
        409, "Other objects depend on this one: take it out of those that details counts or names first."
    ),
    "RES_LAST_ADMIN": Code(
        409, "The person is the last administrator of the tenant: give another member the role admin first."
    ),
    "RES_STATE_CONFLICT": Code(
        409, "The object's present state does not allow this: read it again and choose what its state allows."
    ),
    "RES_ALREADY_VOTED": Code(
        409, "Your vote on this promotion is given already: withdraw it first if you want to change it."
    ),
    "RES_ENVIRONMENT_BUSY": Code(
        409,
        "Another deployment runs in the environment, or another run deploys this promotion: start nothing until the "
        "promotion named in details has ended.",
    ),
    "RES_IDEMPOTENCY_KEY_REUSED": Code(
        409, "The Idempotency-Key was used for another body: use a new key, or send the first body again."
    ),
    "RES_IN_PROGRESS": Code(
        409, "The first call with this Idempotency-Key still runs: send the same call again in a moment."
    ),
    "RES_PRECONDITION_FAILED": Code(
        412,
        "The object changed since you read it, so If-Match does not hold: read it again and decide on what you see.",
    ),
    "RES_SUBJECT_CHANGED": Code(
        412, "The subject of your decision has changed: look at the changed fields in details, then decide again."
    ),
    # 422: business rules
    "ENV_ARCHIVED": Code(
        422, "The environment is archived and takes no promotions: unarchive it or choose another one."
    ),
    "ENV_INVALID_RECURRENCE": Code(422, "The recurrence rule cannot be used: correct the part named in the message."),
    "ENV_INVALID_AUTO_PROMOTE": Code(
        422,
        "autoPromoteFrom must name the environment directly before this one, or nothing: correct it or the order.",
    ),
    "REL_NOT_DRAFT": Code(422, "The release is no draft any more and cannot change: create a new release instead."),
    "REL_INCOMPLETE": Code(
        422, "The release cannot be finalized yet: give it the missing components or digests named in details."
    ),
    "REL_UNKNOWN_PRODUCT": Code(
        422, "There is no product of this name in your tenant: ask an administrator to create it, then send again."
    ),
    "REL_PRODUCT_ARCHIVED": Code(
        422, "The product is archived and takes no new release and no new request: name another product."
    ),
    "REL_OTHER_PRODUCT": Code(
        422,
        "An image belongs to another product, or all images are shared: release it under its own product, or ask an "
        "administrator.",
    ),
    "REL_TOO_MANY_REPOSITORIES": Code(
        422,
        "The product would have more image repositories than a product may: ask an administrator to name all below "
        "one, such as ghcr.io/acme/*.",
    ),
    "REL_MANIFEST_MISMATCH": Code(
        422,
        "The components of the release were changed behind its manifestDigest: tell the platform owner, and create a "
        "new release.",
    ),
    "REL_STATUS_MISMATCH": Code(
        422,
        "The status of the release was changed beside the product: tell the platform owner, and promote another "
        "release.",
    ),
    "PROM_SEQUENCE_VIOLATION": Code(
        422,
        "The release may not enter this environment yet: deploy it first into the environment named in the message.",
    ),
    "PROM_NOT_ON_PATH": Code(
        422,
        "The environment is not on the path of the product: choose one on it, or ask an administrator to change it.",
    ),
    "PROM_RELEASE_NOT_FINALIZED": Code(422, "Only finalized releases can be promoted: finalize the release first."),
    "PROM_RELEASE_DEPRECATED": Code(
        422, "The release is deprecated and can only be rolled back to: promote a newer release."
    ),
    "PROM_BLOCKED": Code(422, "Gates do not pass now: details lists them, what each waits for, and when it may pass."),
    "PROM_APPROVAL_EXPIRED": Code(
        422, "The request or its approval is too old to be used: request the promotion again."
    ),
    "GATE_FROZEN": Code(
        422, "A freeze is active for the environment: wait for its end, named in details, or ask its author to lift it."
    ),
    "GATE_ERROR": Code(
        422,
        "A gate could not be judged, which never is a pass: read its details, remove the cause, evaluate again.",
    ),
    "GATE_TIMEOUT": Code(
        422,
        "A gate's facts did not arrive in time, which never is a pass: evaluate again when their source answers.",
    ),
    "POL_INVALID": Code(422, "The policy document cannot be used: correct the places named in details."),
    "POL_NO_GUARD": Code(
        422,
        "No approval policy of the environment is for this product: ask an administrator to name one there.",
    ),
    "POL_UNSATISFIABLE": Code(
        422,
        "Too few people are eligible to satisfy this policy: add people or teams to the rules named, owner teams to "
        "the product named, or ask for fewer.",
    ),
    "EVD_INVALID_DOCUMENT": Code(
        422, "The document cannot be read as its kind: correct it at the place named in the message."
    ),
    "EVD_DIGEST_MISMATCH": Code(
        422,
        "The digest that you sent is not that of the artifact or release: compare it with the one the answer names.",
    ),
    "EVD_TOO_MANY_DOCUMENTS": Code(
        422, "This artifact has documents of too many tools and uploaders: send newer documents of those it has."
    ),
    "EVD_NO_DOCUMENTS": Code(
        422, "There is no document about these artifacts: upload one with POST /evidence, then ask again."
    ),
    # 429, 500, 503: the server
    "SYS_RATE_LIMITED": Code(429, "Too many calls in a short time: wait as long as the Retry-After header says."),
    "SYS_INTERNAL": Code(
        500, "The server failed and changed nothing: try again, and tell the operator the request id if it repeats."
    ),
    "SYS_UNAVAILABLE": Code(
        503, "The server cannot do this now: try again shortly; /readyz tells the operator what is missing."
    ),
    "SYS_CLOCK_SKEW": Code(
        503,
        "The row named in details is dated ahead of the database's clock, so nothing is decided: try again after "
        "Retry-After; /readyz tells the operator.",
    ),
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """The error of one field: its path in wire names (`rules[0].minApprovals`), a sentence, and a code, a word in lower
    case (`unknown_field`)."""

    field: str
    message: str
    code: str


_OF_ONE_KIND: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("VAL_UNKNOWN_FIELD", frozenset({"unknown_field"})),
    ("VAL_UNKNOWN_PARAMETER", frozenset({"unknown_parameter", "unknown_value"})),
    ("VAL_NOT_SUPPORTED", frozenset({"not_supported"})),
)


def code_of(fields: Iterable[FieldError]) -> str:
    """The code of an answer about these fields: that of the entries when they all say the same kind of thing."""
    words = {each.code for each in fields}
    return next((code for code, kind in _OF_ONE_KIND if words and words <= kind), "VAL_INVALID")


class ProductError(Exception):
    """A refusal with a stable code. Subclasses set `code`; one raised without a message says the code's meaning.

    A refusal of another kind (AUTH_*, SYS_*) is a ProductError itself, with its code as argument.
    `details` is data for the caller, put into the answer as it is: JSON only, no secrets, no other tenant's facts.
    ValueError without a code, or for one not listed or of another kind of refusal: a mistake in the program.
    """

    families: ClassVar[tuple[str, ...]] = (
        "VAL_",
        "AUTH_",
        "PERM_",
        "RES_",
        "ENV_",
        "REL_",
        "PROM_",
        "GATE_",
        "POL_",
        "EVD_",
        "SYS_",
    )
    #: True for a refusal that is raised after its action has committed a change (an expired request was cancelled):
    #: a repeated call with the same Idempotency-Key gets this answer again.
    changed_state: bool = False
    #: The field, in wire names, that a refusal is about which has one sentence for all: the name that is taken.
    about: str = ""
    #: Seconds after which what is answered with 429 or 503 may be tried again (Retry-After).
    retry_after: int = 5
    code: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "code"):
            cls._check(cls.code)

    def __init__(
        self, message: str | None = None, *, code: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        if code is not None:
            self._check(code)
            self.code = code
        elif not hasattr(self, "code"):
            raise ValueError(f"{type(self).__name__} has no code of its own: give one")
        self.message = CODES[self.code].meaning if message is None else message
        self.details = details
        super().__init__(self.message)

    @classmethod
    def _check(cls, code: str) -> None:
        if code not in CODES:
            raise ValueError(f"{code} is not in stellapromote.errors.CODES: list it there and in docs/errors.md")
        if not code.startswith(cls.families):
            raise ValueError(
                f"{code} is not a code of {cls.__name__}: its codes begin with {' or '.join(cls.families)}"
            )

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return CODES[self.code].status


class Invalid(ProductError):
    """The request itself is wrong: 400, 406, 408, 413 or 415. `fields` says where, one entry for each thing to correct.

    Without a message of its own it says the first of them, and without a code that of what they all are.
    """

    families = ("VAL_",)
    code = "VAL_INVALID"

    def __init__(
        self,
        message: str | None = None,
        *,
        fields: Iterable[FieldError] = (),
        code: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        self.fields = list(fields)
        if message is None and self.fields:
            message = self._first_of_them()
        if code is None and self.code == "VAL_INVALID":
            code = code_of(self.fields)
        super().__init__(message, code=code, details=details)

    def _first_of_them(self) -> str:
        first, more = self.fields[0], len(self.fields) - 1
        return f"{first.field}: {first.message}" + (f" And {more} more, see validationErrors." if more else "")


class UnknownHost(Invalid):
    """The Host of a request is no name of this server."""

    def __init__(self) -> None:
        message = "This server does not have that name: use an address of it that stands in ALLOWED_HOSTS."
        super().__init__(message, fields=[FieldError("Host", message, "invalid")])


class Refused(ProductError):
    """The caller may not do this: 403."""

    families = ("PERM_",)
    code = "PERM_DENIED"


class Conflict(ProductError):
    """The object's state, a duplicate or a precondition stands against it: 409 or 412."""

    families = ("RES_",)
    code = "RES_STATE_CONFLICT"


class RuleViolation(ProductError):
    """A business rule forbids it: 422. There is no general code: the subclass or the argument gives one."""

    families = ("ENV_", "REL_", "PROM_", "GATE_", "POL_", "EVD_")


P = ParamSpec("P")


def reason_against(check: Callable[P, object], *args: P.args, **facts: P.kwargs) -> ProductError | None:
    """The refusal that ``check`` raises, or None: the twin of every `check_can_x` (architecture.md, 2)."""
    try:
        check(*args, **facts)
    except ProductError as refusal:
        return refusal
    return None


def sentence_against(check: Callable[P, object], *args: P.args, **facts: P.kwargs) -> str:
    """Its sentence, for a button that is shown disabled; empty where nothing stands against it."""
    refusal = reason_against(check, *args, **facts)
    return "" if refusal is None else refusal.message


def codes_as_markdown() -> str:
    """The text of docs/errors.md."""
    rows = "".join(f"| `{name}` | {code.status} | {code.meaning} |\n" for name, code in CODES.items())
    return (
        "# Error codes\n\n"
        "Every answer that is not 2xx carries one of these codes in `error.code`. Codes are stable: programs may rely "
        "on them, and on nothing in the sentences.\n"
        "Written by `python -m stellapromote.errors > docs/errors.md`.\n\n"
        "| code | HTTP | what it means: what to do |\n|---|---|---|\n" + rows
    )


if __name__ == "__main__":
    sys.stdout.write(codes_as_markdown())
