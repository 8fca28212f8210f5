"""Engine of the checker: files come in as text, rules are run, findings go out in the order of the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice

from postconf.catalogue import Release

from .context import Context, Options
from .facts.filesystem import FileSystem
from .findings import Finding, Severity
from .rule import Rule, all_rules
from .text.foreign import FOREIGN, foreign
from .text.pragmas import Suppressions, read_pragmas
from .text.sources import TOO_LARGE, MainFile, MasterFile, Source, Text
from .text.templates import templates

_MOST_OF_A_RULE = 100
"""Findings of one rule in one file that are reported one by one."""
_MOST_COLLECTED = 10_000
"""Findings of one rule that are looked for."""
UNUSED_IGNORE = "A001"


@dataclass
class Checked:
    """One configuration after the check. A run keeps many of them: nothing in it refers to the context."""

    sources: list[Text]
    """The files that it consists of."""
    findings: list[Finding] = field(default_factory=list)

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity that are not suppressed."""
        return sum(each.severity == severity and each.suppressed is None for each in self.findings)


def check(
    main: MainFile | None,
    master: MasterFile | None,
    rules: Iterable[Rule],
    release: Release,
    files: FileSystem,
    *,
    options: Options | None = None,
    pragmas: bool = True,
) -> Checked:
    """Check one configuration. `pragmas`: True if comments may suppress findings."""
    context = Context(main, master, release, files, options)
    markup = templates(context)
    is_partial = bool(markup) or any(source.rest for source in context.sources)
    judges = _applicable(tuple(rules), files.enabled, is_partial)
    if any(source.is_too_long for source in context.sources):
        judges = _only(judges, TOO_LARGE)
    recogniser = _only(judges, FOREIGN)
    is_foreign = bool(recogniser and foreign(context))
    findings: list[Finding] = []
    for rule in recogniser if is_foreign else judges:
        findings += islice(rule.check(context), _MOST_COLLECTED)
    if markup and not is_foreign:
        findings = [each for each in findings if not markup.hides(each)]
    if pragmas:
        findings = _with_pragmas(findings, context.sources, judges)
    findings = sorted(set(findings), key=lambda finding: finding.order)
    checked = Checked(context.texts, _bounded(findings, judges))
    context.forget()
    return checked


@lru_cache(maxsize=8)
def _applicable(rules: tuple[Rule, ...], has_files: bool, is_partial: bool) -> tuple[Rule, ...]:
    """Return the rules that can judge a configuration, with or without files, of which all or a part is known."""
    return tuple(
        rule for rule in rules if (has_files or not rule.needs_files) and (rule.in_templates or not is_partial)
    )


@lru_cache(maxsize=32)
def _only(rules: tuple[Rule, ...], id: str) -> tuple[Rule, ...]:
    """Return the rule with an id, if it is among these."""
    return tuple(rule for rule in rules if rule.id == id)


def _bounded(findings: list[Finding], rules: Iterable[Rule]) -> list[Finding]:
    """Return the first findings of each rule in each file, and the number of others.

    Those with fixes stay, and those of optional rules, which were asked for.
    """
    if len(findings) <= _MOST_OF_A_RULE:
        return findings
    unbounded = {rule.id for rule in rules if rule.optional}
    kept: list[Finding] = []
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], tuple[int, Finding]] = {}
    for finding in findings:
        key = finding.rule, finding.span.path
        if finding.fix is None and finding.suppressed is None and finding.rule not in unbounded:
            counts[key] += 1
            if counts[key] > _MOST_OF_A_RULE:
                first.setdefault(key, (len(kept), finding))
                continue
        kept.append(finding)
    for key, (position, finding) in sorted(first.items(), key=lambda item: -item[1][0]):
        more = counts[key] - _MOST_OF_A_RULE
        message = f"{more} more findings of {finding.rule} from here on, the first one: {finding.message}"
        kept.insert(position, replace(finding, message=message))
    return kept


def _with_pragmas(findings: list[Finding], sources: list[Source], rules: Iterable[Rule]) -> list[Finding]:
    comments = [pragma for source in sources for pragma in read_pragmas(source)]
    if not comments:
        return findings
    suppressions = Suppressions(comments)
    findings = [_suppressed(finding, suppressions) for finding in findings]
    reporter = next((rule for rule in rules if rule.id == UNUSED_IGNORE), None)
    ran = {rule.id for rule in rules}
    if reporter is not None:
        for pragma in comments:
            if unknown := pragma.rules - _ids().keys():
                findings.append(reporter.finding(pragma.span, *_unknown_rules(sorted(unknown))))
            for unused in sorted((pragma.rules & ran) - pragma.used):
                message = f"unused suppression: {unused} does not occur here"
                findings.append(reporter.finding(pragma.span, message, "delete the comment"))
    return findings


@lru_cache(maxsize=1)
def _ids() -> dict[str, str]:
    """Return the names of all rules by their ids."""
    return {rule.id: rule.name for rule in all_rules()}


def _unknown_rules(words: list[str]) -> tuple[str, str]:
    """Return the message on words in a suppression that are no ids, and its remedy."""
    message = f"unused suppression: no rule has the id {', '.join(words)}"
    meant = [id for id, name in _ids().items() if name in words]
    return message, f"write {', '.join(meant)}" if meant else "write ids as S011, and -- in front of the reason"


def _suppressed(finding: Finding, suppressions: Suppressions) -> Finding:
    pragma = suppressions.find(finding)
    return finding if pragma is None else replace(finding, suppressed=pragma.reason)
