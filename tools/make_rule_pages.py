"""Write docs/rules/ from the classes of the rules. A test says when that is to be done again."""

from __future__ import annotations

from pathlib import Path

from tlsproxy.check.rule import all_rules

_AFTERWORD = """
*With files*: it looks at more than main.cf and master.cf, and is silent with `--no-fs`. *Only if selected*: with
`--select` or `--extend-select`. K014 and D005 are silent unless `--status` or `--dns` lets them ask.

There is no rule for a `$` that was meant as a dollar sign: N002 tells one that makes a name which is set nowhere, S006
one that makes no name at all. Bytes that are not UTF-8 are not reported, since comments may have them. Nothing is said
of keys and policies that only a server's answers hold.
"""

DIRECTORY = Path(__file__).parent.parent / "docs" / "rules"


def pages() -> dict[str, str]:
    """Name → text of each page."""
    rows = []
    for rule in all_rules():
        notes = [rule.severity.word]
        notes += ["with files"] if rule.needs_files else []
        notes += ["only if selected"] if rule.optional else []
        rows.append(f"| [{rule.id}]({rule.id}.md) | {rule.name} | {', '.join(notes)} | {rule.title()} |\n")
    index = (
        "# Rules\n\nThese pages are made from the rules themselves by `tools/make_rule_pages.py`; what they show as "
        "reported and as right is tested.\n\n| rule | name | severity | what it finds |\n|---|---|---|---|\n"
    )
    return {"README.md": index + "".join(rows) + _AFTERWORD} | {f"{rule.id}.md": rule.page() for rule in all_rules()}


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for old in DIRECTORY.iterdir():
        old.unlink()
    for name, text in pages().items():
        (DIRECTORY / name).write_text(text)
