"""SSL contexts of the client role.

`ClientContexts` reads all that an INIT names: what sessions with the same settings have in common. pyOpenSSL has no
setters for ciphers, protocols and security level of one connection, so there is a context for each combination of
those that sessions ask for. All share the trusted authorities.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple, TypeVar

from OpenSSL import SSL

from postconf.models import TlsGlobals
from postconf.values import Protocols

from ...log import Log
from ...wire.messages import ClientInit
from ..contexts import BadContext, bare_context, limit_protocols, require_library, trusting_context, use_ciphers
from ..identities import Identity, read_configured, use_identities
from ..openssl import binding, callbacks, peers
from ..settings.digests import Fingerprints, digest_by_name
from ..settings.groups import choose_groups
from ..settings.loglevel import LogMask, log_mask
from ..settings.options import NO_RENEGOTIATION, context_options
from ..settings.release_behaviour import Behaviour
from ..verification.dane import Digests, read_digests

_MOST = 100

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(OrderedDict[K, V]):
    """A bounded memory of what is expensive to make; what was not used for longest is forgotten first."""

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key, made now if need be; what `make` raises is not remembered."""
        if key in self:
            self.move_to_end(key)
            return self[key]
        self[key] = value = make()
        if len(self) > _MOST:
            self.popitem(last=False)
        return value


class Terms(NamedTuple):
    """What sessions of one INIT may differ in, as far as it is a matter of the context."""

    ciphers: str
    grade: str
    """The word that `ciphers` comes from, for messages."""
    protocols: Protocols
    authenticate: bool
    """The server is to be verified, so weak keys don't count."""


class ClientContext(NamedTuple):
    """A context, and what of its terms OpenSSL has refused, in Postfix's words."""

    context: SSL.Context
    complaints: tuple[str, ...]


class ClientContexts:
    """Everything that sessions with the same INIT have in common; files are read here and in `renew`."""

    def __init__(self, library: TlsGlobals, init: ClientInit, behaviour: Behaviour, log: Log) -> None:
        """Raise `BadContext` or `BadIdentity`, in Postfix's order (tls_client_init(3)); the text is its warning."""
        self.mask = log_mask(init.log_param, init.log_level, log, traces=behaviour.settings_from_client)
        if self.mask & LogMask.VERBOSE:
            log.info("initializing the client-side TLS engine")
        require_library(library)
        self.init = init
        self._library = library
        self._log = log
        digest = digest_by_name(init.mdalg)
        if digest is None:
            log.warning(f'Digest algorithm "{init.mdalg}" not found')
            raise BadContext("disabling TLS support", "mdalg")
        self.fingerprints = Fingerprints(init.mdalg, digest)
        self.digests: Digests = read_digests(library.tls_dane_digests, digest, log)
        self._options = context_options(library, log, server=False)
        if behaviour.no_renegotiation:
            self._options |= NO_RENEGOTIATION
        self._trust, self._identities = self._read_files()
        self._groups = choose_groups(library, log, defaults=behaviour.default_groups)
        self._made: Cache[Terms, ClientContext] = Cache()

    def get(self, terms: Terms) -> ClientContext:
        """The context for sessions on these terms; raise `BadCiphers`."""
        return self._made.get_or_make(terms, lambda: self._make(terms))

    def renew(self) -> None:
        """Read certificates and authorities again, for new sessions; raise as at first, and nothing has changed."""
        self._trust, self._identities = self._read_files()
        self._made.clear()

    def _read_files(self) -> tuple[SSL.Context | None, list[Identity]]:
        init, log = self.init, self._log
        trust = trusting_context(self._library, init.CAfile, init.CApath)
        pairs = (
            ("RSA", init.cert_file, init.key_file),
            ("DSA", init.dcert_file, init.dkey_file),
            ("ECDSA", init.eccert_file, init.eckey_file),
        )
        identities = read_configured(init.chain_files, pairs, log)
        use_identities(bare_context(), identities, init.chain_files, log)
        return trust, identities

    def _make(self, terms: Terms) -> ClientContext:
        context = bare_context()
        context.set_options(self._options)
        refused = limit_protocols(context, terms.protocols)
        if self._trust:  # before the identities: in a jail their issuers are put beside the authorities
            peers.share_trust(context, self._trust)
        use_identities(context, self._identities, self.init.chain_files, self._log)
        callbacks.judge_chains(context, self.init.verifydepth)
        if self._groups:
            binding.set_groups(context, self._groups)
        use_ciphers(context, terms.ciphers, terms.grade, authenticate=terms.authenticate)
        complaints = (f"error setting {which} TLS version to: 0x{version:04x}" for which, version in refused)
        return ClientContext(context, tuple(complaints))
