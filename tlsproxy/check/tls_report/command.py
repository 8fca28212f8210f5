"""The options --tls-report, --profile and --openssl of tlsproxy-check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..command.inputs import InputError
from ..engine import Checked

if TYPE_CHECKING:
    from ..context import Context
    from ..rule import Rule
    from .offers.offer import Offer
    from .openssl.library import Library


_MOST_SERVICES = 1000
_LONGEST_VALUE = 10_000
"""Characters of a setting of TLS; the longest of OpenSSL, a list of ciphers, has a few thousand."""


@dataclass
class Offering(Checked):
    """One configuration whose offers are to be reported."""

    context: Context | None = None


class TlsReport:
    """A report of the offers of TLS."""

    FORMATS = ("text", "json", "html")

    def __init__(self, program: str) -> None:
        """`program` is the openssl(1) to speak for; empty for the OpenSSL of tlsproxy. Raise `LibraryError`."""
        self._library = choose_library(program)

    def report(self, format: str, results: Sequence[Checked], *, colour: bool) -> str:
        """Return the report in one of the FORMATS."""
        from .render import render

        contexts = [each.context for each in results if isinstance(each, Offering) and each.context]
        found = [offer for context in contexts for offer in offers(context, self._library)]
        return render(format, self._library.name, found, colour=colour)


class Compliance:
    """The comparison of the offers with a guideline; its findings are reported as those of rules."""

    def __init__(self, name: str, program: str) -> None:
        """`name` is the profile's, `program` as above. Raise `UnknownProfileError` or `LibraryError`."""
        from .guidelines.profiles import profile

        self._profile = profile(name)
        self._library = choose_library(program)

    @property
    def rules(self) -> list[Rule]:
        """Context of the findings."""
        from .guidelines.rules import RULES

        return list(RULES)

    def check(self, context: Context) -> Checked:
        """Return the violations of one configuration."""
        from .guidelines.compliance import comply

        return comply(context, self._library, self._profile)

    def summary(self, results: Sequence[Checked]) -> str:
        """Return the number of compared services, and the guideline: none is not the same as no violation."""
        from .guidelines.compliance import JudgedOffer

        count = sum(each.services for each in results if isinstance(each, JudgedOffer))
        if not count:
            return f"no service offers TLS, so nothing was compared with {self._profile.name}"
        return f"{'1 service' if count == 1 else f'{count} services'} compared with {self._profile.name}"


def choose_library(program: str) -> Library:
    """Return the OpenSSL of a program, or the one of tlsproxy; raise `LibraryError`."""
    from .openssl.library import Bundled, Program

    return Program(program) if program else Bundled()


def require_moderate(context: Context) -> None:
    """Raise `InputError` for a configuration that takes long to report: each service is asked with all its lists."""
    if len(context.entries) > _MOST_SERVICES:
        place = context.entries[_MOST_SERVICES].span(0)
        raise InputError(f"{place}: more than {_MOST_SERVICES:,} services are too many to be reported")
    for each in context.everywhere:
        if "tls" in each.name and len(each.value) > _LONGEST_VALUE:
            raise InputError(f"{each.span()}: the value of {each.name} is too long to be reported")


def offers(context: Context, library: Library) -> Iterator[Offer]:
    """Yield the offers of all services of a configuration."""
    from .offers.clients import client_offers
    from .offers.servers import server_offers

    yield from server_offers(context, library)
    yield from client_offers(context, library)
