"""Offers of servers against a guideline: each violation at the line that causes it, with the smallest change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ...tls.settings.parameters import CERTIFICATES, CHAIN_FILES
from ..context import Context
from ..engine import Checked
from ..findings import Finding, Span
from ..rule import Rule
from .command import offers
from .offers.offer import Offer, OfferedCertificate
from .openssl.ciphers import VERSIONS, Cipher, cipher
from .openssl.library import Library
from .profiles import Profile

_SHOWN = 8
"""Ciphers that a message names."""


class GuidelineProtocols(Rule):
    """Versions that a guideline does not allow, or that it wants and are not offered."""

    id, name = "G001", "guideline-protocols"


class GuidelineCiphers(Rule):
    """Ciphers that a guideline does not allow."""

    id, name = "G002", "guideline-ciphers"


class GuidelineGroups(Rule):
    """Key exchange groups, or finite fields, that a guideline does not allow."""

    id, name = "G003", "guideline-groups"


class GuidelineCertificate(Rule):
    """A certificate that a guideline does not allow."""

    id, name = "G004", "guideline-certificate"


class GuidelineOrder(Rule):
    """The order of ciphers is decided by the other side than a guideline wants."""

    id, name = "G005", "guideline-order"


RULES: tuple[Rule, ...] = (
    GuidelineProtocols(),
    GuidelineCiphers(),
    GuidelineGroups(),
    GuidelineCertificate(),
    GuidelineOrder(),
)
_PROTOCOLS, _CIPHERS, _GROUPS, _CERTIFICATE, _ORDER = RULES


@dataclass
class _Violation:
    """One violation, and the services that have it."""

    rule: Rule
    span: Span
    message: str
    help: str
    services: list[str] = field(default_factory=list)


def comply(context: Context, library: Library, profile: Profile) -> Checked:
    """Return what a configuration offers against a guideline, as findings; only servers are judged."""
    found: dict[object, _Violation] = {}
    for offer in offers(context, library):
        if offer.role == "server" and offer.protocols:
            for each in _Judge(context, offer, profile).violations():
                key = each.rule.id, each.span, each.message, each.help
                found.setdefault(key, each).services.append(offer.service)
    findings = [_finding(each, profile) for each in found.values()]
    return Checked(context.texts, sorted(findings, key=lambda each: each.order))


def _finding(each: _Violation, profile: Profile) -> Finding:
    services = ", ".join(dict.fromkeys(each.services))
    return each.rule.finding(each.span, f"{services}: {each.message} ({profile.name})", each.help)


class _Judge:
    """The judgement on one offer."""

    def __init__(self, context: Context, offer: Offer, profile: Profile) -> None:
        self.context = context
        self.offer = offer
        self.profile = profile

    def violations(self) -> Iterator[_Violation]:
        """Yield all violations."""
        yield from self._protocols()
        yield from self._ciphers()
        yield from self._groups()
        yield from self._finite_field()
        yield from self._certificates()
        yield from self._order()

    def _make(self, rule: Rule, parameter: str, message: str, help: str) -> _Violation:
        """Make a violation at the setting of a parameter or, for a default, at the one that turns TLS on."""
        parameters, view = self.offer.parameters, self.offer.view
        names = [parameter, *(parameters[each] for each in ("level", "wrapper") if each in parameters)]
        wanted = next((each for each in names if self.context.is_set(each, view)), parameter)
        return _Violation(rule, self.context.span(wanted, view), message, help)

    def _protocols(self) -> Iterator[_Violation]:
        offered, allowed = self.offer.protocols, self.profile.protocols
        bad = [each for each in offered if each not in allowed]
        missing = [each for each in self.profile.required if each not in offered]
        parameter = self.offer.parameters["protocols"]
        least = min([each for each in offered if each in allowed] or allowed, key=VERSIONS.index)
        if missing:
            least = min([least, *missing], key=VERSIONS.index)
        help = f"set {parameter} = >={least}"
        if bad:
            yield self._make(_PROTOCOLS, parameter, f"offers {', '.join(bad)}", help)
        if missing:
            message = f"does not offer {', '.join(missing)}"
            yield self._make(_PROTOCOLS, parameter, message, f"{help}, and a list of ciphers for it")

    def _ciphers(self) -> Iterator[_Violation]:
        profile = self.profile
        versions = [each for each in self.offer.ciphers if each in profile.protocols]
        older = dict.fromkeys(name for each in versions if each != "TLSv1.3" for name in self.offer.ciphers[each])
        if profile.ciphers is not None:
            bad = [each for each in older if not profile.ciphers.fullmatch(each)]
            if bad:
                yield self._excluded(bad, [each for each in older if each not in bad])
        if profile.tls13 is not None:
            bad = [each for each in self.offer.ciphers.get("TLSv1.3", ()) if each not in profile.tls13]
            if bad and "TLSv1.3" in versions:
                yield self._make(
                    _CIPHERS,
                    "tls_config_file",
                    f"offers {_shown(bad)} with TLSv1.3",
                    "Postfix has no parameter for it: set Ciphersuites in the OpenSSL configuration of tls_config_file",
                )

    def _excluded(self, bad: Sequence[str], good: Sequence[str]) -> _Violation:
        parameter = self.offer.parameters["exclude"]
        present = [word for word in self.context.value(parameter, self.offer.view).replace(",", " ").split() if word]
        if good:
            help = f"set {parameter} = {', '.join([*present, *exclusions(bad, good)])}"
        else:
            help = f"no cipher would be left for TLSv1.2: use a key and ciphers that {self.profile.name} allows"
        return self._make(_CIPHERS, self._cause(), f"offers {_shown(bad)}", help)

    def _cause(self) -> str:
        """Return the parameter that lets ciphers in: the first one of these that is set."""
        parameters = self.offer.parameters
        wanted = [parameters[each] for each in ("list", "grade", "exclude") if each in parameters]
        return next((each for each in wanted if each in self.offer.origins), parameters["exclude"])

    def _groups(self) -> Iterator[_Violation]:
        if self.profile.groups is None:
            return
        bad = [each for each in self.offer.groups if each not in self.profile.groups]
        if not bad:
            return
        curves: list[str] = []
        fields: list[str] = []
        for each in self.offer.groups:
            if each in self.profile.groups:
                (fields if each.startswith("ffdhe") else curves).append(each)
        if not curves:
            curves = [each for each in self.profile.groups if not each.startswith("ffdhe") and "tls13" not in each][:3]
        help = f"set tls_eecdh_auto_curves = {' '.join(curves)}"
        if "tls_ffdhe_auto_groups" in self.context.release.defaults and any(each.startswith("ffdhe") for each in bad):
            help += f", and tls_ffdhe_auto_groups = {' '.join(fields)}"
        yield self._make(_GROUPS, "tls_eecdh_auto_curves", f"offers the groups {_shown(bad)}", help)

    def _finite_field(self) -> Iterator[_Violation]:
        bits, least = self.offer.dh_bits, self.profile.dh
        suites = {name for each in self.profile.protocols for name in self.offer.ciphers.get(each, ())}
        allowed = self.profile.ciphers
        used = [each for each in map(cipher, suites) if each and each.exchange == "DHE"]
        if not least or bits >= least or not any(allowed is None or allowed.fullmatch(each.name) for each in used):
            return
        parameter, exclude = self.offer.parameters["dh"], self.offer.parameters["exclude"]
        words = ", ".join(filter(None, [self.context.value(exclude, self.offer.view), "kDHE"]))
        help = f"set {exclude} = {words}, or {parameter} to a file with {least} bits"
        yield self._make(_GROUPS, parameter, f"uses {bits} bits for DHE", help)

    def _certificates(self) -> Iterator[_Violation]:
        for each in self.offer.certificates:
            if not each.is_assumed:
                for message in self._certificate_problems(each):
                    name = f" of {each.server_name}" if each.server_name else ""
                    parameter = "tls_server_sni_maps" if each.server_name else self._file_parameter()
                    yield self._make(
                        _CERTIFICATE, parameter, f"its certificate{name} {message}", self._certificate_help()
                    )

    def _certificate_problems(self, each: OfferedCertificate) -> Iterator[str]:
        profile = self.profile
        if profile.keys is not None and each.algorithm not in profile.keys:
            yield f"is {each.algorithm}"
        if each.algorithm.startswith("RSA") and each.bits < profile.rsa:
            yield f"has a modulus of {each.bits} bits"
        if profile.curves is not None and each.curve and each.curve not in profile.curves:
            yield f"is on the curve {each.curve}"
        if profile.signatures is not None and each.signature and each.signature not in profile.signatures:
            yield f"is signed with {each.signature}"
        if profile.days and each.not_before and each.not_after:
            days = (each.not_after - each.not_before).days
            if days > profile.days:
                yield f"is valid for {days} days"

    def _certificate_help(self) -> str:
        profile = self.profile
        keys = profile.keys or ("ECDSA", "RSA")
        rsa, ecdsa = f"RSA with {profile.rsa or 2048} bits", f"ECDSA on {(profile.curves or ('prime256v1',))[0]}"
        wanted = [rsa if each == "RSA" else ecdsa for each in keys]
        days = f", valid for at most {profile.days} days" if profile.days else ""
        return f"use a key that is {' or '.join(wanted)}, signed with sha256{days}"

    def _file_parameter(self) -> str:
        prefix = self.offer.parameters["level"].removesuffix("security_level")
        names = [prefix + each for each in (CHAIN_FILES, *CERTIFICATES)]
        return next((each for each in names if each in self.offer.origins), names[0])

    def _order(self) -> Iterator[_Violation]:
        wanted = self.profile.order
        has_choice = any(len(self.offer.ciphers.get(each, ())) > 1 for each in self.profile.protocols)
        if wanted and has_choice and self.offer.prefers != (wanted == "server"):
            side = "server" if self.offer.prefers else "client"
            help = f"set tls_preempt_cipherlist = {'yes' if wanted == 'server' else 'no'}"
            yield self._make(_ORDER, "tls_preempt_cipherlist", f"the {side} decides on the cipher", help)


_TOKENS: dict[str, Callable[[Cipher], bool]] = {
    "aNULL": lambda each: each.is_anonymous,
    "eNULL": lambda each: each.bits == 0,
    "kRSA": lambda each: each.exchange == "RSA",
    "kDHE": lambda each: each.exchange == "DHE",
    "aDSS": lambda each: each.authentication == "DSA",
    "SHA1": lambda each: each.name.endswith("-SHA"),
    "SHA256": lambda each: each.name.endswith("SHA256") and "GCM" not in each.name,
    "SHA384": lambda each: each.name.endswith("SHA384") and "GCM" not in each.name,
    "CAMELLIA": lambda each: "CAMELLIA" in each.name,
    "ARIA": lambda each: "ARIA" in each.name,
    "AESCCM8": lambda each: each.name.endswith("CCM8"),
    "AESCCM": lambda each: "AES" in each.name and "CCM" in each.name,
    "CHACHA20": lambda each: "CHACHA20" in each.name,
    "3DES": lambda each: "CBC3" in each.name,
    "SEED": lambda each: "SEED" in each.name,
    "MD5": lambda each: each.name.endswith("MD5"),
}


def exclusions(bad: Sequence[str], good: Sequence[str]) -> list[str]:
    """Return a short exclusion list that matches all forbidden ciphers and no allowed one."""
    left = {each for each in map(cipher, bad) if each}
    kept = [each for each in map(cipher, good) if each]
    usable = {word: test for word, test in _TOKENS.items() if not any(test(each) for each in kept)}
    found: list[str] = []
    while left:
        word, hit = max(
            ((word, {each for each in left if test(each)}) for word, test in usable.items()),
            key=lambda pair: len(pair[1]),
            default=("", set()),
        )
        if len(hit) < 2:  # a name says as much
            break
        found.append(word)
        left -= hit
    return [*found, *sorted(each.name for each in left)]


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
