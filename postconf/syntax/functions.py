"""The functions that a value can call since Postfix 3.11, `${domain_to_ascii{text}}` for one (midna_domain(3))."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class BadArgument(ValueError):
    """A text that a function can't convert; the message is Postfix's first warning."""


def domain_to_ascii(domain: str) -> str:
    """The A-label form of a domain; text that is ASCII already is not looked at."""
    if domain.isascii():
        return domain
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise BadArgument(
            f'midna_domain_to_ascii_create: Problem translating domain "{domain}" to ASCII form: {error}'
        ) from None


def domain_to_utf8(domain: str) -> str:
    """The U-label form of a domain; text that is not ASCII is not looked at."""
    if not domain.isascii():
        return domain
    import idna

    try:
        return idna.decode(domain, uts46=True) if "xn--" in domain.lower() else domain
    except (idna.IDNAError, UnicodeError) as error:
        raise BadArgument(
            f'midna_domain_to_utf8_create: Problem translating domain "{domain}" to UTF8 form: {error}'
        ) from None


FUNCTIONS: dict[str, Callable[[str], str]] = {
    "domain_to_ascii": domain_to_ascii,
    "domain_to_utf8": domain_to_utf8,
}
