import re
import runpy
from pathlib import Path

import pytest

from stellapromote.errors import (
    CODES,
    Conflict,
    FieldError,
    Invalid,
    ProductError,
    Refused,
    RuleViolation,
    codes_as_markdown,
    reason_against,
    sentence_against,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"

# contract.md, errors: the HTTP classes of each family of codes
STATUSES = {
    "VAL": {400, 406, 408, 413, 415},
    "AUTH": {401},
    "PERM": {403},
    "RES": {404, 405, 409, 412},
    "ENV": {422},
    "REL": {422},
    "PROM": {422},
    "GATE": {422},
    "POL": {422},
    "EVD": {422},
    "SYS": {429, 500, 503},
}

# contract.md where it names a code together with its status
NAMED_IN_THE_DESIGN = {
    "AUTH_TOKEN_MISSING": 401,
    "AUTH_TOKEN_INVALID": 401,
    "AUTH_TOKEN_EXPIRED": 401,
    "AUTH_TOKEN_REVOKED": 401,
    "VAL_INVALID": 400,
    "VAL_UNKNOWN_FIELD": 400,
    "VAL_UNKNOWN_PARAMETER": 400,
    "PERM_DENIED": 403,
    "PERM_TENANT_REQUIRED": 403,
    "PERM_SEPARATION_OF_DUTIES": 403,
    "PERM_NOT_ELIGIBLE": 403,
    "PERM_SERVICE_ACCOUNT_CANNOT_VOTE": 403,
    "RES_NOT_FOUND": 404,
    "RES_DUPLICATE": 409,
    "RES_IN_USE": 409,
    "RES_STATE_CONFLICT": 409,
    "RES_ALREADY_VOTED": 409,
    "RES_ENVIRONMENT_BUSY": 409,
    "RES_IDEMPOTENCY_KEY_REUSED": 409,
    "RES_IN_PROGRESS": 409,
    "RES_PRECONDITION_FAILED": 412,
    "RES_SUBJECT_CHANGED": 412,
    "PROM_SEQUENCE_VIOLATION": 422,
    "PROM_RELEASE_NOT_FINALIZED": 422,
    "PROM_RELEASE_DEPRECATED": 422,
    "PROM_BLOCKED": 422,
    "PROM_APPROVAL_EXPIRED": 422,
    "GATE_ERROR": 422,
    "GATE_TIMEOUT": 422,
    "GATE_FROZEN": 422,
    "POL_INVALID": 422,
    "POL_UNSATISFIABLE": 422,
    "EVD_INVALID_DOCUMENT": 422,
    "EVD_DIGEST_MISMATCH": 422,
    "ENV_INVALID_RECURRENCE": 422,
    "REL_NOT_DRAFT": 422,
    "REL_INCOMPLETE": 422,
    "REL_MANIFEST_MISMATCH": 422,
    "REL_STATUS_MISMATCH": 422,
    "SYS_RATE_LIMITED": 429,
}


@pytest.mark.parametrize("name", CODES)
def test_every_code_is_answered_with_a_status_of_its_family(name: str) -> None:
    assert CODES[name].status in STATUSES[name.partition("_")[0]]


@pytest.mark.parametrize("name", CODES)
def test_every_code_is_upper_snake(name: str) -> None:
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)+", name)


@pytest.mark.parametrize("name", CODES)
def test_every_code_says_what_it_means_and_what_to_do(name: str) -> None:
    meaning, _, next_step = CODES[name].meaning.partition(": ")

    assert meaning
    assert next_step.endswith(".")


@pytest.mark.parametrize(("name", "status"), NAMED_IN_THE_DESIGN.items())
def test_every_code_of_the_design_is_listed_with_its_status(name: str, status: int) -> None:
    assert CODES[name].status == status


def test_the_document_lists_exactly_the_codes() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == codes_as_markdown(), (
        "write it again: python -m stellapromote.errors > docs/errors.md"
    )


def test_the_module_run_as_a_program_writes_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(DOCUMENT.parents[1] / "stellapromote" / "errors.py"), run_name="__main__")

    assert capsys.readouterr().out == codes_as_markdown()


