"""Servers against a guideline: each violation at the line that causes it, with the smallest change that ends it.

A change is proposed only after it has been tried: the offers of the changed configuration are judged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ...context import Context
from ...engine import Checked
from ...findings import Finding, Fix, Span
from ..offers.offer import Offer
from ..offers.servers import server_offers
from ..openssl.library import Library
from .changes import Changes, SettingTarget
from .judgement import Violation, judge
from .profiles import Profile

_MOST_ROUNDS = 6
"""Of changes that make other changes necessary."""


@dataclass
class JudgedOffer(Checked):
    """One configuration after the comparison with a guideline."""

    services: int = 0
    """The number of services that offer TLS, which are those that were compared."""


def comply(context: Context, library: Library, profile: Profile) -> JudgedOffer:
    """Return the violations of a guideline by a configuration, as findings; only servers are judged."""
    compliance = _Compliance(context, library, profile)
    findings = sorted(compliance.findings(), key=lambda each: each.order)
    return JudgedOffer(context.texts, findings, services=compliance.services)


class _Outcome(NamedTuple):
    """A configuration after changes."""

    changes: Changes
    targets: dict[str, dict[SettingTarget, None]]
    """The settings that each service needs, in the order of the wishes."""
    offers: list[Offer]
    left: list[Violation]


class _Group(NamedTuple):
    """Violations that differ in the service only are one finding."""

    rule: str
    span: Span
    message: str
    targets: tuple[SettingTarget, ...]


class _Compliance:
    """The violations of a configuration, and the changes that end as many as possible."""

    def __init__(self, context: Context, library: Library, profile: Profile) -> None:
        self._context = context
        self._library = library
        self._profile = profile
        self._offers = list(server_offers(context, library))
        self._found = self._judged(context, self._offers)
        serving = {each.service for each in self._offers if each.protocols}
        self.services = len(serving)
        hopeless: set[str] = set()
        while True:
            self._outcome = self._changed(hopeless)
            self._dead = serving - {each.service for each in self._outcome.offers if each.protocols}
            if self._dead <= hopeless:
                break
            hopeless |= self._dead
        left = {(each.service, each.aspect) for each in self._outcome.left}
        self._unending = [
            each for each in self._found if each.service in hopeless or (each.service, each.aspect) in left
        ]

    def _judged(self, context: Context, offers: Iterable[Offer]) -> list[Violation]:
        judged = (judge(context, each, self._profile, self._library) for each in offers if each.protocols)
        return [violation for violations in judged for violation in violations]

    def _changed(self, hopeless: set[str]) -> _Outcome:
        """Change the configuration until nothing more is asked for; `hopeless` services ask for nothing."""
        changes = Changes(self._context, {each.service: each.view for each in self._offers})
        targets: dict[str, dict[SettingTarget, None]] = {}
        offers, left = self._offers, self._found
        for _ in range(_MOST_ROUNDS):
            wishes = [(each.service, wish) for each in left if each.service not in hopeless for wish in each.wishes]
            for service, wish in wishes:
                targets.setdefault(service, {})[changes.target(service, wish)] = None
            if not changes.add(wishes):
                break
            changed = changes.applied()
            offers = list(server_offers(changed, self._library))
            left = self._judged(changed, offers)
        return _Outcome(changes, targets, offers, left)

    def findings(self) -> Iterator[Finding]:
        """Yield the findings; an edit that several of them need is in the fix of the first one."""
        changes = self._outcome.changes
        groups: dict[_Group, list[Violation]] = {}
        for each in self._found:
            targets = (
                () if each in self._unending else tuple(changes.target(each.service, wish) for wish in each.wishes)
            )
            groups.setdefault(_Group(each.rule.id, each.span, each.message, targets), []).append(each)
        asked = {target for group in groups for target in group.targets}
        claimed: set[SettingTarget] = set()
        for group, violations in groups.items():
            first = violations[0]
            services = list(dict.fromkeys(each.service for each in violations))
            help, fix = first.otherwise, None
            if group.targets:
                needed = (target for service in services for target in self._outcome.targets[service])
                wanted = [*group.targets, *dict.fromkeys(each for each in needed if each not in asked | claimed)]
                settings = [changes.setting(each) for each in wanted]
                help = f"set {', and '.join(settings)}" + (f", or {first.alternative}" if first.alternative else "")
                edits = [edit for each in wanted if each not in claimed for edit in changes.edits(each)]
                claimed.update(wanted)
                fix = Fix(f"set {', '.join(settings)}", tuple(edits), safe=not self._dead) if edits else None
            message = f"{', '.join(services)}: {first.message} ({self._profile.name})"
            yield first.rule.finding(first.span, message, help, fix=fix)
