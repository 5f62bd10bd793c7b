"""The text that `make run` prints: the address, the people, and five minutes of things to try."""

import shlex

from promotions.demo.cast import PEOPLE
from promotions.models import Promotion


def guide(
    url: str, passphrase: str, token: str, waiting: Promotion, *, not_believed: Promotion | None = None, state: str = ""
) -> str:
    """The text for the terminal. ``token`` is of tomas, who requested ``waiting``; ravi built it, Nia decides on it.
    ``not_believed`` waits because CI requested it and scanned it itself. ``state``: STELLAPROMOTE_DATA where it was
    given, which the commands for a tenant need as well.

    The order matters: the refusal can be seen only until Nia has decided.
    """
    api = f"{url}/api/v1"
    people = "\n".join(f"  {person.username:<6} {person.name:<16} {person.does}" for person in PEOPLE)
    number = f"#{waiting.number}"
    others = [gate["name"] for gate in waiting.gates if gate["status"] == "pending" and gate["type"] != "approval"]
    outcome = "the decision is signed at once."
    if others:
        outcome = f"your vote counts, and {' and '.join(others)} still has to pass."
    decided = "any deployed promotion" if others else number
    builder = "ravi, who built it, and " if waiting.release.created_by_id in waiting.excluded_persons else ""
    if not_believed is not None:
        outcome += (
            f"\n     Open #{not_believed.number}, too: the scan by the CI that requested it is not believed, as one by"
            "\n     mei's scanner would be (docs/ci.md)."
        )
    manage = f"{f'STELLAPROMOTE_DATA={shlex.quote(state)} ' if state else ''}.venv/bin/python manage.py"
    return f"""
Demo: {waiting.release.name} waits for Nia before it may enter {waiting.target_environment.display_name}.
Sign in as nia at {url} . All demo people have the passphrase: {passphrase}

{people}

Five minutes, in this order:
  1. As nia, open "Approvals" and look at {number}, which waits for you. Leave it until step 3.
  2. As tomas, who requested it, open it and see why "Approve" is disabled. The API refuses him, too:
       curl -s -X POST {api}/promotions/{waiting.pk}/approve \\
         -H "Authorization: Bearer {token}" -H "Content-Type: application/json" -d '{{}}'
     The page has other reasons for {builder}greta, who administers.
  3. As nia again, approve {number}: {outcome}
  4. As idris, open {decided}: replay the decision and verify its signature; verify the chain under "Audit".
  5. As greta, stop the line under "Environments", watch what was approved wait, and lift it again.
  6. Your own tenant:
       {manage} add_tenant acme --name "Acme"
       {manage} add_member --tenant acme --username you --roles admin,operator --password-stdin
       {manage} issue_token --tenant acme --username you --password-stdin
"""


def left_alone(reason: str, passphrase: str | None) -> str:
    """The text instead, when the story cannot go on. ``passphrase`` is None where the tenant is not the demo's."""
    told = f"\nThe demo is left as it is: {reason}\n"
    return told if passphrase is None else f"{told}Its people sign in as before, with the passphrase: {passphrase}\n"
