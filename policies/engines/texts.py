"""Whether the text of a policy can be used: asked when a policy is saved, of the engine in its child process."""

import importlib.util
from typing import Final

from stellapromote import isolation

CHECK_SECONDS: Final = 2.0
LONGEST_BYTES: Final = 65_536

_PACKAGE: Final = {"cel": "cel", "rego": "regorus"}


def compile_errors(engine: str, text: str, query: str | None) -> list[str]:
    """The errors of the text, each one sentence with line and column; empty when it can be used."""
    if len(text.encode(errors="surrogatepass")) > LONGEST_BYTES:
        return [f"This is too long: use at most {LONGEST_BYTES} bytes."]
    if importlib.util.find_spec(_PACKAGE[engine]) is None:
        return [f"The engine {engine} is not installed here: use cel or an OPA server, or install gordon-to-regorus."]
    payload = text if query is None else f"{query}\n{text}"
    try:
        isolation.run(f"policies.engines.{engine}:check", payload.encode(), timeout=CHECK_SECONDS)
    except isolation.TaskRefused as refusal:
        return [refusal.message]
    except isolation.IsolationTimeout:
        return [f"This takes more than {CHECK_SECONDS:g} seconds to compile: write it in a simpler way."]
    except isolation.IsolationCrashed:
        return ["This ends the process that compiles it: write it in a simpler way."]
    return []
