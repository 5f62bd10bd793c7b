from io import StringIO

from django.core.management import call_command


def run(command: str, *arguments: str) -> tuple[str, str]:
    """What the command wrote to stdout and stderr. CommandError as from the shell, where it is exit code 1."""
    out, err = StringIO(), StringIO()
    call_command(command, *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()
