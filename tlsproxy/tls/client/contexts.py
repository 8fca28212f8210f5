"""SSL contexts of the client role.

`ClientContexts` reads all files that an INIT names, for all sessions with the same settings. pyOpenSSL has no setters
for ciphers, protocols and security level of one connection. So each combination of them that sessions ask for has a
context. All share the trusted authorities.
"""

from __future__ import annotations

from typing import NamedTuple

from OpenSSL import SSL

from postconf.models import TlsGlobals
from postconf.models.log_level import LogMask

from ...log import Log
from ..bounded_cache import BoundedCache
from ..contexts import bare_context, limit_protocols, require_digest, require_library, trusting_context, use_ciphers
from ..identities import Identity, read_configured, use_identities
from ..openssl import binding, callbacks, peers
from ..settings.client import ClientContextSettings, ClientVariant
from ..settings.groups import choose_groups
from ..settings.loglevel import checked_mask
from ..settings.options import NO_RENEGOTIATION, context_options
from ..settings.release_behaviour import Behaviour
from ..verification.dane import Digests, read_digests


class ClientContext(NamedTuple):
    """A context, and Postfix's warnings about settings that OpenSSL has refused."""

    context: SSL.Context
    complaints: tuple[str, ...]


class ClientContexts:
    """The contexts and settings that sessions with the same INIT share; files are read here and in `renew`."""

    def __init__(self, library: TlsGlobals, settings: ClientContextSettings, behaviour: Behaviour, log: Log) -> None:
        """Raise `SettingsError`, in Postfix's order (tls_client_init(3))."""
        self.mask = checked_mask(settings.log_level, settings.log_parameter, log)
        if self.mask & LogMask.VERBOSE:
            log.info("initializing the client-side TLS engine")
        require_library(library)
        self.settings = settings
        self._library = library
        self._log = log
        self.fingerprints = require_digest(settings.fingerprint_digest, log)
        self.digests: Digests = read_digests(library.tls_dane_digests, self.fingerprints.digest, log)
        self._options = context_options(library, log, server=False)
        if behaviour.no_renegotiation:
            self._options |= NO_RENEGOTIATION
        self._trust, self.identities = self._read_files()
        self._groups = choose_groups(library, log, defaults=behaviour.default_groups)
        self._made: BoundedCache[ClientVariant, ClientContext] = BoundedCache()

    def get(self, variant: ClientVariant) -> ClientContext:
        """Return the context for sessions of this variant; raise `CipherError`."""
        return self._made.get_or_make(variant, lambda: self._make(variant))

    def renew(self) -> None:
        """Read certificates and authorities again, for new sessions; raise as at first, and nothing has changed."""
        self._trust, self.identities = self._read_files()
        self._made.clear()

    def _read_files(self) -> tuple[SSL.Context | None, list[Identity]]:
        settings = self.settings
        trust = trusting_context(self._library, settings.CAfile, settings.CApath)
        return trust, read_configured(settings.certificates, self._log)

    def _make(self, variant: ClientVariant) -> ClientContext:
        context = bare_context()
        context.set_options(self._options)
        refused = limit_protocols(context, variant.protocols)
        if self._trust:  # before the identities: in a chroot their issuers are put beside the authorities
            peers.share_trust(context, self._trust)
        use_identities(context, self.identities, self.settings.certificates.text, self._log)
        callbacks.judge_chains(context, self.settings.verifydepth)
        callbacks.see_messages(context)  # for tickets, and for the server's signature
        if self._groups:
            binding.set_groups(context, self._groups)
        use_ciphers(context, variant.ciphers, authenticate=variant.authenticate)
        complaints = (f"error setting {which} TLS version to: 0x{version:04x}" for which, version in refused)
        return ClientContext(context, tuple(complaints))
