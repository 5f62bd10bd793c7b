"""Written by hand for the speed of a vote (docs/adr/0133): `rows` reads and writes its rows with SQL whose text is made
once, `without_lock` tries an act without a lock first. What is judged, and what is stored, is the same either way."""
