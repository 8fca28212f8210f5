"""A tlsmgr(8) in a thread, good or bad."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
from pathlib import Path

from tlsproxy.wire.attributes import write_list

from .listener import Listening
from .smtp_client import read_list


class Manager(Listening):
    """Serves `path` until the end of the context. `manner` is one of `good`, `forgetful` (one reply for each
    connection), `silent`, `nonsense`, `half` (it hangs up in the middle of a reply), `old` (as in Postfix 3.5)."""

    def __init__(self, path: Path, manner: str = "good") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self.manner = manner
        self.sessions: dict[str, str] = {}
        self.requests: list[str] = []
        self.seeds: set[int] = set()
        """The requests for entropy, in bytes."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(20)
        super().__init__(listener, self._answer)

    def _answer(self, stream: socket.socket) -> None:
        with stream, contextlib.suppress(OSError, EOFError):
            if self.manner == "nonsense":
                stream.sendall(os.urandom(100) + b"\0\0")
            if self.manner != "old":
                stream.sendall(write_list([("protocol", "tlsmgr_protocol")]))
            while request := dict(read_list(stream)):
                self.requests.append(request["request"])
                reply = write_list(self._reply(request))
                if self.manner == "silent":
                    continue
                stream.sendall(reply[: len(reply) // 2] if self.manner == "half" else reply)
                if self.manner in ("half", "forgetful"):
                    return

    def _reply(self, request: dict[str, str]) -> list[tuple[str, str | int | bytes]]:
        name = request.get("cache_id", "")
        match request["request"]:
            case "seed":
                self.seeds.add(int(request["size"]))
                return [("status", 0), ("seed", os.urandom(int(request["size"])))]
            case "policy":
                return [("status", 0), ("cachable", 1), ("timeout", 3600)]
            case "lookup":
                found = base64.b64decode(self.sessions.get(name, ""))
                return [("status", 0 if found else -1), ("session", found)]
            case "update":
                self.sessions[name] = request["session"]
            case "delete":
                self.sessions.pop(name, None)
        return [("status", 0)]
