"""Violations of a guideline in the offer of one server, each with the settings that would end it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ....tls.settings.parameters import CERTIFICATES, CHAIN_FILES
from ...context import Context
from ...findings import Span
from ...rule import Rule
from ..offers.offer import Offer, OfferedCertificate
from ..openssl.ciphers import cipher
from ..openssl.library import Library
from .changes import Wish
from .exclusions import exclusions
from .profiles import Profile
from .rules import CERTIFICATE, CIPHERS, GROUPS, ORDER, PROTOCOLS

_SHOWN = 8
"""Ciphers that a message names."""
_CURVES = 3
"""Curves of a guideline that take the place of those of which it allows none."""


@dataclass(frozen=True)
class Violation:
    """One violation of one service."""

    rule: Rule
    service: str
    aspect: str
    """The same for a violation that is still there after a change."""
    span: Span
    message: str
    wishes: tuple[Wish, ...]
    otherwise: str
    """The remedy where no setting helps."""
    alternative: str = ""
    """Another remedy than the settings."""


def judge(context: Context, offer: Offer, profile: Profile, library: Library) -> list[Violation]:
    """Return the violations of an offer with protocols."""
    return list(_Judge(context, offer, profile, library).violations())


class _Judge:
    """The judgement on one offer."""

    def __init__(self, context: Context, offer: Offer, profile: Profile, library: Library) -> None:
        self.context = context
        self.offer = offer
        self.profile = profile
        self.library = library

    def violations(self) -> Iterator[Violation]:
        """Yield all violations."""
        yield from self._protocols()
        yield from self._ciphers()
        yield from self._groups()
        yield from self._finite_field()
        yield from self._certificates()
        yield from self._order()

    def _make(
        self,
        rule: Rule,
        aspect: str,
        parameter: str,
        message: str,
        *wishes: Wish,
        otherwise: str = "",
        alternative: str = "",
    ) -> Violation:
        """Make a violation at the setting of a parameter or, for a default, at the one that turns TLS on."""
        parameters, view = self.offer.parameters, self.offer.view
        names = [parameter, *(parameters[each] for each in ("level", "wrapper") if each in parameters)]
        wanted = next((each for each in names if self.context.is_set(each, view)), parameter)
        span = self.context.span(wanted, view)
        return Violation(rule, self.offer.service, aspect, span, message, wishes, otherwise, alternative)

    def _protocols(self) -> Iterator[Violation]:
        offered, allowed = self.offer.protocols, self.profile.protocols
        bad = [each for each in offered if each not in allowed]
        missing = [each for each in self.profile.required if each not in offered]
        parameter = self.offer.parameters["protocols"]
        wish = Wish(parameter, "minimum", (allowed[0],))
        if bad:
            otherwise = f"no handshake would succeed without {bad[-1]}: {allowed[0]} needs a key, ciphers and groups"
            yield self._make(PROTOCOLS, "protocols", parameter, f"offers {', '.join(bad)}", wish, otherwise=otherwise)
        if missing:
            message = f"does not offer {', '.join(missing)}"
            otherwise = f"{' and '.join(missing)} needs a key, ciphers and groups"
            yield self._make(PROTOCOLS, "missing", parameter, message, wish, otherwise=otherwise)

    def _ciphers(self) -> Iterator[Violation]:
        bad = self._bad_ciphers()
        if bad:
            yield self._make(
                CIPHERS,
                "ciphers",
                self._cause(),
                f"offers {_shown(bad)}",
                self._exclusion(),
                otherwise=f"no cipher would be left for TLSv1.2: use a key and ciphers that {self.profile.name} allows",
            )
        allowed = self.profile.tls13
        if allowed is not None and "TLSv1.3" in self.profile.protocols:
            bad = [each for each in self.offer.ciphers.get("TLSv1.3", ()) if each not in allowed]
            if bad:
                yield self._make(
                    CIPHERS,
                    "suites",
                    "tls_config_file",
                    f"offers {_shown(bad)} with TLSv1.3",
                    otherwise="Postfix has no parameter for it: "
                    "set Ciphersuites in the OpenSSL configuration of tls_config_file",
                )

    def _older(self) -> list[str]:
        """Return the ciphers up to TLS 1.2, of versions that are allowed."""
        versions = [each for each in self.offer.ciphers if each in self.profile.protocols and each != "TLSv1.3"]
        return list(dict.fromkeys(name for each in versions for name in self.offer.ciphers[each]))

    def _bad_ciphers(self) -> list[str]:
        allowed = self.profile.ciphers
        return [] if allowed is None else [each for each in self._older() if not allowed.fullmatch(each)]

    def _exclusion(self) -> Wish:
        """Return the wish that excludes all bad ciphers, with those of weak finite fields."""
        bad = self._bad_ciphers()
        good = [each for each in self._older() if each not in bad]
        if self._has_weak_field():
            bad += [each for each in good if _is_finite(each)]
            good = [each for each in good if not _is_finite(each)]
        return Wish(self.offer.parameters["exclude"], "exclusions", tuple(exclusions(bad, good)))

    def _cause(self) -> str:
        """Return the parameter that lets ciphers in: the first one of these that is set."""
        parameters = self.offer.parameters
        wanted = [parameters[each] for each in ("list", "grade", "exclude") if each in parameters]
        return next((each for each in wanted if each in self.offer.origins), parameters["exclude"])

    def _groups(self) -> Iterator[Violation]:
        allowed = self.profile.groups
        bad = [each for each in self.offer.groups if allowed is not None and each not in allowed]
        if allowed is None or not bad:
            return
        good = [each for each in self.offer.groups if each in allowed]
        curves = [each for each in good if not each.startswith("ffdhe")]
        if not curves:
            named = tuple(each for each in allowed if not each.startswith("ffdhe") and "tls13" not in each)
            curves = list(self.library.usable_groups(named)[:_CURVES])
        wishes = [Wish("tls_eecdh_auto_curves", "groups", tuple(curves))]
        if "tls_ffdhe_auto_groups" in self.context.release.defaults and any(each.startswith("ffdhe") for each in bad):
            wishes.append(Wish("tls_ffdhe_auto_groups", "groups", tuple(each for each in good if each not in curves)))
        yield self._make(
            GROUPS,
            "groups",
            "tls_eecdh_auto_curves",
            f"offers the groups {_shown(bad)}",
            *wishes,
            otherwise=f"use an OpenSSL that has groups which {self.profile.name} allows",
        )

    def _has_weak_field(self) -> bool:
        allowed = self.profile.ciphers
        return self.offer.dh_bits < self.profile.dh and any(
            _is_finite(each) and (allowed is None or allowed.fullmatch(each)) for each in self._older()
        )

    def _finite_field(self) -> Iterator[Violation]:
        if not self._has_weak_field():
            return
        parameter = self.offer.parameters["dh"]
        to_file = f"{parameter} to a file with {self.profile.dh} bits"
        yield self._make(
            GROUPS,
            "field",
            parameter,
            f"uses {self.offer.dh_bits} bits for DHE",
            self._exclusion(),
            otherwise=f"set {to_file}",
            alternative=to_file,
        )

    def _certificates(self) -> Iterator[Violation]:
        known = [each for each in self.offer.certificates if not each.is_assumed]
        for each in known:
            for message in self._certificate_problems(each):
                name = f" of {each.server_name}" if each.server_name else ""
                parameter = "tls_server_sni_maps" if each.server_name else self._file_parameter()
                yield self._make(
                    CERTIFICATE,
                    f"certificate {each.server_name} {message}",
                    parameter,
                    f"its certificate{name} {message}",
                    otherwise=self._certificate_help(),
                )
        keys = self.profile.keys
        algorithms = dict.fromkeys(each.algorithm for each in known if not each.server_name)
        if keys is not None and algorithms and not any(each.removesuffix("-PSS") in keys for each in algorithms):
            yield self._make(
                CERTIFICATE,
                "keys",
                self._file_parameter(),
                f"has no certificate of kind {' or '.join(keys)}, only {', '.join(algorithms)}",
                otherwise=self._certificate_help(),
            )

    def _certificate_problems(self, each: OfferedCertificate) -> Iterator[str]:
        profile = self.profile
        if each.algorithm.startswith("RSA") and each.bits < profile.rsa:
            yield f"has a modulus of {each.bits} bits"
        if profile.curves is not None and each.curve and each.curve not in profile.curves:
            yield f"is on the curve {each.curve}"
        names = {each.signature, f"{each.signer}-{each.signature}"}
        if profile.signatures is not None and each.signature and not names & set(profile.signatures):
            yield f"is signed with {each.signer} and {each.signature}"
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
        signed = (profile.signatures or ("sha256",))[0]
        return f"use a key that is {' or '.join(wanted)}, signed with {signed}{days}"

    def _file_parameter(self) -> str:
        prefix = self.offer.parameters["protocols"].removesuffix("protocols").removesuffix("mandatory_")
        names = [prefix + each for each in (CHAIN_FILES, *CERTIFICATES)]
        return next((each for each in names if each in self.offer.origins), names[0])

    def _order(self) -> Iterator[Violation]:
        wanted = self.profile.order
        has_choice = any(len(self.offer.ciphers.get(each, ())) > 1 for each in self.profile.protocols)
        if wanted and has_choice and self.offer.prefers != (wanted == "server"):
            side = "server" if self.offer.prefers else "client"
            wish = Wish("tls_preempt_cipherlist", "flag", ("yes" if wanted == "server" else "no",))
            yield self._make(ORDER, "order", wish.parameter, f"the {side} decides on the cipher", wish)


def _is_finite(name: str) -> bool:
    found = cipher(name)
    return found is not None and found.exchange == "DHE"


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
