"""Runs of an installed program, limited in time and in output, with the processes that it starts."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from typing import NamedTuple

from ....errors import TlsproxyError

_PATIENCE = 20.0
"""Seconds that a program may take for an answer."""
_LONGEST = 1 << 20
"""Bytes of an answer; the longest of openssl(1), a list of ciphers, has a few thousand."""
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "OPENSSL_CONF": "/dev/null"}
"""The program runs without the configuration of the system, which Postfix overrides."""


class NoAnswerError(TlsproxyError):
    """A program that can't be run, or whose answer exceeds a limit; the text says which."""


class ProgramAnswer(NamedTuple):
    """The result of a program."""

    status: int
    output: str
    errors: str


def run(program: str, *arguments: str) -> ProgramAnswer:
    """Run a program, and return its answer; raise `NoAnswerError`."""
    try:
        process = subprocess.Popen(  # noqa: S603  the program is the user's choice
            [program, *arguments],
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise NoAnswerError(f"{program}: {getattr(error, 'strerror', None) or error}") from None
    with process:
        try:
            deadline = time.monotonic() + _PATIENCE
            output, errors = _read(process, program, deadline)
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except BaseException as error:
            # Its children may hold the pipes open.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise _too_slow(program) from None
            raise
    return ProgramAnswer(status, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace"))


def _read(process: subprocess.Popen[bytes], program: str, deadline: float) -> tuple[bytes, bytes]:
    """Return all that the program writes to its standard output and to its standard error."""
    found = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, data in zip((process.stdout, process.stderr), found, strict=True):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, data)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready or time.monotonic() > deadline:
                raise _too_slow(program)
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                key.data.extend(piece)
                if len(key.data) > _LONGEST:
                    raise NoAnswerError(f"{program}: is not openssl(1): it writes more than {_LONGEST} bytes")
                if not piece:
                    selector.unregister(key.fileobj)
    return bytes(found[0]), bytes(found[1])


def _too_slow(program: str) -> NoAnswerError:
    return NoAnswerError(f"{program}: is not openssl(1), or is stuck: no answer within {_PATIENCE:.0f} s")