def test_a_refusal_carries_code_status_message_and_details() -> None:
    refusal = Conflict("Six promotions use it.", code="RES_IN_USE", details={"promotions": 6})

    assert (refusal.code, refusal.status, refusal.message, refusal.details, str(refusal)) == (
        "RES_IN_USE",
        409,
        "Six promotions use it.",
        {"promotions": 6},
        "Six promotions use it.",
    )


def test_a_named_refusal_has_its_code_from_its_class() -> None:
    class OwnRequest(Refused):
        code = "PERM_SEPARATION_OF_DUTIES"

    assert (OwnRequest("You requested it.").code, OwnRequest("You requested it.").status) == (
        "PERM_SEPARATION_OF_DUTIES",
        403,
    )


def test_a_refusal_without_a_message_says_what_its_code_means() -> None:
    assert Refused().message == CODES["PERM_DENIED"].meaning


def test_a_code_given_to_one_refusal_does_not_change_the_others() -> None:
    Conflict(code="RES_IN_USE")

    assert Conflict().code == "RES_STATE_CONFLICT"


def test_an_invalid_request_names_its_fields() -> None:
    wrong = FieldError("rules[0].minApprovals", "must be at least 1", "min_value")

    assert Invalid(fields=[wrong]).fields == [wrong]


def test_an_invalid_request_may_have_no_field_to_name() -> None:
    assert Invalid(code="VAL_MALFORMED_JSON").fields == []


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["unknown_field"], "VAL_UNKNOWN_FIELD"),
        (["unknown_field", "required"], "VAL_INVALID"),
        (["unknown_parameter", "unknown_value"], "VAL_UNKNOWN_PARAMETER"),
        (["not_supported"], "VAL_NOT_SUPPORTED"),
        (["required"], "VAL_INVALID"),
    ],
)
def test_the_code_says_what_all_places_have_in_common(codes: list[str], expected: str) -> None:
    refusal = Invalid(fields=[FieldError("a", "No.", code) for code in codes])
    assert refusal.code == expected
    assert refusal.message.startswith("a: No.")


def test_a_business_rule_needs_a_code() -> None:
    with pytest.raises(ValueError, match="has no code of its own"):
        RuleViolation("no")


def test_a_refusal_of_no_kind_needs_a_code() -> None:
    with pytest.raises(ValueError, match="has no code of its own"):
        ProductError("no")


def test_a_refusal_of_no_kind_takes_any_code() -> None:
    assert ProductError(code="SYS_UNAVAILABLE").status == 503


def test_a_class_with_an_unlisted_code_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="CODES"):
        type("Mistyped", (Refused,), {"code": "PERM_DENYED"})


def test_a_class_with_a_code_of_another_kind_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="PERM_"):
        type("Misplaced", (Refused,), {"code": "RES_NOT_FOUND"})


def test_a_refusal_cannot_be_given_an_unlisted_code() -> None:
    with pytest.raises(ValueError, match="CODES"):
        Conflict(code="RES_WHATEVER")


@pytest.mark.parametrize(
    ("kind", "code"),
    [(Invalid, "RES_NOT_FOUND"), (Refused, "VAL_INVALID"), (Conflict, "PERM_DENIED"), (RuleViolation, "SYS_INTERNAL")],
)
def test_a_refusal_cannot_be_given_a_code_of_another_kind(kind: type[ProductError], code: str) -> None:
    with pytest.raises(ValueError, match="its codes begin with"):
        kind(code=code)


def check_even(number: int, *, zero: bool = True) -> int:
    if number % 2 or not (number or zero):
        raise Conflict(f"{number} will not do.")
    return number


def test_a_check_has_a_twin_that_gives_the_reason_against_it() -> None:
    refusal = reason_against(check_even, 0, zero=False)
    assert isinstance(refusal, Conflict)
    assert (refusal.message, refusal.code) == ("0 will not do.", "RES_STATE_CONFLICT")
    assert sentence_against(check_even, 3) == "3 will not do."


def test_nothing_stands_against_what_passes_its_check() -> None:
    assert reason_against(check_even, 2) is None
    assert sentence_against(check_even, 2) == ""


def test_a_mistake_of_the_program_is_no_reason() -> None:
    with pytest.raises(TypeError):
        sentence_against(check_even, "two")  # type: ignore[arg-type]
