"""The error that a person sees."""

from support import BAD_ARGUMENTS, FAILED, UserError


def test_bad_input_is_the_default_and_the_sentence_stays():
    assert UserError("no file x").exit_code == BAD_ARGUMENTS == 2
    assert UserError("no camera", exit_code=FAILED).exit_code == 1
    assert str(UserError("no file x")) == "no file x"
