"""UserError: what a person did or the world refused, in one sentence.

In:  a sentence that says what was wanted, what came and what to do.
Out: an exception that the doors turn into one line and an exit code.
"""

from __future__ import annotations

BAD_ARGUMENTS = 2  # the command line, or a file it names, is not usable
FAILED = 1  # the command was fine, the world was not: no camera, full disk


class UserError(Exception):
    """One sentence for the person at the keyboard: what was wanted, what came, what to do.

    `exit_code` is 2 for bad input (the default) and 1 for something outside that failed.
    """

    def __init__(self, sentence: str, *, exit_code: int = BAD_ARGUMENTS) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
