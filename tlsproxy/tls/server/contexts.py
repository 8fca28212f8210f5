"""SSL contexts of the server role.

`ServerContexts` reads, once and with privileges, all files that an INIT names, for all sessions with the same settings.
pyOpenSSL has no setters for ciphers and security level of one connection. So each combination of them that sessions ask
for has a `ServerContext`. With it go contexts for other certificates, by server name.
"""

from __future__ import annotations

import time

from OpenSSL import SSL

from postconf import View
from postconf.models import TlsGlobals
from postconf.models.log_level import LogMask

from ...log import Log
from ..bounded_cache import BoundedCache
from ..contexts import (
    DhParameters,
    bare_context,
    limit_protocols,
    require_digest,
    require_library,
    trusting_context,
    use_ciphers,
)
from ..identities import ABORTING, Identity, chains, pem_objects, read_configured, use_identities
from ..openssl import binding, callbacks, peers
from ..settings.errors import IdentityError, SettingsError
from ..settings.groups import choose_groups
from ..settings.loglevel import checked_mask
from ..settings.options import NO_RENEGOTIATION, context_options
from ..settings.release_behaviour import Behaviour
from ..settings.server import ServerContextSettings, ServerVariant
from .tickets import Resumption, session_id_context

_MOST_CHAINS = 500


class ServerContexts:
    """The contexts and settings that sessions with the same INIT share; files are read here, and in `renew`."""

    def __init__(
        self,
        library: TlsGlobals,
        settings: ServerContextSettings,
        view: View,
        behaviour: Behaviour,
        log: Log,
        *,
        named: bool,
    ) -> None:
        """Raise `SettingsError`, in Postfix's order (tls_server_init(3)).

        `named`: True if there are certificates by server name.
        """
        self.mask = checked_mask(settings.log_level, settings.log_parameter, log)
        if self.mask & LogMask.VERBOSE:
            log.info("initializing the server-side TLS engine")
        require_library(library)
        self.settings = settings
        self.named = named
        self._log = log
        if settings.protocols.allowed is None:
            problem = f'Invalid TLS protocol list "{settings.protocols.text}": disabling TLS support'
            raise SettingsError(problem, "protocols")
        self._protocols = settings.protocols.allowed
        self.fingerprints = require_digest(settings.fingerprint_digest, log)
        self._options = context_options(library, log, server=True)
        if behaviour.no_renegotiation:
            self._options |= NO_RENEGOTIATION
        ids = settings.always_issue_session_ids
        self.resumption = Resumption.of(library, view, self._options, log, ids=ids)
        self._trust = trusting_context(library, settings.CAfile, settings.CApath)
        self.identities = read_configured(settings.certificates, log)
        self.keys_decide = self._keys_decide()
        """True if our keys leave no choice of the digest with which a handshake is signed."""
        self._dh = DhParameters(settings.dh_file, log)
        self._groups = choose_groups(library, log, defaults=behaviour.default_groups)
        self._authorities = self._names_of_authorities()
        self._made: BoundedCache[ServerVariant, ServerContext] = BoundedCache()

    def get(self, variant: ServerVariant) -> ServerContext:
        """Return the contexts for sessions of this variant; raise `CipherError`."""
        return self._made.get_or_make(variant, lambda: ServerContext(self, variant))

    @property
    def expires(self) -> float:
        """When, on the monotonic clock, the first ticket keys have to be replaced."""
        return min((each.expires for each in self._made.values()), default=float("inf"))

    def renew(self) -> None:
        """Read keys and certificates again, for new sessions; raise `IdentityError`, and nothing has changed."""
        self.identities = read_configured(self.settings.certificates, self._log)
        self.keys_decide = self._keys_decide()
        for each in self._made.values():
            each.renew()

    def _keys_decide(self) -> bool:
        return not self.named and all(binding.has_one_digest(each.key.text) for each in self.identities)

    def _names_of_authorities(self) -> binding.AuthorityNames | None:
        file = self.settings.CAfile
        if not (self.settings.ask_ccert and file):
            return None
        names = binding.AuthorityNames(file)
        if not names.found:
            self._log.warning(f"error loading client CA names from: {file}")
            binding.log_errors(self._log)
        return names

    def make(self, variant: ServerVariant, identities: list[Identity] | None = None, origin: str = "") -> SSL.Context:
        """Make a context of this variant; raise `CipherError`.

        Its certificates are the configured ones, or `identities`, for which raise `IdentityError`.
        """
        context = bare_context()
        context.set_options(self._options)
        limit_protocols(context, self._protocols)
        if self._trust:
            peers.share_trust(context, self._trust)
        callbacks.judge_chains(context, self.settings.verifydepth)
        if identities is None:
            use_identities(context, self.identities, self.settings.certificates.text, self._log)
        else:
            use_identities(context, identities, origin, self._log, consequence=ABORTING)
        self._dh.use(context)
        if self._groups:
            binding.set_groups(context, self._groups)
        if self._authorities is not None:
            self._authorities.announce(context)
        self.resumption.use(context, session_id_context(variant.service))
        use_ciphers(context, variant.ciphers, authenticate=variant.req_ccert)
        return context


class ServerContext:
    """The contexts for sessions of the same variant."""

    def __init__(self, contexts: ServerContexts, variant: ServerVariant) -> None:
        """Make the first context; raise `CipherError` for ciphers that OpenSSL refuses."""
        self.variant = variant
        self._contexts = contexts
        self._chains: BoundedCache[bytes, SSL.Context] = BoundedCache(_MOST_CHAINS)
        self._base = self._make_base()
        self.renewed: SSL.Context | None = None
        """The context with newer certificates than those of `base`, to be changed to when a session has begun."""

    @property
    def base(self) -> SSL.Context:
        """The context that a session begins with: it seals its tickets."""
        if time.monotonic() >= self.expires:
            self._base = self._make_base()
            self.renewed = None
        return self._base

    def renew(self) -> None:
        """Use the certificates that have been read again, with the old ticket keys for as long as those are valid."""
        self._chains.clear()
        if time.monotonic() >= self.expires:
            self._base, self.renewed = self._make_base(), None
        else:
            self.renewed = self._contexts.make(self.variant)

    def _make_base(self) -> SSL.Context:
        """Make a context with new ticket keys, which OpenSSL keeps as long as the context."""
        base = self._contexts.make(self.variant)
        # OpenSSL takes a callback as a sign that there will be a certificate that is fit for TLS 1.3.
        if self._contexts.named:
            callbacks.serve_names(base)
        self.expires = self._contexts.resumption.expiry()
        return base

    def for_chain(self, pem: bytes, name: str, log: Log) -> SSL.Context:
        """Return the context whose certificates are these, which `name` has led to; raise `IdentityError`."""
        return self._chains.get_or_make(pem, lambda: self._make_chain(pem, f"SNI data for {name}", log))

    def _make_chain(self, pem: bytes, origin: str, log: Log) -> SSL.Context:
        try:
            identities = chains(pem_objects(pem, origin), origin, log)
        except IdentityError as error:
            log.warning(str(error))
            raise IdentityError(f"error loading private keys and certificates from: {origin}: {ABORTING}") from None
        return self._contexts.make(self.variant, identities, origin)
