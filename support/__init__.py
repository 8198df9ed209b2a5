"""The lowest layer: errors, flags, safe files, strict weights. It imports none of the project's other parts."""

from support.cli import FAILED, VERSION, UserError, command, notify, run_and_exit, setting
from support.device.choice import pick_device
from support.files import atomic_write, write_file, write_json
from support.words import count

__all__ = [
    "FAILED",
    "VERSION",
    "UserError",
    "atomic_write",
    "command",
    "count",
    "notify",
    "pick_device",
    "run_and_exit",
    "setting",
    "write_file",
    "write_json",
]
