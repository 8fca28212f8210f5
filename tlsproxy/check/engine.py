"""Runs rules on configurations: the files come in as text, findings go out in the order of the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from postconf.catalogue import Release

from .context import Context, Options
from .facts.filesystem import FileSystem
from .findings import Finding, Severity
from .rule import Rule
from .text.pragmas import Pragma, read_pragmas
from .text.sources import TOO_LARGE, MainFile, MasterFile, Source
from .text.templates import templates

UNUSED_IGNORE = "A001"


@dataclass
class Checked:
    """One configuration after the check."""

    context: Context
    findings: list[Finding] = field(default_factory=list)

    @property
    def sources(self) -> list[Source]:
        """The files that it consists of."""
        return self.context.sources

    def count(self, severity: Severity) -> int:
        """How many findings of a severity are not to be ignored."""
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
    """Check one configuration. `pragmas`: whether comments may say what to ignore."""
    checked = Checked(Context(main, master, release, files, options))
    markup = templates(checked.context)
    judges = [rule for rule in rules if (files.enabled or not rule.needs_files) and (rule.in_templates or not markup)]
    if any(source.is_too_long for source in checked.sources):
        judges = [rule for rule in judges if rule.id == TOO_LARGE]
    for rule in judges:
        checked.findings += (each for each in rule.check(checked.context) if not markup.hides(each))
    if pragmas:
        _apply_pragmas(checked, judges)
    checked.findings = sorted(set(checked.findings), key=lambda finding: finding.order)
    return checked


def _apply_pragmas(checked: Checked, rules: list[Rule]) -> None:
    comments = [pragma for source in checked.sources for pragma in read_pragmas(source)]
    if not comments:
        return
    checked.findings = [_suppressed(finding, comments) for finding in checked.findings]
    reporter = next((rule for rule in rules if rule.id == UNUSED_IGNORE), None)
    ran = {rule.id for rule in rules}
    if reporter is None:
        return
    for pragma in comments:
        for unused in sorted((pragma.rules & ran) - pragma.used):
            checked.findings.append(
                reporter.finding(pragma.span, f"unused suppression: {unused} does not occur here", "delete the comment")
            )


def _suppressed(finding: Finding, comments: list[Pragma]) -> Finding:
    for pragma in comments:
        if pragma.covers(finding):
            return replace(finding, suppressed=pragma.reason)
    return finding
