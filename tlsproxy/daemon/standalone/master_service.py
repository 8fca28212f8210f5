"""Service of master.cf that runs this program: its fitness to run, and its idle state.

Under master(8), the first client starts a process, and the process exits after max_idle without a session. So a quiet
machine usually has no process.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import postconf

_TYPE, _LIMIT = 1, 6


class MasterService:
    """An entry of master.cf."""

    def __init__(self, view: postconf.ServiceView) -> None:
        self._view = view
        self._fields = view.service.fields
        self.program = Path(view["daemon_directory"], view.service.command)
        self.place = f"{view.config.master.path}:{view.service.line.number}"

    @property
    def is_ours(self) -> bool:
        """True if its program is a script, as this one is and Postfix's own is not."""
        try:
            with self.program.open("rb") as file:
                return file.read(2) == b"#!"
        except OSError:
            return False

    def problems(self) -> list[str]:
        """Return the problems that keep master(8) from running it."""
        found = []
        if not os.access(self.program, os.X_OK):
            found.append(f"{self.program} can't be executed: the service does not start; make it executable")
        if self._fields[_TYPE] != "unix":
            found.append(f"the type is {self._fields[_TYPE]}: the service does not start; write unix")
        if self._fields[_LIMIT] != "0":
            found.append(f"the process limit is {self._fields[_LIMIT]}: the service does not start; write 0")
        return found

    def describe(self, *, as_json: bool) -> str:
        """Return the output of `--status` for an idle service; empty if no process answers for another reason."""
        master = _running_master(self._view["queue_directory"])
        if not (self.is_ours and master):
            return ""
        if as_json:
            return json.dumps({"mode": "master", "state": "ok", "problems": [], "idle": True, "master_pid": master})
        return f"idle: no process runs, and master(8), process {master}, starts one for the next client ({self.place})"


def _running_master(queue_directory: str) -> int:
    """Return the process id of master(8); 0 if it does not run."""
    try:
        with Path(queue_directory, "pid", "master.pid").open("rb") as file:
            pid = int(file.read(64))
        command = Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0]  # empty for one that has ended
        return pid if command.rpartition(b"/")[2] == b"master" else 0
    except (OSError, ValueError):
        return 0
