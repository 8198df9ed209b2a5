"""The list of networks."""

import pytest

from models.spec import all_specs, find_spec, model_names
from support import UserError


def test_names_are_found_and_others_refused_with_the_list():
    assert "small_resnet18_w32" in model_names()
    assert find_spec("small_resnet18_w32") is all_specs()["small_resnet18_w32"]
    with pytest.raises(UserError, match=r"no network called 'vgg'; the networks are .*small_resnet18_w32"):
        find_spec("vgg")
