"""A program that uses the three packages; `test_typing` has mypy look at it, nothing runs it."""

from __future__ import annotations

import asyncio
import socket
from typing import assert_type

import maps
import postconf
from tlsproxy.policy import Destination, Policies, Policy, PolicyError
from tlsproxy.policy.resolver import DnsResolver
from tlsproxy.starttls import Proxy, TlsSocket, TlsStreams, detach, starttls, starttls_blocking
from tlsproxy.wire.messages import TlsContext


def configuration() -> postconf.Config:
    config = postconf.load("/etc/postfix", version="3.10", overrides=["myhostname=x"])
    assert_type(config["myhostname"], str)
    place = config.origin("myhostname").place
    assert_type(place, postconf.Place | None)
    return config


def lookup(config: postconf.Config) -> bytes | None:
    with maps.open_table("hash:/etc/postfix/transport", maps.Access(config=config)) as table:
        return table.lookup(b"example.com")


def decide(config: postconf.Config) -> Policy | str:
    with Policies(config, resolver=DnsResolver()) as policies:
        try:
            return policies.decide(Destination.parse("[mail.example.com]:587"))
        except PolicyError as error:
            assert_type(error.column, int)
            return error.reason


async def talk(policy: Policy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> TlsContext:
    sock = await detach(reader, writer)
    tls = await starttls(sock, role="client", policy=policy, proxy=Proxy.of("/etc/postfix"))
    assert_type(tls, TlsStreams)
    return tls.context


def serve(sock: socket.socket) -> bytes:
    tls = starttls_blocking(sock, role="server")
    assert_type(tls, TlsSocket)
    return tls.socket.recv(100)


def mistakes(sock: socket.socket) -> None:
    starttls_blocking(sock, role="both")  # type: ignore[arg-type]
    Policies("/etc/postfix")  # type: ignore[arg-type]
    maps.Access(config="/etc/postfix")  # type: ignore[arg-type]
