"""The ends of a task beside its answer."""


class IsolationTimeout(Exception):
    """The task did not answer in time; its process was killed."""


class IsolationBusy(IsolationTimeout):
    """Other calls had the child all the time that this one would wait: the task never began."""


class IsolationCrashed(Exception):
    """The process ended, could not be started, or the task raised an unexpected error; the text names it."""


class TaskRefused(Exception):
    """The task refused its payload: raised by the task, and again by `run`.

    `code` is a stable code, `message` one sentence, `place` where in the payload (`findings[3].cvss`, `2:14`, or "").
    """

    def __init__(self, code: str, message: str, place: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.place = place
