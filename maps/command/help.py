"""Help text of tlsproxy-postmap: the options of postmap(1), and its own."""

from __future__ import annotations

from postconf.program.options import COMPLETION, HELP, VERSION, Option, help_text

from ..table import TableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "tlsproxy-postmap"
OWN = (COMPLETION, HELP, VERSION)
POSTFIX = (
    Option(["-c"], "directory of main.cf; default: $MAIL_CONFIG or /etc/postfix", "DIR"),
    Option(["-q"], "look a key up; -: each line of standard input", "KEY"),
    Option(["-d"], "delete a key; -: each line of standard input", "KEY"),
    Option(["-s"], "print all entries"),
    Option(["-i"], "add entries from standard input"),
    Option(["-r"], "replace entries without a warning"),
    Option(["-w"], "keep existing entries, without a warning"),
    Option(["-F"], "values are names of files; their content is stored"),
    Option(["-f"], "don't fold keys to lower case"),
    Option(["-N"], "keys and values end with a null byte"),
    Option(["-n"], "keys and values don't end with a null byte"),
    Option(["-o"], "don't become the owner of the source (as root)"),
    Option(["-p"], "don't copy the source's permissions"),
    Option(["-u"], "no UTF-8 checks"),
    Option(["-U"], "UTF-8 checks with -b, -h"),
    Option(["-b"], "with -q -: look up the body lines of a message"),
    Option(["-h"], "with -q -: look up the headers of a message"),
    Option(["-m"], "with -b, -h: include MIME parts"),
    Option(["-v"], "accepted without effect"),
)
_EXAMPLES = """\
  tlsproxy-postmap hash:/etc/postfix/tls_policy                   build a table
  tlsproxy-postmap -q example.com lmdb:/etc/postfix/transport     look a key up; exit status 1: not found
  tlsproxy-postmap -q - 'regexp:{ {/^(.*)@/ $1} }' < addresses    look up each line of a file
  tlsproxy-postmap -s hash:/etc/postfix/aliases                   print all entries
"""


def text() -> str:
    """Return the text of --help."""
    return help_text(
        f"{PROGRAM} [option ...] [type:]file ...",
        "postmap(1) for machines without Postfix: build, query and change lookup tables of every type.",
        [("options of postmap(1)", POSTFIX), ("options beyond postmap(1)", OWN)],
        _EXAMPLES,
    )


def description(arguments: Sequence[str]) -> str:
    """Return the output of our own option as first argument; empty for arguments of postmap(1).

    Raise `TableError` for a misspelled option.
    """
    name, _, value = arguments[0].partition("=")
    if name in HELP.names:
        return text()
    if name in VERSION.names:
        from postconf.program.versions import version_text

        return version_text(PROGRAM)
    if name in COMPLETION.names:
        from postconf.program.completion import script

        try:
            return script(value or "".join(arguments[1:2]), PROGRAM, [*POSTFIX, *OWN], "FILE").rstrip("\n")
        except ValueError as error:
            raise TableError(str(error)) from None
    from postconf.spelling import did_you_mean

    hint = did_you_mean(name, [each.names[0] for each in OWN], _CLOSE)
    if hint:
        raise TableError(f"unrecognized option {name} ({hint})")
    return ""


_CLOSE = 0.7
