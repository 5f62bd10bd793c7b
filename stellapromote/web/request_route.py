"""The route of a request, for the counts of the front (docs/adr/0243)."""

from typing import Final

ROUTE: Final = "stellapromote.route"
"""The key of the WSGI environment that holds it once Django has found the view."""
