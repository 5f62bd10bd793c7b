"""Code written by hand for the speed of a vote (docs/adr/0133): `rows` reads and writes its rows with SQL whose text
is made once, `without_lock` tries an act without a lock first. The verdicts and the stored bytes are the same either
way."""
