from stellapromote.accounts.alike import alike, possible_people

HELD = {"mei": {"ada"}, "mo": {"ada"}, "lee": {"mei"}, "kim": {"ada", "bo"}}


def test_an_account_may_be_of_each_of_its_holders_also_through_another() -> None:
    assert possible_people(HELD, "lee") == {"lee", "mei", "ada"}
    assert possible_people(HELD, "ada") == {"ada"}


def test_accounts_are_alike_where_one_person_may_have_both() -> None:
    assert alike(HELD, ["ada"]) == {"mei", "mo", "lee", "kim"}
    assert alike(HELD, ["mei"]) == {"ada", "mo", "lee", "kim"}
    assert alike(HELD, ["bo"]) == {"kim"}


def test_two_people_who_may_have_the_same_account_are_two() -> None:
    assert "bo" not in alike(HELD, ["ada"])
    assert {"ada", "bo"} <= alike(HELD, ["kim"])


def test_without_held_accounts_none_is_alike() -> None:
    assert alike({}, ["ada"]) == frozenset()
    assert alike(HELD, ["nia"]) == frozenset()


def test_accounts_that_hold_each_other_are_alike() -> None:
    held = {"a": {"b"}, "b": {"a"}}
    assert possible_people(held, "a") == {"a", "b"}
    assert alike(held, ["a"]) == {"b"}
