"""Files of forms: kept in memory, and never more than a document may have."""

from typing import Any, Final

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import MemoryFileUploadHandler

MOST_FORM: Final = 33 * 1024 * 1024


class BoundedUploadHandler(MemoryFileUploadHandler):
    """Refuses a form that announces more, before anything of it is read. Nothing is written to the disk."""

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *_rest: Any) -> None:  # noqa: ARG002, N803
        if content_length > MOST_FORM:
            raise RequestDataTooBig(f"A form has at most {MOST_FORM} bytes.")
        self.activated = True
