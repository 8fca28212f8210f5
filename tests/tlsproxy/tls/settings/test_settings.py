"""Settings of TLS: one table of files, one builder of INIT for each role, one decision on the level."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from peers.daemon.roles import Lines

import postconf
import tlsproxy
from postconf import catalogue
from postconf.models import TlsSettings, load
from postconf.models.log_level import LogMask, log_level
from postconf.values import Protocols, SecurityLevel, resulting_level
from tlsproxy.tls.bounded_cache import BoundedCache
from tlsproxy.tls.settings.client import ClientContextSettings, client_init
from tlsproxy.tls.settings.errors import SettingsError
from tlsproxy.tls.settings.levels import server_level
from tlsproxy.tls.settings.parameters import CLIENT, DH_FILES, FILES, KEY_PAIRS, SERVER, KeyPair
from tlsproxy.tls.settings.server import ServerContextSettings, ServerVariant, server_settings
from tlsproxy.wire.messages import ClientInit, ServerInit

Load = Callable[..., TlsSettings]


@pytest.fixture
def load_settings(tmp_path: Path) -> Load:
    """Read a main.cf with these settings."""

    def read(**settings: str) -> TlsSettings:
        (tmp_path / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (tmp_path / "master.cf").write_text("")
        return load(postconf.load(str(tmp_path), version="3.7.11"))

    return read


def test_key_parameters_are_named_in_one_table() -> None:
    package = Path(tlsproxy.__file__).parent
    named = re.compile("|".join(name for pair in KEY_PAIRS[1:] for name in pair[1:]))
    found = {str(path.relative_to(package)) for path in package.rglob("*.py") if named.search(path.read_text())}
    assert found == {"tls/settings/parameters.py", "wire/messages.py"}


@pytest.mark.parametrize("version", catalogue.releases())
def test_files_of_the_table_are_parameters_and_attributes(version: str) -> None:
    known = catalogue.release(version).defaults
    assert {f"{prefix}{name}" for prefix in (SERVER, CLIENT, "smtp_tls_", "lmtp_tls_") for name in FILES} <= set(known)
    assert {f"{SERVER}{name}" for name in DH_FILES} <= set(known)
    assert set(FILES) <= set(ClientInit._fields) & set(ServerInit._fields)


@pytest.mark.parametrize("prefix", ["smtp_tls_", "lmtp_tls_", CLIENT])
def test_client_init_has_the_settings_of_its_prefix(load_settings: Load, prefix: str) -> None:
    own = {f"{prefix}{name}": f"/{name}" for name in FILES}
    view = load_settings(**own, **{f"{prefix}scert_verifydepth": "3", f"{prefix}loglevel": "2"}).view
    init = client_init(view, prefix)
    assert {name: getattr(init, name) for name in FILES} == {name: f"/{name}" for name in FILES}
    assert (init.verifydepth, init.log_level) == (3, "2")
    assert init.log_param == ("smtp_tls_loglevel" if prefix == CLIENT else f"{prefix}loglevel")
    typed = ClientContextSettings.of(init, traces=False)
    assert typed.log_level.mask & LogMask.SSL_DEBUG
    assert typed.certificates.chain_files == ("/chain_files",)
    assert typed.certificates.pairs == ()  # chain files count instead


def test_server_settings_follow_the_level(load_settings: Load) -> None:
    settings = {
        "smtpd_tls_cert_file": "/cert",
        "smtpd_tls_eccert_file": "/ec",
        "smtpd_tls_eckey_file": "/ec-key",
        "smtpd_tls_protocols": ">=TLSv1.1",
        "smtpd_tls_mandatory_protocols": ">=TLSv1.3",
        "smtpd_tls_mandatory_ciphers": "high",
        "smtpd_tls_exclude_ciphers": "A, B",
        "smtpd_tls_mandatory_exclude_ciphers": "C",
    }
    log = Lines()
    found = {}
    for level in ("may", "encrypt"):
        loaded = load_settings(**settings, smtpd_tls_security_level=level)
        own = server_settings(loaded, log)
        typed = ServerContextSettings.of(own.init, traces=False)
        variant = ServerVariant.of(own.start, loaded.globals, by_service=False)
        found[level] = typed.protocols.allowed, variant.ciphers.grade, variant.ciphers.text.partition(":!")[2]
        assert typed.certificates.pairs == (KeyPair("RSA", "/cert", "/cert"), KeyPair("ECDSA", "/ec", "/ec-key"))
    assert found == {
        "may": (Protocols(minimum=0x302), "medium", "A:!B"),
        "encrypt": (Protocols(minimum=0x304), "high", "A:!B:!C"),
    }
    assert log.lines == []


def test_server_settings_without_tls_name_the_level(load_settings: Load) -> None:
    with pytest.raises(SettingsError) as caught:
        server_settings(load_settings(smtpd_tls_security_level="none"), Lines())
    assert caught.value.setting == "level"
    assert isinstance(caught.value, tlsproxy.TlsproxyError)


@pytest.mark.parametrize(
    ("level", "use", "enforce", "expected"),
    [
        (None, False, False, "none"),
        (None, True, False, "may"),
        (None, False, True, "encrypt"),
        (None, True, True, "encrypt"),
        (SecurityLevel.NONE, True, True, "none"),
        (SecurityLevel.MAY, False, True, "may"),
        (SecurityLevel.SECURE, False, False, "secure"),
    ],
)
def test_level_is_decided_by_the_newer_parameter(
    level: SecurityLevel | None, use: bool, enforce: bool, expected: str
) -> None:
    assert resulting_level(level, use=use, enforce=enforce).word == expected


def test_server_takes_a_level_of_clients_for_encrypt(load_settings: Load) -> None:
    assert server_level(load_settings(smtpd_tls_security_level="secure").server) is SecurityLevel.ENCRYPT


def test_log_level_with_an_unknown_word_is_empty() -> None:
    assert log_level("1 bogus 2", traces=False) == ("1 bogus 2", 0, "bogus")
    assert log_level("trace", traces=False).unknown == "trace"
    assert log_level("trace", traces=True).mask == LogMask.TRACE


def test_cache_evicts_the_least_recently_used() -> None:
    cache: BoundedCache[int, str] = BoundedCache(2)
    made: list[int] = []

    def make(key: int) -> str:
        made.append(key)
        return str(key)

    for key in (1, 2, 1, 3, 1, 2):
        assert cache.get_or_make(key, lambda key=key: make(key)) == str(key)  # type: ignore[misc]
    assert made == [1, 2, 3, 2]
    assert list(cache) == [1, 2]


def test_cache_remembers_no_failure() -> None:
    cache: BoundedCache[int, str] = BoundedCache()
    with pytest.raises(ZeroDivisionError):
        cache.get_or_make(1, lambda: str(1 // 0))
    assert cache.get_or_make(1, lambda: "made") == "made"
