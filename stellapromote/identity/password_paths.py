"""The addresses of forms with a password, which have a thread of their own. Imported before Django is set up."""

from typing import Final

PASSWORD_PATHS: Final = ("/accounts/", "/welcome/")
"""How they begin."""
