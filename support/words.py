"""Words for the person at the keyboard: what went wrong outside the program, in one sentence; numbers of things.

In:  sentences with the exit codes that go with them; numbers and their units.
Out: exceptions, which `support/process.py` tells; texts.
"""

from __future__ import annotations

BAD_ARGUMENTS = 2  # the command line, or a file it names, is not usable
LONGEST_SENTENCE = 4000  # characters
FAILED = 1  # the command was fine, but something outside failed: no camera, a full disk


class UserError(Exception):
    """One sentence for the person at the keyboard: what was wanted, what came, what to do.

    `exit_code` is 2 for bad input (the default) and 1 for something outside that failed. A sentence that quotes a text
    of any length loses its middle.
    """

    def __init__(self, sentence: str, *, exit_code: int = BAD_ARGUMENTS) -> None:
        half = LONGEST_SENTENCE // 2
        super().__init__(sentence if len(sentence) <= 2 * half else f"{sentence[:half]} ... {sentence[-half:]}")
        self.exit_code = exit_code


def sentences_before(error: BaseException) -> list[str]:
    """The sentences of the `UserError`s during whose handling, as files were finished, another came; in their order."""
    before: list[str] = []
    while (earlier := error.__context__) is not None:
        if isinstance(earlier, UserError) and not error.__suppress_context__:  # as `raise ... from` sets it
            before.insert(0, str(earlier))
        error = earlier
    return before


def count(number: int, singular: str, plural: str | None = None) -> str:
    """1 frame, 1,234 frames."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
