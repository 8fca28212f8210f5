"""The findings of tlsproxy-check about a configuration, for a page about it."""

from __future__ import annotations

from postconf import Config
from tlsproxy.check.command.inputs import read_inputs
from tlsproxy.check.context import Options
from tlsproxy.check.engine import check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.rule import all_rules

from ..graph.html import Remark


def findings(config: Config) -> list[Remark]:
    """Return them, the worst ones first."""
    rules = [rule for rule in all_rules() if not rule.optional]
    found = []
    for each in read_inputs([config.directory], [], "/"):
        options = Options(directory=each.directory)
        checked = check(each.main, each.master, rules, config.release, FileSystem("/"), options=options)
        found += [finding for finding in checked.findings if finding.suppressed is None]
    found.sort(key=lambda finding: -finding.severity)
    return [Remark(each.severity.word, each.rule, str(each.span), each.message, each.help) for each in found]
