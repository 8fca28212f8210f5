"""What a rule is. To add one, copy its neighbour in `rules`: nothing else has to be touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from .findings import Finding, Fix, Severity, Span

if TYPE_CHECKING:
    from .context import Context


class Rule:
    """One thing that can be wrong with a configuration.

    The docstring of a rule is its documentation: the first line is its title, the rest says why. `bad`, `good` and
    `lookalike` are small configurations, each of main.cf text, perhaps followed by `--- FILE` lines and the texts of
    other files. The rule reports the first, and nothing in the others; `lookalike` is right although it looks wrong.
    Tests and documentation pages are made of these.
    """

    id: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = Severity.ERROR
    effect: ClassVar[str] = ""
    """What Postfix does, where that was seen."""
    needs_files: ClassVar[bool] = False
    """Whether it asks the file system for more than main.cf and master.cf."""
    in_templates: ClassVar[bool] = False
    """Whether a line alone shows it, so that it can be said of a file that is still to be rendered."""
    optional: ClassVar[bool] = False
    """Whether it only runs when it is selected."""
    example_version: ClassVar[str] = "3.7"
    """The release of Postfix that the examples are for."""
    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""
    lookalike: ClassVar[str] = ""

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield what is found."""
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
        """Make a finding of this rule."""
        return Finding(self.id, self.name, severity or self.severity, span, message, help, tuple(related), fix)

    @classmethod
    def title(cls) -> str:
        """One line on what it detects."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    @classmethod
    def why(cls) -> str:
        """The rest of its documentation."""
        lines = (cls.__doc__ or "").strip().split("\n")[1:]
        return "\n".join(line.removeprefix("    ") for line in lines).strip()

    @classmethod
    def page(cls) -> str:
        """Its documentation, in Markdown."""
        parts = [f"# {cls.id} {cls.name}", cls.title(), cls.why(), f"Severity: {cls.severity.word}."]
        if cls.effect:
            parts.append(f"Effect on Postfix: {cls.effect}")
        for heading, example in (("Reported", cls.bad), ("Right", cls.good), ("Right, too", cls.lookalike)):
            if example.strip():
                shown = example.strip("\n").replace("\r", r"\r").replace("\ufeff", r"\ufeff")
                parts.append(f"{heading}:\n\n```\n{shown}\n```")
        return "\n\n".join(part for part in parts if part) + "\n"


def all_rules() -> list[Rule]:
    """Every rule, in the order of their names."""
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
