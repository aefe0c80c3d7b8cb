"""Whether the program that a task needs is on this host, and how to come by it."""

import os
import shutil

from netscript_workers.domain.runtime_settings import RuntimeSettingError
from netscript_workers.domain.target import Target
from netscript_workers.ports.runtime import Runtime, Surroundings, Tool


def missing_tool(runtime: Runtime, target: Target, surroundings: Surroundings) -> Tool | None:
    """Return the program that `target` needs and this host has not; None when all is there."""
    try:
        tool = runtime.tool(target, surroundings)
    except RuntimeSettingError:
        return None  # the metadata is wrong, which others say
    path = target.env.get("PATH", surroundings.environ.get("PATH", os.defpath))
    return None if tool is None or shutil.which(tool.program, path=path) is not None else tool
