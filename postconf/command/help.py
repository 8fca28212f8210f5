"""Help text of tlsproxy-postconf: the options of postconf(1), and its own."""

from __future__ import annotations

from ..program.options import COMPLETION, HELP, VERSION, Option, help_text

PROGRAM = "tlsproxy-postconf"
_CLASSES = ("builtin", "service", "user", "all")
OWN = (
    Option(["--json"], "print parameters as JSON, or services with -M and -P: values and their origins"),
    Option(["--origin"], "show where each value comes from, through all references; also with --json"),
    Option(["--service"], "show the parameters of this service in master.cf, with its -o settings", "NAME/TYPE"),
    Option(
        ["--postfix-version"],
        "use the defaults and rules of this release, such as 3.10; default: the installed one, or 3.7",
        "V",
    ),
    COMPLETION,
    HELP,
    VERSION,
)
POSTFIX = (
    Option(["-c"], "directory of main.cf and master.cf; default: $MAIL_CONFIG or /etc/postfix", "DIR"),
    Option(["-d"], "print defaults instead of settings"),
    Option(["-n"], "print only settings in main.cf"),
    Option(["-x"], "expand $names in values"),
    Option(["-h"], "print values without names"),
    Option(["-H"], "print names without values"),
    Option(["-f"], "fold long lines"),
    Option(["-C"], "print parameters of this class", "CLASS", _CLASSES),
    Option(["-o"], "override a setting of main.cf", "NAME=VALUE"),
    Option(["-M"], "print services of master.cf (name/type)"),
    Option(["-F"], "print fields of services (name/type/field)"),
    Option(["-P"], "print -o settings of services (name/type/parameter)"),
    Option(["-e"], "edit: change or add NAME=VALUE (with -M, -F, -P in master.cf)"),
    Option(["-X"], "edit: remove"),
    Option(["-#"], "edit: comment out"),
    Option(["-j"], "print one JSON object per line (Postfix 3.11 and later)"),
    Option(["-p"], "print settings of main.cf (which is the default)"),
    Option(["-q"], "don't warn of unused parameters (Postfix 3.9 and later)"),
    Option(["-b"], "expand bounce templates, by bounce(8)", ""),
    Option(["-t"], "print bounce templates, by bounce(8)", ""),
    Option(["-l"], "print lock types"),
    Option(["-m"], "print table types"),
    Option(["-a"], "print SASL types of the server"),
    Option(["-A"], "print SASL types of the client"),
    Option(
        ["-T"],
        "print a property of the TLS library",
        "MODE",
        ("compile-version", "run-version", "public-key-algorithms"),
    ),
    Option(["-v"], "accepted without effect"),
)
_EXAMPLES = """\
  tlsproxy-postconf -n                                      settings in main.cf
  tlsproxy-postconf --origin smtpd_tls_cert_file            where a value comes from: file, line and column
  tlsproxy-postconf --service submission/inet --json        parameters of that service
  tlsproxy-postconf -c ./postfix -e smtpd_tls_loglevel=1    change a setting
  tlsproxy-postconf --postfix-version 3.10 -d smtpd_forbid_bare_newline
"""


def text() -> str:
    """Return the text of --help."""
    return help_text(
        f"{PROGRAM} [option ...] [name ... | name=value ...]",
        "postconf(1) for machines without Postfix: print and change main.cf and master.cf.",
        [("options of postconf(1)", POSTFIX), ("options beyond postconf(1)", OWN)],
        _EXAMPLES,
    )
