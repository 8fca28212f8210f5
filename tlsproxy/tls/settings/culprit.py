"""The setting that keeps a role from being served: parameter, file and line.

Postfix's own warnings name a value at best. These lines come after them.
"""

from __future__ import annotations

from collections.abc import Iterator

from postconf.models import TlsSettings
from postconf.origins import chain

from .parameters import CERTIFICATES, CHAIN_FILES, KEY_PAIRS, SERVER

_PARAMETERS = {
    "level": ("security_level",),
    "certificates": (CHAIN_FILES, *CERTIFICATES),
    "mdalg": ("fingerprint_digest",),
    **{pair.kind: pair[1:] for pair in KEY_PAIRS},
}
"""Settings to blame, by other names than those of the parameters."""
_OPTIONAL = {"protocols": "protocols", "cipher_grade": "ciphers", "cipher_exclusions": "exclude_ciphers"}
"""Settings with a sibling that counts where TLS is required: instead of it or, for exclusions, besides."""


def lines(settings: TlsSettings, setting: str, *, enforced: bool, prefix: str = SERVER) -> Iterator[str]:
    """Yield `file:line:column: name = value` for all that sets the blamed setting; `prefix` is that of the role."""
    names = [name.replace(SERVER, prefix) for name in _names(setting, enforced=enforced)]
    made = dict.fromkeys(
        f"{origin.place}: {origin.name} = {origin.text}"
        for name in names
        for _, origin in chain(settings.view, name)
        if origin.place is not None
    )
    yield from made or [_not_set(settings, names)]


def _not_set(settings: TlsSettings, names: list[str]) -> str:
    """Name the parameters that an administrator sets: those that the defaults refer to in the end."""
    view = settings.view
    final = dict.fromkeys([*chain(view, name)][-1][1].name for name in names if name in view)
    return f"not set: {', '.join(final or names)} (in {view.config.directory}/main.cf)"


def _names(setting: str, *, enforced: bool) -> Iterator[str]:
    if setting in _OPTIONAL:
        if enforced:
            yield f"{SERVER}mandatory_{_OPTIONAL[setting]}"
        if not enforced or setting == "cipher_exclusions":
            yield f"{SERVER}{_OPTIONAL[setting]}"
    elif setting in ("tls_config_file", "tls_server_sni_maps"):
        yield setting
    elif setting.startswith("tls_"):  # a list of ciphers, of which nothing may be left
        yield setting
        yield from _names("cipher_grade", enforced=enforced)
        yield from _names("cipher_exclusions", enforced=enforced)
    else:
        yield from (f"{SERVER}{each}" for each in _PARAMETERS.get(setting, (setting,)))
