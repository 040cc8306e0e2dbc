"""What is wrong with a request or an answer, in words a person can act on."""


class BenchError(Exception):
    """Coded: `code` for machines, `message` for what and why, `hint` for what to do."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{code}: {message}{' ' + hint if hint else ''}")
        self.code = code
        self.message = message
        self.hint = hint
