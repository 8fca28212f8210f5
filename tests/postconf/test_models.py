"""Settings are typed, complete for every release, and bad ones are reported as Postfix's daemon would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

import postconf
from postconf import catalogue, models
from postconf.models import InvalidSettingsError, ServiceSettings, TlsClient, TlsGlobals, TlsServer, TlsSettings
from postconf.models.log_level import LogMask
from postconf.values import CipherGrade, Protocols, SecurityLevel

Load = Callable[..., TlsSettings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the settings of a tlsproxy service from a main.cf with these lines."""

    def load(settings: dict[str, str], version: str = "3.7") -> TlsSettings:
        (tmp_path / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (tmp_path / "master.cf").write_text("tlsproxy unix - - y - 0 tlsproxy\n")
        return models.load(postconf.load(tmp_path, version=version).service("tlsproxy", "unix"))

    return load


def problems(load: Load, settings: dict[str, str]) -> list[str]:
    with pytest.raises(InvalidSettingsError) as caught:
        load(settings)
    assert caught.value.message == caught.value.problems[0].message
    return [problem.message for problem in caught.value.problems]


@pytest.mark.parametrize("version", catalogue.releases())
def test_every_release_has_all_settings(version: str, load: Load) -> None:
    settings = load({}, version)
    assert settings.service.tlsproxy_watchdog_timeout == 10
    assert settings.service.process_name == "tlsproxy"
    assert settings.server.tlsproxy_tls_security_level is None
    assert settings.server.tlsproxy_tls_ccert_verifydepth == 9
    assert settings.client.tlsproxy_client_loglevel_parameter == "smtp_tls_loglevel"
    assert settings.globals.tls_fast_shutdown_enable is True


def test_there_is_a_field_for_each_control_of_the_manual() -> None:
    groups: dict[str, type[BaseModel]] = {
        "global": TlsGlobals,
        "server": TlsServer,
        "client": TlsClient,
        "obsolete": TlsServer,
        "misc": ServiceSettings,
    }
    release = catalogue.release("3.7")
    for name in release.defaults:
        role = release.parameter(name).role.partition(" ")[0]
        if role in groups:
            assert name in groups[role].model_fields
    fields = [name for model in (TlsGlobals, TlsServer, TlsClient, ServiceSettings) for name in model.model_fields]
    assert len(fields) == len(set(fields)) == 77 + len(UNDOCUMENTED)
    assert set(fields) >= UNDOCUMENTED


UNDOCUMENTED = {
    "tls_ssl_options",
    "tls_dane_digests",
    "tls_wildcard_matches_multiple_labels",
    "tls_trust_server_ccerts",
    "tlsproxy_tls_enable_rpk",
}


def test_values_have_types(load: Load) -> None:
    settings = load(
        {
            "smtpd_tls_chain_files": "/a.pem, /b.pem",
            "smtpd_tls_exclude_ciphers": "aNULL:MD5, RC4",
            "smtpd_tls_protocols": ">=TLSv1.2",
            "smtpd_tls_ciphers": "High",
            "smtpd_tls_loglevel": "Summary",
            "smtpd_tls_ask_ccert": "YES",
            "tls_ssl_options": "no_ticket, 0x40000000, NONE",
            "tls_disable_workarounds": "TLSEXT_PADDING",
            "tls_dane_digests": "sha512, sha384=3, sha1=0",
            "smtpd_tls_security_level": "May",
            "smtp_tls_security_level": "dane",
            "tlsproxy_watchdog_timeout": "2m",
        }
    )
    assert settings.server.tlsproxy_tls_chain_files == ("/a.pem", "/b.pem")
    assert settings.server.tlsproxy_tls_exclude_ciphers == ("aNULL", "MD5", "RC4")
    assert settings.server.tlsproxy_tls_protocols == (">=TLSv1.2", Protocols(minimum=0x303))
    assert settings.server.tlsproxy_tls_ciphers == ("High", CipherGrade.HIGH)
    assert settings.server.tlsproxy_tls_loglevel == ("Summary", LogMask.SUMMARY, "")
    assert settings.server.tlsproxy_tls_ask_ccert is True
    assert settings.globals.tls_ssl_options == ("no_ticket, 0x40000000, NONE", 0x40004000, ("NONE",))
    assert settings.globals.tls_disable_workarounds == ("TLSEXT_PADDING", 0x10, ())
    digests = settings.globals.tls_dane_digests
    assert digests.text == "sha512, sha384=3, sha1=0"
    assert [each[:2] for each in digests.digests] == [("sha512", 2), ("sha384", 3), ("sha1", None)]
    assert digests.digests[2].problem == "Reserved matching type number in tls_dane_digests: sha1=0"
    assert settings.server.tlsproxy_tls_security_level is SecurityLevel.MAY
    assert settings.client.tlsproxy_client_security_level is SecurityLevel.DANE
    assert settings.service.tlsproxy_watchdog_timeout == 120


@pytest.mark.parametrize("version", catalogue.releases())
def test_settings_equal_those_of_full_pydantic_validation(version: str, load: Load) -> None:
    lines = {"smtpd_tls_chain_files": "/a.pem, /b.pem", "smtpd_tls_security_level": "May", "smtp_use_tls": "yes"}
    settings = load(lines, version)
    release = settings.view.config.release
    for made in (settings.globals, settings.server, settings.client, settings.service):
        texts = {name: settings.view[name] for name in type(made).model_fields if name in release.defaults}
        assert type(made).model_validate(dict(made) | texts, context=release) == made


def test_settings_do_not_change(load: Load) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load({}).server.tlsproxy_tls_loglevel = "1"  # type: ignore[assignment]


def test_release_has_its_own_settings(load: Load) -> None:
    assert load({"tlsproxy_tls_enable_rpk": "yes"}, "3.9").server.tlsproxy_tls_enable_rpk is True
    assert load({}, "3.7").globals.tls_ffdhe_auto_groups == ""
    assert load({}, "3.8").globals.tls_ffdhe_auto_groups == "ffdhe2048 ffdhe3072"
    assert load({"smtp_tls_security_level": "encrypt"}, "3.5").client.tlsproxy_client_security_level == 2


def test_programs_make_settings_without_files() -> None:
    values = {name: field.default for name, field in TlsServer.model_fields.items() if not field.is_required()}
    values |= {name: "" for name in TlsServer.model_fields if name not in values}
    values |= {name: False for name, field in TlsServer.model_fields.items() if field.annotation is bool}
    values |= {"tlsproxy_tls_ccert_verifydepth": 9, "tlsproxy_tls_security_level": SecurityLevel.MAY}
    values |= dict.fromkeys(("tlsproxy_tls_ciphers", "tlsproxy_tls_mandatory_ciphers"), "medium")
    values |= {"tlsproxy_tls_eecdh_grade": "auto", "tlsproxy_tls_fingerprint_digest": "sha256"}
    assert TlsServer.model_validate(values).tlsproxy_tls_security_level is SecurityLevel.MAY


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smtpd_tls_ask_ccert": "maybe"}, "bad boolean configuration: smtpd_tls_ask_ccert = maybe"),
        ({"tlsproxy_use_tls": ""}, "bad boolean configuration: tlsproxy_use_tls = "),
        ({"smtp_tls_scert_verifydepth": "1x"}, "bad numerical configuration: smtp_tls_scert_verifydepth = 1x"),
        ({"tls_daemon_random_bytes": "0"}, "invalid tls_daemon_random_bytes parameter value 0 < 1"),
        ({"tlsproxy_watchdog_timeout": "5"}, "invalid tlsproxy_watchdog_timeout: 5 (min 10)"),
        ({"tlsproxy_watchdog_timeout": "1y"}, "parameter tlsproxy_watchdog_timeout: bad time value or unit: 1y"),
        ({"smtpd_tls_security_level": "dane"}, 'Invalid TLS level "dane"'),
        ({"tlsproxy_client_security_level": "halfdane"}, 'Invalid TLS level "halfdane"'),
        ({"smtpd_tls_ciphers": ""}, "bad string length 0 < 1: smtpd_tls_ciphers = "),
        ({"tls_medium_cipherlist": ""}, "bad string length 0 < 1: tls_medium_cipherlist = "),
        ({"syslog_facility": "x"}, "file DIR/main.cf: parameter syslog_facility: unrecognized value: x"),
    ],
)
def test_fatal_settings_are_reported_as_by_the_daemon(
    settings: dict[str, str], message: str, load: Load, tmp_path: Path
) -> None:
    assert problems(load, settings) == [message.replace("DIR", str(tmp_path))]


