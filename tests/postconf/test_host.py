"""The machine's own addresses are those that Postfix finds, in its order."""

from __future__ import annotations

import subprocess

import pytest
from peers.daemon.proxy import script

from postconf.machine.host import FixedHost, Host, myhostname
from postconf.machine.netlink import addresses


def test_loopback_interface_is_among_the_addresses() -> None:
    assert any(address[:1] == b"\x7f" for _family, address, _prefix in addresses())
    assert all(0 <= prefix <= 8 * len(address) for _family, address, prefix in addresses())


def test_addresses_of_ipv4_come_first() -> None:
    families = [each.family for each in Host().interfaces()]
    assert families == sorted(families)


@pytest.mark.parametrize(
    ("explicit", "name"), [(None, "vm.localdomain"), ("example.com", "vm.example.com"), ("", "vm.")]
)
def test_host_name_without_domain_gets_one(explicit: str | None, name: str) -> None:
    assert myhostname(FixedHost("vm"), explicit) == name
    assert myhostname(FixedHost("vm.example.org"), explicit) == "vm.example.org"


@pytest.mark.postfix
@pytest.mark.parametrize("style", ["subnet", "class", "host"])
def test_mynetworks_is_computed_as_by_postconf(style: str) -> None:
    arguments = ["-c", "/etc/postfix", "-o", f"mynetworks_style={style}", "-o", "inet_interfaces=all", "mynetworks"]
    ours, theirs = (
        subprocess.run([command, *arguments], capture_output=True, check=True, timeout=60).stdout
        for command in (script("tlsproxy-postconf"), "postconf")
    )
    assert ours == theirs
