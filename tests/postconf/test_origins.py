"""A value can be followed to the place of its setting, through all references."""

from __future__ import annotations

from pathlib import Path

import pytest

import postconf
from postconf import origins


@pytest.fixture
def config(tmp_path: Path) -> postconf.Config:
    (tmp_path / "main.cf").write_text(
        "base = /etc/ssl\n"
        "cert_dir = $base/private\n"
        "smtpd_tls_cert_file = ${cert_dir}/a.pem\n"
        "loop = $pool\n"
        "pool = $loop\n"
    )
    (tmp_path / "master.cf").write_text(
        "tlsproxy unix - - y - 0 tlsproxy\n  -o smtpd_tls_cert_file=$nowhere/b.pem -o base=/b\n"
    )
    return postconf.load(tmp_path)


def test_default_is_followed_to_the_setting(config: postconf.Config) -> None:
    directory = config.directory
    assert origins.lines(config, "tlsproxy_tls_cert_file") == [
        "tlsproxy_tls_cert_file = $smtpd_tls_cert_file  (default)",
        f"    smtpd_tls_cert_file = ${{cert_dir}}/a.pem  ({directory}/main.cf:3:23)",
        f"        cert_dir = $base/private  ({directory}/main.cf:2:12)",
        f"            base = /etc/ssl  ({directory}/main.cf:1:8)",
    ]


def test_service_has_origins_of_its_own(config: postconf.Config) -> None:
    service = config.service("tlsproxy", "unix")
    assert origins.lines(service, "smtpd_tls_cert_file") == [
        f"smtpd_tls_cert_file = $nowhere/b.pem  ({config.directory}/master.cf:2:26)"
    ]
    assert [origin.kind for _, origin in origins.chain(service, "cert_dir")] == ["main.cf", "master.cf"]


def test_place_of_a_value_is_the_first_that_is_written(config: postconf.Config) -> None:
    assert str(origins.place_of(config, "tlsproxy_tls_cert_file")) == f"{config.directory}/main.cf:3:23"
    assert origins.place_of(config, "tlsproxy_tls_key_file") == origins.place_of(config, "smtpd_tls_cert_file")
    assert origins.place_of(config, "tlsproxy_tls_CAfile") is None


def test_circle_ends(config: postconf.Config) -> None:
    assert [origin.name for _, origin in origins.chain(config, "loop")] == ["loop", "pool"]


def test_unknown_name_is_an_error(config: postconf.Config) -> None:
    with pytest.raises(KeyError):
        origins.lines(config, "nowhere")
