"""Start and exit of commands: standard streams, and no traceback for any error.

Every command in bin/ starts here. Descriptors 0 to 2 are open, as in Postfix's programs. Output has the same bytes as
the configuration. A failure is one line on standard error. Commands handle their own errors and exit status.
"""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import NoReturn

DEFECT = 70
"""Exit status after an unexpected exception (EX_SOFTWARE of sysexits.h)."""
_SHOW_TRACEBACK = "TLSPROXY_TRACEBACK"
"""Environment variable that enables the traceback of an unexpected exception."""
_MAX_TEXT = 500
_SIGINT, _SIGPIPE = 2, 13
"""POSIX's signal numbers; the module signal is imported only when needed."""


def run(module: str) -> NoReturn:
    """Run `main` of a module, and end the process with the status that it returns.

    A closed pipe ends the program as SIGPIPE would, silently.
    """
    _open_standard_descriptors()
    try:
        __import__(module)  # importing importlib takes longer than some commands
        status = sys.modules[module].main()
        _flush()
    except BaseException as error:
        status = _failed(error)
    leave(status)


def leave(status: int) -> NoReturn:
    """End the process; a negative status is the number of the signal that ends it.

    The interpreter's teardown takes longer than the work of some commands, and is left out.
    """
    if status < 0:
        import signal

        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _open_standard_descriptors() -> None:
    """Open /dev/null for a closed descriptor; else a file that is opened later would become standard error."""
    try:
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)
    except OSError:  # a chroot without /dev
        return
    for name, mode in ("stdin", "r"), ("stdout", "w"), ("stderr", "w"):
        if getattr(sys, name) is None:
            number = ("stdin", "stdout", "stderr").index(name)
            setattr(sys, name, open(number, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # Values are bytes in Postfix, in any locale.
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]


def _flush() -> None:
    """Flush output, because the interpreter would report an error at exit in its own way."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from None


def _failed(error: BaseException) -> int:
    """Report the exception that ended the command; return the exit status."""
    try:
        if isinstance(error, SystemExit):
            return _exit_status(error)
        if isinstance(error, BrokenPipeError):
            return -_SIGPIPE
        if isinstance(error, KeyboardInterrupt):
            return -_SIGINT
        if isinstance(error, OSError) and error.errno:
            return _say(f"fatal: {_file_of(error)}: {os.strerror(error.errno)}", 1)
        if isinstance(error, MemoryError):
            return _say("fatal: out of memory", 1)
        return _defect(error)
    except BrokenPipeError:
        return -_SIGPIPE


def _exit_status(error: SystemExit) -> int:
    """Return the status of `SystemExit`; raise `BrokenPipeError`."""
    try:
        _flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        return _say(f"fatal: {problem.filename}: {problem.strerror}", 1)
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else _say(str(error.code), 1)


def _file_of(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) and error.filename is None:
        return "write error"
    name = error.filename
    return os.fsdecode(name) if isinstance(name, str | bytes) else "system call"


def _defect(error: BaseException) -> int:
    if os.environ.get(_SHOW_TRACEBACK):
        import traceback

        sys.stderr.write("".join(traceback.format_exception(error)))
        sys.stderr.flush()
        return DEFECT
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return _say(
        f"panic: {text[:_MAX_TEXT]} ({_place(error.__traceback__)}): the command ends; this is a defect of the "
        f"program: please report it with the traceback that {_SHOW_TRACEBACK}=1 in the environment shows",
        DEFECT,
    )


def _place(trace: TracebackType | None) -> str:
    """Return the innermost file and line of a traceback."""
    place = "unknown place"
    while trace is not None:
        place = "/".join(trace.tb_frame.f_code.co_filename.split("/")[-2:]) + f":{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _say(text: str, status: int) -> int:
    """Write a line to standard error, and ignore a full disk. Raise `BrokenPipeError`."""
    shown = "".join(each if each.isprintable() else "?" for each in text)
    try:
        sys.stderr.write(f"{program()}: {shown}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        raise
    except OSError:
        pass
    return status


def program() -> str:
    """Return the name of the command, without its directory."""
    return sys.argv[0].rpartition("/")[2] or sys.argv[0]
