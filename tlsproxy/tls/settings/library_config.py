"""OpenSSL's own configuration file (tls_config_file, tls_config_name; postconf(5), config(5)).

The library reads it once, when it is loaded, and keeps silent about errors. So this must not import it: `configuration`
is the file for the library, `problem` is Postfix's complaint about it, `reasons` are the library's.
The verdict on a file is the library's: a process of its own loads the file, strictly as Postfix does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import lru_cache
from typing import NamedTuple

from postconf.files.regular import read_regular
from postconf.models import TlsGlobals
from postconf.syntax.lines import decode, encode

_SYSTEM_FILE = "/etc/ssl/openssl.cnf"
_OWN = b"""\
openssl_conf = tlsproxy
[tlsproxy]
ssl_conf = tlsproxy_ssl
[tlsproxy_ssl]
system_default = tlsproxy_defaults
[tlsproxy_defaults]
NumTickets = 1
"""
"""One session ticket for each handshake, as Postfix has it: OpenSSL has no other setting for it."""
_SELECTION = b"\n\n[default]\nopenssl_conf = %b\n"
"""Text behind that of a file, which selects the section."""
_STRICT = b"config_diagnostics = 1\n"
"""Behind a selection, makes errors count (config(5))."""
_PATIENCE = 20.0
"""Seconds that a process may take to load the library; it takes a twentieth of one."""


class _Examined(NamedTuple):
    """The verdict on a file."""

    configuration: bytes
    """The text that the library is to read."""
    reasons: tuple[str, ...] = ()
    """Errors, in Postfix's form, for which the library refuses the file."""


def problem(library: TlsGlobals) -> str:
    """Return Postfix's warning about settings for which it turns TLS off; empty if they are fine."""
    file = library.tls_config_file
    if file in ("default", "none"):
        return ""
    if not file.startswith("/"):
        return f"non-default tls_config_file = {file} is not an absolute pathname, disabling TLS support"
    if is_readable(file) and not reasons(library):
        return ""
    settings = library.tls_config_name or "global"
    return f"error loading the '{settings}' settings from the {file} OpenSSL configuration file, disabling TLS support"


def reasons(library: TlsGlobals) -> tuple[str, ...]:
    """Return the library's errors in a file that can be read; none for a file that Postfix does not insist on."""
    file = library.tls_config_file
    if not file.startswith("/") or not is_readable(file):
        return ()
    return _examined(file, library.tls_config_name, strict=True).reasons


def configuration(library: TlsGlobals) -> bytes:
    """Return the text that OpenSSL is to read when it is loaded.

    The file of the distribution only counts if a section of it is named: all else that it is used for (ciphers,
    protocols, a security level) Postfix's settings override.
    """
    file, name = library.tls_config_file, library.tls_config_name
    if file == "default" and name and is_readable(_SYSTEM_FILE):
        return _examined(_SYSTEM_FILE, name, strict=False).configuration
    if not file.startswith("/") or problem(library):
        return _OWN
    return _examined(file, name, strict=True).configuration


def is_readable(file: str) -> bool:
    """Return True if this process may read the file."""
    return os.access(os.fsencode(file), os.R_OK)


@lru_cache(maxsize=8)
def _examined(file: str, name: str, *, strict: bool) -> _Examined:
    """Let the library judge a file; `name` is the key whose value is the name of the section, empty for the usual key.

    `strict`: errors count, and a key that is not there means that nothing is configured.
    """
    try:
        text = read_regular(file)
    except OSError as error:
        return _Examined(_OWN, (f"{file}: {error.strerror}",))
    key = encode(name) or b"openssl_conf"
    whole = _with_includes(text)
    section = _value(whole, key)
    selected = text + _SELECTION % section if section else _OWN
    if not strict:
        return _Examined(selected + _one_ticket(whole, section))
    # A section that is missing makes the library complain; silence means that it could not read the file at all.
    if not _errors(text + _SELECTION % b"tlsproxy_missing" + _STRICT):
        return _Examined(_OWN, _syntax_errors(file, text))
    return _Examined(selected + _one_ticket(whole, section), _errors(selected + _STRICT) if section else ())


_LOAD = """\
from cryptography.hazmat.bindings.openssl.binding import Binding
lib, ffi = Binding.lib, Binding.ffi
text = lambda pointer: ffi.string(pointer).decode("ascii", "replace") if pointer else ""
while code := lib.ERR_get_error():
    print(f"error:{code:08X}:{text(lib.ERR_lib_error_string(code))}::{text(lib.ERR_reason_error_string(code))}:")
"""


