from policies.facts import Vote
from promotions.reading.acts import CountedVote


def test_the_votes_of_a_record_are_documented_as_the_gate_input_has_them() -> None:
    assert CountedVote().fields.keys() == Vote.__annotations__.keys()
