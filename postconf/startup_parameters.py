"""Parameters that every Postfix program evaluates at start, and their fatal errors (mail_params_init).

postconf(1) evaluates them before -m, -b and -t. Each value is expanded with the settings of main.cf and the previously
evaluated defaults. Accounts (mail_owner, setgid_group, default_privs) are not looked up, because Postfix may run on
another machine.
"""

from __future__ import annotations

from .catalogue import COMPUTED, general_parameters
from .config import Config
from .errors import ConfigError
from .machine import host as hosts
from .syntax.expressions import ExpressionError, compatibility_level
from .syntax.lines import BLANK
from .values import LIST_SEPARATORS, SYSLOG_FACILITIES, InvalidValueError, parse, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_LABEL = 63
_MAX_NAME = 255
_MAX_SHOWN = 100
_ALNUM = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")


def evaluate(config: Config) -> dict[str, str]:
    """Return the values by name; raise `ConfigError` with Postfix's message for the first invalid one."""
    return _Evaluation(config).run()


class _Evaluation:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.values: dict[str, str] = {}

    def run(self) -> dict[str, str]:
        checks = {
            "compatibility_level": self._check_level,
            "known_tcp_ports": self._check_facility,
            "respectful_logging": self._check_protocols,
            "mydomain": self._check_names,
        }
        release = self.config.release
        for name in general_parameters():
            if name in release.defaults:
                self._evaluate(name)
            if name in checks:
                checks[name]()
        self._check_combinations()
        return self.values

    def _evaluate(self, name: str) -> None:
        release = self.config.release
        explicit = self.config.main.get(name)
        if explicit is not None:
            text = self._expand(explicit.value)
        elif release.kinds[name] == COMPUTED:
            text = self._computed(name)
        elif release.kinds[name] in ("nint", "nbool", "str"):
            text = self._expand(release.defaults[name])
        else:
            text = release.defaults[name]
        try:
            parse(release.parameter(name), text)
        except InvalidValueError as error:
            raise ConfigError(error.message, explicit.place if explicit else None, error.remedy) from None
        self.values[name] = text

    def _expand(self, text: str) -> str:
        try:
            return self.config.expand(text, self._lookup, self.config.warn)
        except ExpressionError:
            raise ConfigError("dictionary mail_dict: macro processing error") from None

    def _lookup(self, name: str) -> str | None:
        return self.config.main[name].value if name in self.config.main else self.values.get(name)

    def _computed(self, name: str) -> str:
        if name == "myhostname":
            explicit = self.config.main.get("mydomain")
            return hosts.myhostname(self.config.host, self._expand(explicit.value) if explicit else None)
        if name == "mydomain":
            return hosts.mydomain(self.values["myhostname"])
        inputs = [self.values[each] for each in ("inet_interfaces", "mynetworks_style", "inet_protocols")]
        return hosts.mynetworks(self.config.host, *inputs)

    # Checks

    def _fail(self, name: str, message: str, remedy: str) -> None:
        setting = self.config.main.get(name)
        raise ConfigError(message, setting.place if setting else None, remedy)

    def _fail_in_file(self, name: str, problem: str, remedy: str) -> None:
        value = self.values[name]
        self._fail(name, f"file {self.config.directory}/main.cf: parameter {name}: {problem}: {value}", remedy)

    def _check_level(self) -> None:
        level = self.values.get("compatibility_level", "0")
        if compatibility_level(level) is None:
            self._fail(
                "compatibility_level",
                f'malformed compatibility level syntax: "{level}"',
                "write a release such as 3.6",
            )

    def _check_facility(self) -> None:
        if self.values["syslog_facility"].lower() not in SYSLOG_FACILITIES:
            self._fail_in_file("syslog_facility", "unrecognized value", "specify, for example, mail")

    def _check_protocols(self) -> None:
        for problem in _port_problems(self.values.get("known_tcp_ports", "")):
            self.config.warn(f"known_tcp_ports: in {problem}")
        hosts.protocol_families(self.values["inet_protocols"])

    def _check_names(self) -> None:
        for name in ("myhostname", "mydomain"):
            complaint = _complaint(self.values[name])
            if complaint:
                self.config.warn(f"valid_hostname: {complaint}")
                self._fail_in_file(name, "bad parameter value", "write a domain name such as mail.example.com")

    def _check_combinations(self) -> None:
        hosts.own_addresses(self.config.host, self.values["inet_interfaces"], self.values["inet_protocols"])
        myhostname = self.values["myhostname"]
        if myhostname.lower() == self.values["relayhost"].lower():
            self._fail(
                "relayhost",
                f"myhostname and relayhost parameter settings must not be identical: {myhostname}",
                "name another machine",
            )
        myorigin = self.values["myorigin"]
        if any(separator in myorigin for separator in LIST_SEPARATORS):
            self._fail(
                "myorigin",
                f"myorigin parameter setting must not contain multiple values: {myorigin}",
                "name one domain",
            )


def _port_problems(text: str) -> Iterator[str]:
    """Yield the errors in a list of `service=port` (postconf(5), known_tcp_ports)."""
    known: set[str] = set()
    for association in filter(None, text.split(",")):
        *names, port = (words(part, BLANK) for part in f" {association} ".split("="))
        if not names:
            yield f'"{association}" is not in "name = value" form'
        elif len(port) != 1:
            problem = "whitespace in port number" if port else 'missing port value after "="'
            yield f'"{association}": {problem}'
        else:
            found = [problem for name in names if (problem := _add_port(known, name, port[0]))]
            if found:
                yield f'"{association}": {found[0]}'


def _add_port(known: set[str], name: tuple[str, ...], port: str) -> str:
    if len(name) != 1:
        return "whitespace in service name" if name else 'missing service name before "="'
    if _is_number(name[0]):
        return "numerical service name"
    if not _is_number(port):
        return "non-numerical service port"
    if name[0] in known:
        return "duplicate service name"
    known.add(name[0])
    return ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _complaint(name: str) -> str:
    """Return the message of valid_hostname(3) for an invalid hostname; empty if it is valid."""
    if not name:
        return "empty hostname"
    shown = name[:_MAX_SHOWN]
    label = 0
    for position, character in enumerate(name):
        after = name[position + 1 : position + 2]
        if character in _ALNUM:
            label += 1
            if label > _MAX_LABEL:
                return f"hostname label too long: {shown}"
        elif character == ".":
            if not label or not after:
                return f"misplaced delimiter: {shown}"
            label = 0
        elif character == "-":
            label += 1
            if label == 1 or after in ("", "."):
                return f"misplaced hyphen: {shown}"
        else:
            first = character.encode("utf-8", "surrogateescape")[0]
            return f"invalid character {first}(decimal): {shown}"
    if set(name) <= set("0123456789."):
        return f"numeric hostname: {shown}"
    if len(name) > _MAX_NAME:
        return f"bad length {len(name)} for {shown}..."
    return ""
