"""Networks of cidr tables that come behind a larger network: the first rule that matches decides (cidr_table(5))."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from postconf.syntax.lines import decode

from ...context import Context
from .contents import Content, rules
from .named import Named

_MOST = 10_000
"""Rules of one table that are compared."""
_MOST_FOUND = 20


def covered(context: Context, named: Named) -> Iterator[tuple[Content, Content]]:
    """Yield the rules that never decide and have another value, each with the rule that decides before it.

    Rules within `if` and `endif`, and those with `!`, are passed over.
    """
    seen: dict[tuple[int, int, int], Content] = {}
    lengths: dict[int, set[int]] = {4: set(), 6: set()}
    depth = found = 0
    for count, rule in enumerate(rules(context, named)):
        if count == _MOST or found == _MOST_FOUND:
            return
        if not rule.value:
            depth += 1 if rule.key.lower().lstrip().startswith(b"if") else -1
            continue
        if depth or rule.key.startswith(b"!"):
            continue
        try:
            network = ip_network(decode(rule.key).replace("[", "").replace("]", ""))
        except ValueError:
            continue  # T006
        bits, address = network.max_prefixlen, int(network.network_address)
        keys = [
            (network.version, length, address >> (bits - length))
            for length in sorted(lengths[network.version])
            if length <= network.prefixlen
        ]
        before = next((seen[key] for key in keys if key in seen), None)
        if before is None:
            lengths[network.version].add(network.prefixlen)
            seen[network.version, network.prefixlen, address >> (bits - network.prefixlen)] = rule
        elif before.value.split()[:1] != rule.value.split()[:1]:
            found += 1
            yield rule, before
