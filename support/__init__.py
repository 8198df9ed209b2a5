"""The lowest layer: errors, flags, safe files, strict weights. It imports none of the project's other parts."""

from support.door import VERSION, add_flags, note, pick_device, run_door, setting
from support.errors import BAD_ARGUMENTS, FAILED, UserError
from support.files import written_whole

__all__ = [
    "BAD_ARGUMENTS",
    "FAILED",
    "VERSION",
    "UserError",
    "add_flags",
    "note",
    "pick_device",
    "run_door",
    "setting",
    "written_whole",
]