def test_settings_that_the_daemon_survives_are_not_reported(load: Load) -> None:
    settings = {
        "smtpd_tls_protocols": "bogus",
        "smtpd_tls_exclude_ciphers": "!RC4",
        "smtpd_tls_ciphers": "bogus",
        "smtpd_tls_loglevel": "bogus",
        "smtpd_tls_chain_files": "/nonexistent",
    }
    assert load(settings).server.tlsproxy_tls_chain_files == ("/nonexistent",)


def test_problem_has_a_place_and_a_remedy(load: Load) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        load({"smtpd_tls_ask_ccert": "maybe"})
    assert str(caught.value.place).endswith("main.cf:1:23")
    assert caught.value.remedy == 'specify "yes" or "no"'


@pytest.mark.parametrize("version", catalogue.releases())
def test_bad_level_of_the_client_has_its_place(version: str, load: Load) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        load({"tlsproxy_watchdog_timeout": "1y", "smtp_tls_security_level": "halfdane"}, version)
    timeout, level = caught.value.problems
    assert timeout.message.startswith("parameter tlsproxy_watchdog_timeout")
    assert level.message == 'Invalid TLS level "halfdane"'
    assert str(level.place).endswith("main.cf:2:27")


def test_all_problems_are_reported_the_first_one_first(load: Load) -> None:
    assert problems(
        load,
        {
            "tls_daemon_random_bytes": "none",
            "smtpd_tls_security_level": "bogus",
            "tlsproxy_watchdog_timeout": "later",
            "tlsproxy_use_tls": "perhaps",
            "smtp_use_tls": "perhaps",
            "tlsproxy_tls_fingerprint_digest": "",
            "tlsproxy_client_scert_verifydepth": "deep",
            "smtpd_tls_ccert_verifydepth": "deep",
        },
    ) == [
        "bad numerical configuration: smtpd_tls_ccert_verifydepth = deep",
        "bad numerical configuration: tlsproxy_client_scert_verifydepth = deep",
        "bad string length 0 < 1: tlsproxy_tls_fingerprint_digest = ",
        "bad boolean configuration: smtp_use_tls = perhaps",
        "bad boolean configuration: tlsproxy_use_tls = perhaps",
        "parameter tlsproxy_watchdog_timeout: bad time value or unit: later",
        'Invalid TLS level "bogus"',
        "bad numerical configuration: tls_daemon_random_bytes = none",
    ]


