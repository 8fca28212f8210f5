"""Base class of all rules. To add a rule, copy its neighbour in `rules`; no other file changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from .findings import Finding, Fix, Severity, Span

if TYPE_CHECKING:
    from .context import Context

_LONGEST = 1000
"""Characters of a message."""


class Rule:
    """One kind of mistake in a configuration.

    The docstring of a rule is its documentation: the first line is its title, the rest is the reason. `bad`, `good` and
    `lookalike` are small configurations: main.cf text, optionally followed by `--- FILE` lines and the texts of
    other files. The rule reports `bad`, and nothing in the others; `lookalike` is good although it looks wrong.
    Tests run the examples, and the documentation pages show them.
    """

    id: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = Severity.ERROR
    effect: ClassVar[str] = ""
    """Effect on Postfix, if a test has observed it."""
    needs_files: ClassVar[bool] = False
    """True if the rule reads more files than main.cf and master.cf."""
    in_templates: ClassVar[bool] = False
    """True if a single line shows the mistake, so that the rule also applies to unrendered templates."""
    optional: ClassVar[bool] = False
    """True if the rule only runs when it is selected."""
    example_version: ClassVar[str] = "3.7"
    """Postfix release of the examples."""
    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""
    lookalike: ClassVar[str] = ""

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings of this rule."""
        raise NotImplementedError

    def finding(
        self,
        span: Span,
        message: str,
        help: str = "",
        *,
        severity: Severity | None = None,
        related: Iterable[tuple[Span, str]] = (),
        fix: Fix | None = None,
    ) -> Finding:
        """Make a finding of this rule; texts of strangers in it can be of any length."""
        severity = severity or self.severity
        return Finding(self.id, self.name, severity, span, _short(message), _short(help), tuple(related), fix)

    @classmethod
    def title(cls) -> str:
        """Return the first line of the docstring."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    @classmethod
    def why(cls) -> str:
        """Return the docstring after its first line."""
        lines = (cls.__doc__ or "").strip().split("\n")[1:]
        return "\n".join(line.removeprefix("    ") for line in lines).strip()

    @classmethod
    def page(cls) -> str:
        """Return the documentation page in Markdown."""
        parts = [f"# {cls.id} {cls.name}", cls.title(), cls.why(), f"Severity: {cls.severity.word}."]
        if cls.effect:
            parts.append(f"Effect on Postfix: {cls.effect}")
        for heading, example in (("Bad", cls.bad), ("Good", cls.good), ("Also good (looks wrong)", cls.lookalike)):
            if example.strip():
                shown = example.strip("\n").replace("\r", r"\r").replace("\ufeff", r"\ufeff")
                parts.append(f"{heading}:\n\n```\n{shown}\n```")
        return "\n\n".join(part for part in parts if part) + "\n"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def all_rules() -> list[Rule]:
    """Return all rules, sorted by id."""
    from . import rules

    found = [
        each()
        for module in rules.modules()
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, Rule)
        and "id" in vars(each)
        and each.__module__ == module.__name__
    ]
    return sorted(found, key=lambda rule: rule.id)
