"""Prose checker for docstrings, comments, documents and names of tests: banned words, first words, relative clauses.

tools/check_prose.py            report each line that breaks a rule, and fail if there is one
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_INSTEAD = {
    r"foretells?|foretold": "predict",
    r"mend(?:s|ed|ing)?": "fix",
    r"jails?": "chroot",
    r"anew": "again",
    r"nobody|somebody": "no process, no user, …",
    r"(?:is|are|be|was) (?-i:none)": "name the thing",
    r"no good": "bad, invalid",
    r"what is to be": "a noun",
    r"chores?": "periodic task",
    r"of before": "previous",
    r"kin": "similar systems",
    r"tells?|told": "report, log, return",
    r"stands?(?! for\b|-| alone\b)": "is written, is",
    r"(?:own|Postfix's|OpenSSL's|system's|library's) words": "text, message",
    r"dear": "expensive",
}
BANNED = {re.compile(rf"\b(?i:{pattern})\b(?<!None)"): instead for pattern, instead in _INSTEAD.items()}
MOST_CHARACTERS = 60
"""The length of a test's name."""
BANNED_IN_TESTS = {
    re.compile(r"^test (?:an?|the)\b"): "begin with the subject",
    re.compile(r"\b(?:who|whom|whose|what|whatever)\b"): "a noun",
    re.compile(r"\b(?:stands|words)\b"): "is written, messages",
}
"""Of names of tests, beside the words that are banned everywhere; `_` is a blank."""
_WHO = re.compile(r"(?<!user )(?<!stranger )(?<!attacker )\b(?:who|whom)\b", re.IGNORECASE)
_NO_NOUN = re.compile(
    r"\b(?:what(?:ever)?(?! (?:kind|sort|type)s?\b)|whoever|whomever)\b(?![^.;]*\?)"
    r"|(?:returns?|yields?) (?:where|when|why|how|whether|which|who)\b",
    re.IGNORECASE,
)
"""A clause without its noun: "Return what is found". Questions, and "what kind of", are fine."""
_QUESTION = re.compile(r"(?:What|Whether|Where|Who|Whom|Whose|Which|How|Is|Are|Does|Can|Must|Has)\b|.*\?$")


def main() -> int:
    """Check all files; return the exit status."""
    found = [problem for name in files() for problem in check(ROOT / name)]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


def files() -> list[str]:
    """Return the Python files and the documents, by their names in the repository."""
    listed = subprocess.run(["git", "ls-files", "*.py", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    skipped = ("docs/rules/", "CHANGELOG.md")
    return [name for name in listed.stdout.splitlines() if not name.startswith(skipped) and (ROOT / name).exists()]


def check(path: Path) -> Iterator[str]:
    """Yield `file:line: problem` for each line that breaks a rule."""
    text = path.read_text()
    name = path.relative_to(ROOT)
    found = bad_python(text) if path.suffix == ".py" else bad_document(text)
    yield from (f"{name}:{number}: {problem}" for number, problem in found)


def bad_python(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and problem for docstrings, comments and names of a Python file."""
    for number, line, is_first in python_prose(text):
        yield from ((number, problem) for problem in bad_words(line))
        if match := _WHO.search(line):
            yield number, f'"{match.group()}": a process is "it", a person a user or an attacker'
        if match := _NO_NOUN.search(line):
            yield number, f'"{match.group()}": a clause has a noun before it, "the key that …", "the place of …"'
        if is_first and _QUESTION.match(line):
            yield number, f'a docstring begins with a verb or a noun: "{line[:40]}"'
    yield from bad_names(text)


def bad_document(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and problem for a Markdown document."""
    for number, line in document_prose(text):
        yield from ((number, problem) for problem in bad_words(line))


def bad_words(line: str) -> Iterator[str]:
    """Yield each banned word, with its replacement."""
    for pattern, instead in BANNED.items():
        if match := pattern.search(line):
            yield f'"{match.group()}": {instead}'


def bad_names(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and problem for each name of a class or function that breaks a rule."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        words = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", node.name).split("_"))
        is_test = node.name.startswith("test_")
        for pattern, instead in (BANNED | BANNED_IN_TESTS if is_test else BANNED).items():
            if match := pattern.search(words):
                yield node.lineno, f'"{match.group()}" in {node.name}: {instead}'
        if is_test and len(node.name) > MOST_CHARACTERS:
            yield node.lineno, f"{node.name}: {len(node.name)} characters, at most {MOST_CHARACTERS}"


def python_prose(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield line number, text, and True if it begins a docstring, for docstrings and comments."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for offset, line in enumerate(node.value.value.splitlines()):
                yield node.lineno + offset, _without_code(line), offset == 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], _without_code(token.string), False


def document_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and text outside code blocks of a Markdown document."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            yield number, _without_code(line)


def _without_code(line: str) -> str:
    return re.sub(r"`[^`]*`|\"[^\"]*\"|\[[^]]*\]\([^)]*\)", "", line)


if __name__ == "__main__":
    sys.exit(main())