def _errors(configuration: bytes) -> tuple[str, ...]:
    """Load the library with a configuration in a process of its own, and return the errors, oldest first."""
    descriptor = os.memfd_create("openssl.cnf")
    try:
        os.write(descriptor, configuration)
        run = subprocess.run(  # noqa: S603  ourselves
            [sys.executable, "-P", "-c", _LOAD],
            env={**os.environ, "OPENSSL_CONF": f"/proc/self/fd/{descriptor}"},
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return (f"OpenSSL can't be loaded: {error}",)
    finally:
        os.close(descriptor)
    if run.returncode:
        return (f"OpenSSL can't be loaded: {run.stderr.decode('utf-8', 'replace').strip().rpartition(chr(10))[2]}",)
    lines = run.stdout.decode("utf-8", "replace").splitlines()
    return tuple(f"TLS library problem: {line}" for line in lines)


_LINE = re.compile(rb"(?:[^\\\n]|\\(?:\n|.))*", re.DOTALL)
_SECTION = re.compile(rb"\s*\[\s*([^\]\s]+)\s*\]")
_NAME = rb"[A-Za-z0-9_!.%&*+,/;?@^~|-]+"
_SETTING = re.compile(rb"\s*(?:(%b)::)?(%b)\s*=\s*(.*)" % (_NAME, _NAME), re.DOTALL)
_PLAIN = re.compile(rb"[A-Za-z0-9_.-]+")
_COMMENT = re.compile(rb"\s*(?:#|$)")
_DIRECTIVE = re.compile(rb"\s*\.(?:include|pragma)\b")
_INCLUDE = re.compile(rb"^\s*\.include\s*=?\s*(/[^\s#$\"'\\]+)[ \t]*$", re.MULTILINE)
_DEEPEST = 8
"""Files that include each other are followed so far."""


def _lines(text: bytes) -> list[tuple[int, bytes]]:
    """Return logical lines, with the number of the first line of each."""
    found = []
    number, position = 1, 0
    while position < len(text):
        match = _LINE.match(text, position)
        line = match[0] if match else b""
        found.append((number, line))
        number += line.count(b"\n") + 1
        position += len(line) + 1
    return found


def _with_includes(text: bytes, depth: int = _DEEPEST) -> bytes:
    """Put files in the place of the lines that include them, as far as those can be read."""

    def content(match: re.Match[bytes]) -> bytes:
        try:
            return _with_includes(read_regular(decode(match[1])), depth - 1)
        except OSError:
            return b""

    return _INCLUDE.sub(content, text) if depth else text


def _one_ticket(text: bytes, section: bytes) -> bytes:
    """Return the text to add to a file, so that its section leaves one ticket for each handshake, as in `_OWN`."""
    section = section.partition(b"#")[0].strip()
    if not section:
        return b""
    ssl = _value(text, b"ssl_conf", section).partition(b"#")[0].strip()
    defaults = _value(text, b"system_default", ssl).partition(b"#")[0].strip() if ssl else b""
    if not _PLAIN.fullmatch(section + ssl + defaults):
        return b""  # variables and quotes are OpenSSL's to read
    lines = b"" if ssl else b"[%b]\nssl_conf = tlsproxy_ssl\n" % section
    lines += b"" if defaults else b"[%b]\nsystem_default = tlsproxy_defaults\n" % (ssl or b"tlsproxy_ssl")
    return lines + b"[%b]\nNumTickets = 1\n" % (defaults or b"tlsproxy_defaults")


def _value(text: bytes, key: bytes, wanted: bytes = b"default") -> bytes:
    """Return the last value of a key of a section as it is written, or nothing."""
    section, value = b"default", b""
    for _, line in _lines(text):
        if _COMMENT.match(line):
            continue
        if heading := _SECTION.match(line):
            section = heading[1]
        elif (setting := _SETTING.match(line)) and setting[2] == key and (setting[1] or section) == wanted:
            value = setting[3].strip()
    return value


def _syntax_errors(file: str, text: bytes) -> tuple[str, ...]:
    """Name the lines that look wrong in a file that the library has refused."""
    found = []
    for number, line in _lines(text):
        if _COMMENT.match(line) or _DIRECTIVE.match(line) or _SETTING.match(line):
            continue
        if line.lstrip().startswith(b"[") and not _SECTION.match(line):
            found.append(f"{file}:{number}: missing close square bracket")
        elif not line.lstrip().startswith(b"["):
            found.append(f"{file}:{number}: missing equal sign")
    return tuple(found) or (f"{file}: OpenSSL can't read it: see config(5)",)
