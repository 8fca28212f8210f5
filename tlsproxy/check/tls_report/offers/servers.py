"""Offers of the server role: smtpd(8), postscreen(8) and tlsproxy(8), by the settings that each has.

smtpd(8) is the C program: where it behaves unlike our daemon, so does the offer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from maps.table import Flags, TableError
from postconf import ConfigError, ServiceView, View
from postconf.files.regular import read_regular
from postconf.models import TlsSettings, load
from postconf.values import Grade, SecurityLevel, cipher_exclusions, words

from ....tls.identities import chains, pem_objects
from ....tls.server.contexts import ServerContexts
from ....tls.server.tickets import Resumption
from ....tls.settings.ciphers import cipher_list, list_parameter
from ....tls.settings.errors import IdentityError, SettingsError
from ....tls.settings.levels import server_level as proxy_level
from ....tls.settings.options import context_options, protocol_options
from ....tls.settings.parameters import CHAIN_FILES, FILES, KEY_PAIRS, SERVER, CertificateFiles
from ....tls.settings.release_behaviour import Behaviour
from ....tls.settings.server import ServerContextSettings, server_settings
from ....wire.messages import ServerInit, ServerSettings
from ...context import Context
from ...facts.tables.named import named_tables, open_table
from ...facts.tls.daemon_loader import AsProxy
from ...facts.tls.key_files import is_hidden, level_of, level_parameter, server_level
from ..openssl.ciphers import Cipher, cipher
from ..openssl.groups import chosen_groups
from ..openssl.library import Library
from ..openssl.negotiation import Side, enabled_versions, security_level
from .identities import assumed, below_root, certificates, dh_size, files_of, signatures
from .offer import Offer, OfferedCertificate
from .origins import OfferWarnings, origins

_SMTPD = "smtpd_tls_"
_CACHE, _TIMEOUT = "smtpd_tls_session_cache_database", "smtpd_tls_session_cache_timeout"


def server_offers(context: Context, library: Library) -> Iterator[Offer]:
    """Yield the offers of all services with a server role, in the order of master.cf."""
    for view in context.views("smtpd", "postscreen", "tlsproxy"):
        program = _program(view)
        if program == "smtpd":
            level = server_level(context, view)
            if level != "none":
                proxy = AsProxy(context, view, {"tlsproxy_tls_security_level": level})
                decisive = level_parameter(context, view, "smtpd")
                yield _Server(context, library, view, proxy, level, decisive=decisive).offer()
        elif program == "postscreen":
            level = _postscreen_level(context, view)
            name = context.value("tlsproxy_service_name", view) or "tlsproxy"
            proxies = [each for each in context.services("tlsproxy") if each.service.name == name]
            if level != "none" and proxies:
                decisive, name = level_parameter(context, view, "postscreen"), service_name(view)
                yield _Server(context, library, proxies[0], proxies[0], level, decisive=decisive, name=name).offer()
        else:
            try:
                own = proxy_level(load(view).server).word
            except ConfigError:
                continue
            if own != "none":
                yield _Server(context, library, view, view, own).offer()


def service_name(view: View) -> str:
    """Return the name of a service, such as smtp/inet; smtpd without a master.cf."""
    return f"{view.service.name}/{view.service.type}" if isinstance(view, ServiceView) else "smtpd"


def _program(view: View) -> str:
    return view.service.command.rpartition("/")[2] if isinstance(view, ServiceView) else "smtpd"


def _postscreen_level(context: Context, view: View) -> str:
    level = level_of(context, view, "postscreen")
    return level if level in ("none", "may") else "encrypt"


class _Server:
    """One service."""

    def __init__(
        self,
        context: Context,
        library: Library,
        view: View,
        proxy: View,
        level: str,
        *,
        decisive: str = "",
        name: str = "",
    ) -> None:
        """Begin an offer; `proxy` has the settings of `view` by the names of tlsproxy(8), `decisive` sets the level."""
        self.context = context
        self.library = library
        self.proxy = proxy
        self.prefix = _SMTPD if isinstance(proxy, AsProxy) else SERVER
        self.log = OfferWarnings(proxy, context.files)
        self.manager: View = next(iter(context.services("tlsmgr")), context.config)
        self.level = decisive
        self.result = Offer(name or service_name(view), "server", level, view)

    def offer(self) -> Offer:
        """Return the offer; without protocols if no handshake can succeed."""
        offer = self.result
        enforce = offer.level == SecurityLevel.ENCRYPT.word
        try:
            settings = load(self.proxy)
            own = server_settings(settings, self.log)
            offer.parameters = self._parameters(settings, enforce)
            self._negotiate(settings, own)
        except (ConfigError, SettingsError) as error:
            offer.problems = (*self.log.lines, str(error))
        else:
            offer.problems = tuple(self.log.lines)
        if not offer.parameters:
            offer.parameters = self._parameters(None, enforce)
        offer.problems = tuple(dict.fromkeys(offer.problems))
        files = (f"{self.prefix}{name}" for name in FILES)
        offer.origins = origins(offer.view, (*offer.parameters.values(), *files))
        if self.prefix == _SMTPD:
            for name in (_CACHE, _TIMEOUT):
                offer.origins.pop(name, None)
            offer.origins |= origins(self.manager, (_CACHE, _TIMEOUT))
        return offer

    def _parameters(self, settings: TlsSettings | None, enforce: bool) -> dict[str, str]:
        mandatory = "mandatory_" if enforce else ""
        found = {
            "level": self.level or f"{self.prefix}security_level",
            "protocols": f"{self.prefix}{mandatory}protocols",
            "grade": f"{self.prefix}{mandatory}ciphers",
            "exclude": f"{self.prefix}{mandatory}exclude_ciphers",
            "order": "tls_preempt_cipherlist",
            "groups": "tls_eecdh_auto_curves",
            "finite groups": "tls_ffdhe_auto_groups",
            "dh": f"{self.prefix}dh1024_param_file",
            "names": "tls_server_sni_maps",
            "ask": f"{self.prefix}ask_ccert",
            "require": f"{self.prefix}req_ccert",
            "options": "tls_ssl_options",
            "tickets": "tls_session_ticket_cipher",
            "cache": _CACHE,
            "timeout": _TIMEOUT,
        }
        if enforce:
            found["exclude also"] = f"{self.prefix}exclude_ciphers"
        if self.prefix == _SMTPD:
            found["wrapper"] = f"{_SMTPD}wrappermode"
        if settings is not None:
            grade = getattr(settings.server, f"{SERVER}{mandatory}ciphers")
            found["list"] = list_parameter(settings.globals, grade)
        return found

    def _negotiate(self, settings: TlsSettings, own: ServerSettings) -> None:
        offer, library = self.result, settings.globals
        init, start = own.init, own.start
        offer.client_certificate = "require" if start.requirecert else "ask" if init.ask_ccert else "none"
        behaviour = Behaviour.of(settings.view.config.release)
        found, dh_bits, tickets = self._files(settings, init, behaviour)
        wanted = cipher_list(library, Grade.of(start.cipher_grade), cipher_exclusions(start.cipher_exclusions))
        names = self.library.ciphers(wanted)
        if names is None:
            raise SettingsError(f'error setting cipher grade: "{wanted.grade}"', f"tls_{wanted.grade}_cipherlist")
        protocols = ServerContextSettings.of(init, traces=False).protocols.allowed
        if protocols is None:
            raise SettingsError(f'Invalid TLS protocol list "{init.protocols}": disabling TLS support', "protocols")
        options = context_options(library, self.log, server=True) | protocol_options(protocols)
        side = Side(
            names,
            security_level(wanted.text, authenticate=bool(start.requirecert)),
            enabled_versions(protocols, options),
            chosen_groups(library, self.library, self.log, defaults=behaviour.default_groups),
            self.library.version,
            found,
            dh_bits,
        )
        offer.ciphers, offer.groups = side.agreed(server=True)
        offer.protocols = tuple(offer.ciphers)
        offer.certificates = self._met(side, found)
        offer.signatures = signatures(each for each in offer.certificates if not each.server_name)
        offer.prefers = bool(library.tls_preempt_cipherlist)
        suites = {each for names in offer.ciphers.values() for each in map(cipher, names) if each}
        finite = [each for each in suites if each.exchange == "DHE"]
        offer.dh_bits = dh_bits or min((_automatic_dh(each, found) for each in finite), default=0) if finite else 0
        offer.resumption = tickets if offer.protocols else ()

    def _met(self, side: Side, found: tuple[OfferedCertificate, ...]) -> tuple[OfferedCertificate, ...]:
        """Return the certificates that a client can meet: those of names come with ciphers of their own."""
        ciphers = self.result.ciphers
        met = tuple(each for each in found if side.is_met(each, ciphers))
        if ciphers:
            unused = [each.algorithm for each in found if each not in met]
            self.log.lines += [f"no cipher is left for the {each} certificate: it is not used" for each in unused]
        named: dict[str, list[OfferedCertificate]] = {}
        for each in self._named():
            named.setdefault(each.server_name, []).append(each)
        for own in named.values():
            other = replace(side, certificates=own)
            agreed, _ = other.agreed(server=True)
            met += tuple(each for each in own if other.is_met(each, agreed))
        return met

    def _files(
        self, settings: TlsSettings, init: ServerInit, behaviour: Behaviour
    ) -> tuple[tuple[OfferedCertificate, ...], int | None, tuple[str, ...]]:
        """Return certificates, size of DH parameters, and ways of resumption; raise `SettingsError`."""
        context = self.context
        init = below_root(init, context.files)
        supposed: tuple[OfferedCertificate, ...] = ()
        if not context.files.enabled or any(is_hidden(context, context.files.inside(file)) for file in files_of(init)):
            supposed = assumed(CertificateFiles.of(init))
            init = _without(init, (*FILES, "dh1024_param_file"))
        elif self.prefix == _SMTPD and _lacks(init.chain_files):
            # smtpd(8) goes on without any certificate.
            self.log.warning(f"error opening chain file: {_lacks(init.chain_files)}: only anonymous ciphers are left")
            init = _without(init, (CHAIN_FILES, *(name for pair in KEY_PAIRS for name in pair[1:])))
        contexts = ServerContexts(
            settings.globals,
            ServerContextSettings.of(init, traces=False),
            settings.view,
            behaviour,
            self.log,
            named=bool(settings.globals.tls_server_sni_maps),
        )
        resumption = contexts.resumption
        if self.prefix == _SMTPD:
            # smtpd(8) asks tlsmgr(8), which looks at its own settings.
            options = context_options(settings.globals, self.log, server=True)
            resumption = Resumption.of(settings.globals, self.manager, options, self.log, ids=False)
        ways = (*(("tickets",) if resumption.tickets else ()), *(("cache",) if resumption.cached else ()))
        return supposed or certificates(contexts.identities), self._dh(init.dh1024_param_file), ways

    def _dh(self, file: str) -> int | None:
        automatic = 2048 if self.library.is_bundled else None
        if not file or file == "auto":
            return automatic
        try:
            return dh_size(read_regular(file)) or automatic
        except OSError:
            return automatic

    def _named(self) -> tuple[OfferedCertificate, ...]:
        """Return the certificates by server name, of tables that can be listed."""
        found: list[OfferedCertificate] = []
        wanted = self.context.setting("tls_server_sni_maps", self.result.view)
        for table in named_tables(self.context):
            if table.assignment != wanted:
                continue
            # The files that a table of an image names are below its root.
            is_image = self.context.files.is_image
            flags = Flags.LOCK | Flags.FOLD_FIX | (Flags(0) if is_image else Flags.SRC_RHS_IS_FILE)
            opened = open_table(self.context, table, [], flags)
            if opened is None:
                continue
            try:
                for key, value in opened.entries():
                    found += self._chain(key.decode("utf-8", "surrogateescape"), value)
            except TableError as error:
                self.log.warning(f"{table.text}: {error}")
            finally:
                opened.close()
        return tuple(found)

    def _chain(self, name: str, value: bytes) -> Sequence[OfferedCertificate]:
        from maps.file_values import FileValueError, decode

        files = self.context.files
        try:
            if files.is_image and value.startswith(b"/"):
                pem = b"\n".join(files.read(each) for each in words(value.decode("utf-8", "surrogateescape")))
            else:
                pem = decode(value)
            return certificates(chains(pem_objects(pem, name), name, self.log), name)
        except (FileValueError, IdentityError, OSError) as error:
            self.log.warning(f"SNI data for {name}: {error}")
            return ()


def _without(init: ServerInit, names: Sequence[str]) -> ServerInit:
    """Return an INIT that does not name these files."""
    return ServerInit(**{**init._asdict(), **dict.fromkeys(names, "")})


def _lacks(chain_files: str) -> str:
    """Return the first of the files that is not there; empty if all are."""
    for file in chain_files.replace(",", " ").split():
        try:
            read_regular(file)
        except IsADirectoryError:
            continue
        except OSError as error:
            return f"{file}: {error.strerror}"
    return ""


def _automatic_dh(suite: Cipher, found: Sequence[OfferedCertificate]) -> int:
    """Return the bits that OpenSSL chooses for a suite: as strong as the key or, without one, as the cipher."""
    if suite.is_anonymous:
        return 3072 if suite.bits >= 256 else 1024
    algorithm = "DSA" if suite.authentication == "DSA" else "RSA"
    strength = min((each.strength for each in found if each.algorithm.startswith(algorithm)), default=0)
    return 1024 if strength < 112 else 2048 if strength < 128 else 3072
