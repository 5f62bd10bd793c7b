import sys
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from policies.explaining import EXIT, UNUSABLE, Explanation, Unusable, explain_document, explain_text, parse

MOST_BYTES: Final = 32 * 1024 * 1024
ENGINES: Final = {".cel": "cel", ".rego": "rego"}


class Command(BaseCommand):
    """Says what a policy decides on facts in a file. Ends with 0 allow, 1 pending or warn, 2 deny, 3 unusable.

    Needs no database and touches no network: for CI (docs/policy-gate.md).
    """

    help = "Decide with a policy on facts in a file: exit 0 allow, 1 pending or warn, 2 deny, 3 unusable input."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--policy", required=True, help="A policy document (JSON), or a .cel or .rego text.")
        parser.add_argument("--input", required=True, help="A gate input or a policy input (JSON).")
        parser.add_argument("--gate", help="Look at this gate of the policy only.")
        parser.add_argument("--query", help="With a .rego text: the rule that decides, data.release.allow.")
        parser.add_argument(
            "--document", action="append", default=[], help="A JSON document that the gate input names by its digest."
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """argparse ends with 2 for a wrong call, which here would be a deny."""
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            if end.code == 2 and not getattr(self, "_decided", False):
                sys.exit(UNUSABLE)
            raise

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            said = _explained(options)
        except Unusable as error:
            raise CommandError(str(error), returncode=UNUSABLE) from error
        self.stdout.write(said.outcome)
        for line in said.lines:
            codes = f" [{', '.join(line.codes)}]" if line.codes else ""
            self.stdout.write(f"  {line.outcome:7} {line.gate}{codes}: {line.message}")
        self._decided = True
        if EXIT[said.outcome]:
            sys.exit(EXIT[said.outcome])


def _explained(options: dict[str, Any]) -> Explanation:
    path = Path(options["policy"])
    facts = parse(_read(options["input"]), options["input"])
    blobs = [parse(_read(each), each) for each in options["document"]]
    if path.suffix not in ENGINES:
        return explain_document(parse(_read(path), str(path)), facts, gate=options["gate"], blobs=blobs)
    if options["gate"] is not None:
        raise Unusable("--gate names a gate of a policy document; a text is one gate.")
    try:
        text = _read(path).decode()
    except UnicodeDecodeError:
        raise Unusable(f"{path} is no UTF-8 text.") from None
    return explain_text(ENGINES[path.suffix], text, options["query"], facts, blobs)


def _read(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(content) > MOST_BYTES:
        raise Unusable(f"{path} has more than 32 MiB.")
    return content