def test_hidden_default_is_checked_although_it_is_not_used(load: Load) -> None:
    settings = {"smtpd_use_tls": "maybe", "tlsproxy_use_tls": "yes"}
    assert problems(load, settings) == ["bad boolean configuration: smtpd_use_tls = maybe"]


def test_service_has_its_own_settings(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("smtpd_tls_loglevel = 1\nlevel = may\n")
    (tmp_path / "master.cf").write_text(
        "tlsproxy unix - - y - 0 tlsproxy\n"
        "  -o tlsproxy_tls_loglevel=2 -o smtpd_tls_security_level=$level\n"
        "bad unix - - y - 0 tlsproxy\n"
        "  -o tlsproxy_use_tls=maybe\n"
    )
    config = postconf.load(tmp_path)
    settings = models.load(config.service("tlsproxy", "unix"))
    assert settings.server.tlsproxy_tls_loglevel.mask & LogMask.SSL_DEBUG
    assert settings.server.tlsproxy_tls_security_level is SecurityLevel.MAY
    assert str(settings.origin("tlsproxy_tls_loglevel").place) == f"{tmp_path}/master.cf:2:28"
    with pytest.raises(InvalidSettingsError) as caught:
        models.load(config.service("bad", "unix"))
    assert str(caught.value.place) == f"{tmp_path}/master.cf:4:23"
