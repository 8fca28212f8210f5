"""SSL contexts of the server role.

`ServerContexts` reads, once and with privileges, all that an INIT names: what sessions with the same settings have in
common. pyOpenSSL has no setters for ciphers and security level of one connection, so there is a `ServerContext` for
each combination of those that sessions ask for. With it go contexts for other certificates, by server name.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from OpenSSL import SSL

from postconf import View
from postconf.models import TlsGlobals
from postconf.values import protocols

from ...log import Log
from ...wire.messages import ServerInit
from ..contexts import (
    BadContext,
    DhParameters,
    bare_context,
    limit_protocols,
    require_library,
    trusting_context,
    use_ciphers,
)
from ..identities import ABORTING, BadIdentity, Identity, chains, pem_objects, read_configured, use_identities
from ..openssl import binding, callbacks, peers
from ..settings.digests import Fingerprints, digest_by_name
from ..settings.groups import choose_groups
from ..settings.loglevel import LogMask, log_mask
from ..settings.options import NO_RENEGOTIATION, context_options
from ..settings.release_behaviour import Behaviour
from .tickets import Resumption, session_id_context

_MOST_CONTEXTS = 100
_MOST_CHAINS = 500


class Terms(NamedTuple):
    """What sessions of one INIT may differ in."""

    ciphers: str
    grade: str
    """The word that `ciphers` comes from, for messages."""
    requires: bool
    """Clients are to be verified, so weak keys don't count. Nobody is turned away here for lack of a certificate."""
    service: str | None = None
    """Sessions are only resumed in the same service (Postfix 3.12 and later)."""


class ServerContexts:
    """Everything that sessions with the same INIT have in common; files are read here, and never again."""

    def __init__(
        self, library: TlsGlobals, init: ServerInit, view: View, behaviour: Behaviour, log: Log, *, named: bool
    ) -> None:
        """Raise `BadContext` or `BadIdentity`, in Postfix's order (tls_server_init(3)); the text is its warning.

        `named`: there are certificates by server name.
        """
        self.mask = log_mask(init.log_param, init.log_level, log, traces=behaviour.settings_from_client)
        if self.mask & LogMask.VERBOSE:
            log.info("initializing the server-side TLS engine")
        require_library(library)
        self.asks = bool(init.ask_ccert)
        self.named = named
        self._init = init
        self._log = log
        allowed = protocols(init.protocols)
        if allowed is None:
            raise BadContext(f'Invalid TLS protocol list "{init.protocols}": disabling TLS support', "protocols")
        self._protocols = allowed
        digest = digest_by_name(init.mdalg)
        if digest is None:
            log.warning(f'Digest algorithm "{init.mdalg}" not found')
            raise BadContext("disabling TLS support", "mdalg")
        self.fingerprints = Fingerprints(init.mdalg, digest)
        self._options = context_options(library, log, server=True)
        if behaviour.no_renegotiation:
            self._options |= NO_RENEGOTIATION
        self.resumption = Resumption.of(library, view, self._options, log, ids=bool(init.set_sessid))
        self._trust = trusting_context(library, init.CAfile, init.CApath)
        self.identities = self._read_identities()
        self.chooses_digests = self._chooses_digests()
        """Does it depend on the client with which digest a handshake is signed?"""
        self._dh = DhParameters(init.dh1024_param_file, log)
        self._groups = choose_groups(library, log, defaults=behaviour.default_groups)
        self._authorities = self._names_of_authorities()
        self._made: dict[Terms, ServerContext] = {}

    def get(self, terms: Terms) -> ServerContext:
        """The contexts for sessions on these terms; raise `BadCiphers`."""
        if terms not in self._made:
            made = ServerContext(self, terms)
            if len(self._made) >= _MOST_CONTEXTS:
                del self._made[next(iter(self._made))]
            self._made[terms] = made
        return self._made[terms]

    @property
    def expires(self) -> float:
        """When, on the monotonic clock, the first ticket keys have to be replaced."""
        return min((each.expires for each in self._made.values()), default=float("inf"))

    def renew(self) -> None:
        """Read keys and certificates again, for new sessions; raise `BadIdentity`, and nothing has changed."""
        self.identities = self._read_identities()
        self.chooses_digests = self._chooses_digests()
        for each in self._made.values():
            each.renew()

    def _read_identities(self) -> list[Identity]:
        init, log = self._init, self._log
        identities = read_configured(init.chain_files, certificate_pairs(init), log)
        use_identities(bare_context(), identities, init.chain_files, log)
        return identities

    def _chooses_digests(self) -> bool:
        return self.named or not all(binding.has_one_digest(each.key.text) for each in self.identities)

    def _names_of_authorities(self) -> binding.AuthorityNames | None:
        file = self._init.CAfile
        if not (self.asks and file):
            return None
        names = binding.AuthorityNames(file)
        if not names.found:
            self._log.warning(f"error loading client CA names from: {file}")
            binding.log_errors(self._log)
        return names

    def make(self, terms: Terms, identities: list[Identity] | None = None, origin: str = "") -> SSL.Context:
        """Make a context on these terms; raise `BadCiphers`.

        Its certificates are the configured ones, or `identities`, for which raise `BadIdentity`.
        """
        context = bare_context()
        context.set_options(self._options)
        limit_protocols(context, self._protocols)
        if self._trust:
            peers.share_trust(context, self._trust)
        callbacks.judge_chains(context, self._init.verifydepth)
        if identities is None:
            use_identities(context, self.identities, self._init.chain_files, self._log)
        else:
            use_identities(context, identities, origin, self._log, consequence=ABORTING)
        self._dh.use(context)
        if self._groups:
            binding.set_groups(context, self._groups)
        if self._authorities is not None:
            self._authorities.announce(context)
        self.resumption.use(context, session_id_context(terms.service))
        use_ciphers(context, terms.ciphers, terms.grade, authenticate=terms.requires)
        return context


