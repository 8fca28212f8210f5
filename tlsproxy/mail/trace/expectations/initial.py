"""`--init`: a first file of expectations, made from a configuration's present answers.

Each expectation that is written holds, and is one that most administrators want to hold. One that does not, such as an
open relay, becomes a comment about it. Answers that only the world knows are assumed at the top of the file.
"""

from __future__ import annotations

from postconf.syntax.lines import encode

from ...access.smtpd import ServiceError
from ...access.world import ANSWERS, World
from ..text import printable
from .files import read_expectations
from .judging import Judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from postconf import Config, ServiceView

    from ...access.world import Answer

_STRANGER = "203.0.113.7"
_NAME = "mail.stranger.example"
_RELATIVE = "  # relative to this file"
_MAX_ASSUMPTIONS = 20
_MAX_DOMAINS = 5
"""Own domains that are written for each address class; further ones are added by hand."""


def first_expectations(config: Config) -> str:
    """Return the text of a file of expectations; raise `ConfigError` for a setting with which smtpd(8) dies."""
    services = [view for view in config.services() if _program(view) in ("smtpd", "postscreen")]
    services = [view for view in services if view.service.type == "inet" and _is_unicode(view.service.key)]
    if not services:
        raise ServiceError(f"no service of smtpd(8) in {config.directory}/master.cf")
    wanted = [each for view in services for each in _sessions(config, view, view.service.key)]
    assumed: dict[str, Answer] = {}
    parts = [_checked(config, name, entry, assumed) for name, entry in [*wanted, *_routes(config)]]
    head = "# Expectations for tlsproxy-trace --expect: the behaviour of this configuration.\n"
    if _is_unicode(config.directory):
        head += f'config = "{_quoted(config.directory)}"{_RELATIVE if not config.directory.startswith("/") else ""}\n'
    if assumed:
        head += "\n[assume]\n"
        head += "".join(f'"{_quoted(name)}" = "{_quoted(each.data or each.word)}"\n' for name, each in assumed.items())
    return "\n".join([head, *parts])


def _program(view: ServiceView) -> str:
    return view.service.command.rpartition("/")[2]


def _checked(config: Config, name: str, entry: str, assumed: dict[str, Answer]) -> str:
    """Return an entry if it holds, else a comment with the real outcome; add to the assumptions."""
    text = entry.replace("@NAME@", _quoted(name))
    expectations = read_expectations(text, "expectation")
    added: dict[str, Answer] = {}
    difference = ""
    for _ in range(_MAX_ASSUMPTIONS):
        (verdict,) = Judge(config, World({**assumed, **added})).judge(expectations)
        if verdict.holds:
            assumed.update(added)
            return text
        difference = verdict.difference
        if not verdict.questions:
            break
        added.update({question.name: ANSWERS[question.kind][0] for question in verdict.questions})
    return f"# NOT SO: {printable(name)}\n#   {printable(difference)}\n"


def _sessions(config: Config, view: ServiceView, key: str) -> Iterator[tuple[str, str]]:
    tls = _needs_tls(view)
    yield (
        f"{key}: strangers can't relay",
        _session(key, "someone@stranger.example", "someone@elsewhere.example", "refuse", tls=tls),
    )
    if _is_submission(view):
        yield (
            f"{key}: mail to own users needs a login",
            _session(key, "someone@stranger.example", _own_address(config), "refuse", tls=tls),
        )
    for domain in _domains(config, "mydestination"):
        if not _is_submission(view):
            entry = _session(key, "someone@stranger.example", f"postmaster@{domain}", "accept", tls=tls)
            yield f"{key}: mail to {domain} is accepted", entry
    if view["smtpd_sasl_auth_enable"].lower() == "yes":
        user = _own_address(config)
        yield (
            f"{key}: users can submit with TLS",
            _session(key, user, "someone@elsewhere.example", "accept", tls=True, user=user),
        )
        yield (
            f"{key}: users can't submit without TLS",
            _session(key, user, "someone@elsewhere.example", "refuse", tls=False, user=user),
        )


def _session(key: str, sender: str, recipient: str, expect: str, *, tls: bool, user: str = "") -> str:
    lines = [
        "[[session]]",
        'name = "@NAME@"',
        f'service = "{_quoted(key)}"',
        f'client = "{_STRANGER}"',
        f'client-name = "{_NAME}"',
        *([f'sasl-user = "{_quoted(user)}"'] if user else []),
        *(["tls = true"] if tls else []),
        f'sender = "{_quoted(sender)}"',
        f'recipient = "{_quoted(recipient)}"',
        f'expect = "{expect}"',
    ]
    return "\n".join(lines) + "\n"


def _routes(config: Config) -> Iterator[tuple[str, str]]:
    for parameter, word in (
        ("mydestination", "local"),
        ("virtual_alias_domains", "virtual-alias"),
        ("virtual_mailbox_domains", "virtual-mailbox"),
        ("relay_domains", "relay"),
    ):
        for domain in _domains(config, parameter):
            entry = f'[[route]]\nname = "@NAME@"\nrecipient = "postmaster@{_quoted(domain)}"\nclass = "{word}"\n'
            yield f"{domain} is a domain of class {word}", entry


def _domains(config: Config, parameter: str) -> list[str]:
    words = [word for word in config[parameter].replace(",", " ").split() if not set(word) & set('/:!#{}[]"')]
    return list(dict.fromkeys(words))[:_MAX_DOMAINS]


def _own_address(config: Config) -> str:
    domains = _domains(config, "mydestination") or [config["myhostname"]]
    return f"postmaster@{domains[0]}"


def _is_submission(view: ServiceView) -> bool:
    return view.service.name.rpartition(":")[2] in ("submission", "submissions", "smtps", "465", "587")


def _needs_tls(view: ServiceView) -> bool:
    if view["smtpd_tls_wrappermode"].lower() == "yes":
        return True
    return view["smtpd_tls_security_level"].lower() not in ("", "none", "may")


def _quoted(text: str) -> str:
    """Return a text for the inside of a basic string of TOML, which has no bytes that are not UTF-8."""
    text = encode(text).decode("utf-8", "replace")
    return "".join(f"\\U{ord(each):08x}" if each in '"\\' or not each.isprintable() else each for each in text)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= each <= "\udfff" for each in text)
