"""Generator of docs/rules/ from the rule classes. A test fails when the pages are outdated."""

from __future__ import annotations

from pathlib import Path

from tlsproxy.check.rule import all_rules

_AFTERWORD = """
*With files*: the rule reads more than main.cf and master.cf, and is off with `--no-fs`. *Only if selected*: the rule
runs with `--select` or `--extend-select`. K014 runs only with `--status`, D005 only with `--dns`.

There is no rule for a `$` that was meant as a dollar sign: N002 reports one that makes an undefined name, S006 one that
makes no name at all. Bytes that are not UTF-8 are not reported, because comments may contain them. Keys and policies in
databases of servers (LDAP, SQL) are not checked.
"""

DIRECTORY = Path(__file__).parent.parent / "docs" / "rules"


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    rows = []
    for rule in all_rules():
        notes = [rule.severity.word]
        notes += ["with files"] if rule.needs_files else []
        notes += ["only if selected"] if rule.optional else []
        rows.append(f"| [{rule.id}]({rule.id}.md) | {rule.name} | {', '.join(notes)} | {rule.title()} |\n")
    index = (
        "# Rules\n\n`tools/make_rule_pages.py` generates these pages from the rules. Tests run the bad and good "
        "examples.\n\n| rule | name | severity | what it finds |\n|---|---|---|---|\n"
    )
    return {"README.md": index + "".join(rows) + _AFTERWORD} | {f"{rule.id}.md": rule.page() for rule in all_rules()}


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for old in DIRECTORY.iterdir():
        old.unlink()
    for name, text in pages().items():
        (DIRECTORY / name).write_text(text)
