"""Functions in values since Postfix 3.11, such as `${domain_to_ascii{text}}` (midna_domain(3))."""

from __future__ import annotations

from ..errors import PostconfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class FunctionArgumentError(PostconfError, ValueError):
    """Text that a function can't convert, with Postfix's first warning."""


def domain_to_ascii(domain: str) -> str:
    """Return the A-label form of a domain; ASCII text is returned unchanged."""
    if domain.isascii():
        return domain
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise FunctionArgumentError(
            f'midna_domain_to_ascii_create: Problem translating domain "{domain}" to ASCII form: {error}'
        ) from None


def domain_to_utf8(domain: str) -> str:
    """Return the U-label form of a domain; text that is not ASCII is returned unchanged."""
    if not domain.isascii():
        return domain
    import idna

    try:
        return idna.decode(domain, uts46=True) if "xn--" in domain.lower() else domain
    except (idna.IDNAError, UnicodeError) as error:
        raise FunctionArgumentError(
            f'midna_domain_to_utf8_create: Problem translating domain "{domain}" to UTF8 form: {error}'
        ) from None


FUNCTIONS: dict[str, Callable[[str], str]] = {
    "domain_to_ascii": domain_to_ascii,
    "domain_to_utf8": domain_to_utf8,
}