class ServerContext:
    """The contexts for sessions on the same terms."""

    def __init__(self, contexts: ServerContexts, terms: Terms) -> None:
        """Raise `BadCiphers`."""
        self.terms = terms
        self._contexts = contexts
        self._chains: dict[bytes, SSL.Context] = {}
        self._watched = True
        self._base = self._make_base()
        self.renewed: SSL.Context | None = None
        """The context with newer certificates than those of `base`, to be changed to when a session has begun."""

    def base(self, *, watched: bool) -> SSL.Context:
        """The context that a session begins with: it seals its tickets.

        `watched`: the messages of the connection that is made of it are to be seen.
        """
        if time.monotonic() >= self.expires:
            self._base = self._make_base()
            self.renewed = None
        if watched != self._watched:
            callbacks.see_messages(self._base, wanted=watched)
            self._watched = watched
        return self._base

    def renew(self) -> None:
        """Use the certificates that have been read again, with the old ticket keys for as long as those are valid."""
        self._chains.clear()
        if time.monotonic() >= self.expires:
            self._base, self.renewed = self._make_base(), None
        else:
            self.renewed = self._contexts.make(self.terms)

    def _make_base(self) -> SSL.Context:
        """OpenSSL keeps a context's ticket keys for as long as there is the context."""
        base = self._contexts.make(self.terms)
        self._watched = True
        # OpenSSL takes a callback as a sign that there will be a certificate that is fit for TLS 1.3.
        if self._contexts.named:
            callbacks.serve_names(base)
        self.expires = self._contexts.resumption.expiry()
        return base

    def for_chain(self, pem: bytes, name: str, log: Log) -> SSL.Context:
        """The context whose certificates are these, which `name` has led to; raise `BadIdentity`."""
        context = self._chains.get(pem)
        if context is None:
            origin = f"SNI data for {name}"
            try:
                identities = chains(pem_objects(pem, origin), origin, log)
            except BadIdentity as error:
                log.warning(str(error))
                raise BadIdentity(f"error loading private keys and certificates from: {origin}: {ABORTING}") from None
            context = self._contexts.make(self.terms, identities, origin)
            if len(self._chains) >= _MOST_CHAINS:
                self._chains.clear()
            self._chains[pem] = context
        return context


def certificate_pairs(init: ServerInit) -> tuple[tuple[str, str, str], ...]:
    """(word, certificate file, key file) of the six parameters that are older than chain files."""
    return (
        ("RSA", init.cert_file, init.key_file),
        ("DSA", init.dcert_file, init.dkey_file),
        ("ECDSA", init.eccert_file, init.eckey_file),
    )
