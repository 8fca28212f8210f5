"""Mutation testing of certificate verification: a change in each deciding line must make a test fail.

A mutant is one change in one module of `MODULES`. It is killed when a test of `TESTS` fails or takes too long. Each
runs in its own process, forked from one that has collected the tests. Survivors are printed. `EQUIVALENT` lists the
ones that are equivalent to the original, by module, line and change, with the reason.

    tools/mutate.py [MODULE …]
"""

from __future__ import annotations

import ast
import copy
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, cast

ROOT = Path(__file__).parents[1]
PACKAGE = "tlsproxy.tls."
_VERDICT, _CERTIFICATES = "test_verdict", "test_verdict_certificates"
MODULES = {
    "verification.verify": (_VERDICT,),
    "verification.chain_verifier": (_VERDICT,),
    "verification.policy": (_VERDICT,),
    "verification.evidence": (_CERTIFICATES, _VERDICT),
    "verification.client_certificate": (_CERTIFICATES,),
    "verification.paths": (_CERTIFICATES, _VERDICT),
    "verification.strength": (_CERTIFICATES,),
    "verification.dane": ("test_verdict_records", _VERDICT),
    "verification.names": ("test_verdict_names",),
    "verification.der": (_CERTIFICATES,),
    "verification.verify_error": (_CERTIFICATES,),
    "openssl.paths": (_CERTIFICATES, _VERDICT),
    "client.policy": ("test_session_policy",),
}
"""Modules to mutate, and the test files that have to fail."""
PATIENCE = 60
"""Seconds of CPU time that a run of the tests may take: on a busy machine no mutant counts as killed for that."""

MEMORY = "OpenSSL fails here only without memory"
FREED = "memory that is left behind does not change a verdict"
FLAG = "the bit has no meaning in X509_VERIFY_PARAM_set_flags(3)"
AGAIN = "looking once more finds the same, and a finding keeps the first error of a place"
STATIC = "the truth value is for mypy; a test sees that there is none at run time"
CAUGHT = "input that this keeps away is refused by the next condition, too"
EQUIVALENT: dict[str, dict[str, str]] = {
    "verification.verify": {
        "if self._names_checked: (condition to False)": AGAIN,
        "self._names_checked = True (assignment left out)": AGAIN,
        "self._names_checked = True (True to False)": AGAIN,
        "path = build_path(case.reach.unverified[: depth + 1], [anchor]) (1 to 2)": "a path ends at the first anchor",
        "if hosts: (condition to True)": "without hosts no name matches, and none is missed",
    },
    "verification.strength": {
        "return key.curve.key_size >= _ORDER_BITS (GtE to Gt)": "there is no curve of 160 bits in the library",
    },
    "verification.dane": {
        "if record.mtype != FULL: (condition to True)": "full data have no rank, which is the lowest",
    },
    "verification.names": {
        'if "\\0" in candidate or not reference or not candidate: (operand 1 left out)': CAUGHT,
        'if "\\0" in candidate or not reference or not candidate: (operand 2 left out)': CAUGHT,
        'return idna.encode(name, uts46=True, transitional=False).decode("ascii") (False to True)': (
            "the library has no transitional processing any more"
        ),
    },
    "verification.der": {
        "if not 1 <= size <= 4 or len(data) - position < size: (operand 1 left out)": CAUGHT,
        "if not 1 <= size <= 4 or len(data) - position < size: (Sub to Add)": CAUGHT,
        "del fields[0] (0 to 1)": "neither the version nor the serial number is looked at",
        'century = b"19" if element.content >= b"50" else b"20" (GtE to Gt)': "a time is longer than its year",
    },
    "verification.verify_error": {
        "if not ends or ends <= now: (operand 0 left out)": "an empty text is the least one",
    },
    "openssl.paths": {
        "require( (call left out)": "the library has these functions",
        "_PARTIAL_CHAIN, _NO_CHECK_TIME = 0x80000, 0x200000 (524288 to 524289)": FLAG,
        "_PARTIAL_CHAIN, _NO_CHECK_TIME = 0x80000, 0x200000 (2097152 to 2097153)": FLAG,
        "def __init__(self, chain: Sequence[Certificate], anchors: Sequence[Certificate], flags: int = 0) -> None:"
        " (0 to 1)": FLAG,
        **{
            "if not TYPE_CHECKING:  # mypy refuses a truth value only where it sees none (error code truthy-bool)"
            f" ({change})": STATIC
            for change in ("condition to True", "condition to False", "not left out")
        },
        "if self._context == ffi.NULL: (condition to False)": MEMORY,
        "if stack == ffi.NULL: (condition to False)": MEMORY,
        "return () (return None)": MEMORY,
        "if tried.verified and tried.certificates: (operand 1 left out)": MEMORY,
        "return Reach(tried.certificates or (chain[0],)) (operand 1 left out)": MEMORY,
        "return Reach(tried.certificates or (chain[0],)) (0 to 1)": MEMORY,
        "self.verified = begun and lib.X509_verify_cert(self._context) == 1 (operand 0 left out)": MEMORY,
        "error, lib.X509_STORE_CTX_get_error_depth(self._context), self._leaf if blamed is None else blamed"
        " (condition to False)": MEMORY,
        "lib.X509_STORE_CTX_free(self._context) (call left out)": FREED,
        "clear_errors() (call left out)": FREED,
        "lib.sk_X509_free(stack) (call left out)": FREED,
    },
}
"""Reasons for equivalent survivors, by the line and the change."""


class Mutant(NamedTuple):
    module: str
    line: int
    change: str
    source: str


# Changes.

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
}


def _variants(node: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """Yield replacements of a node; None for a removed statement."""
    match node:
        case ast.Compare(ops=[operator]):
            for other in _COMPARISONS.get(type(operator), ()):
                yield f"{type(operator).__name__} to {other.__name__}", _with(node, ops=[other()])
        case ast.Compare(ops=[first, second]):
            for position, operator in enumerate((first, second)):
                for other in _COMPARISONS.get(type(operator), ()):
                    ops = [first, second]
                    ops[position] = other()
                    yield f"{type(operator).__name__} to {other.__name__}", _with(node, ops=ops)
        case ast.BoolOp(op=operator, values=values):
            yield "and/or exchanged", _with(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
            for position in range(len(values)):
                rest = values[:position] + values[position + 1 :]
                yield f"operand {position} left out", rest[0] if len(rest) == 1 else _with(node, values=rest)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not left out", operand
        case ast.BinOp(op=operator) if type(operator) in _OPERATORS:
            other_operator = _OPERATORS[type(operator)]
            yield f"{type(operator).__name__} to {other_operator.__name__}", _with(node, op=other_operator())
        case ast.Constant(value=bool(value)):
            yield f"{value} to {not value}", ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield f"{value} to {value + 1}", ast.Constant(value + 1)
        case ast.Constant(value=bytes(value)) if value:
            yield f"{value!r} changed", ast.Constant(value + b"?")
        case ast.If() | ast.IfExp():
            yield "condition to True", _with(node, test=ast.Constant(True))
            yield "condition to False", _with(node, test=ast.Constant(False))
        case ast.comprehension(ifs=[_, *_]):
            yield "filter left out", _with(node, ifs=[])
        case ast.Expr(value=ast.Call()):
            yield "call left out", None
        case ast.Assign() | ast.AugAssign():
            yield "assignment left out", None
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant) or value.value:
            yield "return None", _with(node, value=ast.Constant(None))
        case ast.Continue():
            yield "continue to break", ast.Break()


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


class _Change(ast.NodeTransformer):
    """Replaces one node."""

    def __init__(self, wanted: ast.AST, instead: ast.AST | None) -> None:
        self._wanted = wanted
        self._instead = instead if instead is not None else ast.Pass()

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._wanted:
            return ast.copy_location(self._instead, node)
        return self.generic_visit(node)


def _is_code(node: ast.AST, idle: set[int]) -> bool:
    return hasattr(node, "lineno") and id(node) not in idle


def _file(module: str) -> Path:
    return (ROOT / f"{PACKAGE}{module}".replace(".", "/")).with_suffix(".py")


def mutants(module: str) -> Iterator[Mutant]:
    """Yield all mutants of a module."""
    text = _file(module).read_text()
    tree = ast.parse(text)
    idle = {id(each) for owner in ast.walk(tree) for each in _annotated(owner)}
    # Without one of these a module could not be loaded.
    idle |= {id(each) for owner in ast.walk(tree) for each in _defined(owner)}
    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension) or _is_code(node, idle):
            for change, instead in _variants(node):
                line = node.ifs[0].lineno if isinstance(node, ast.comprehension) else node.lineno  # type: ignore[attr-defined]
                changed = ast.unparse(ast.fix_missing_locations(_changed(text, tree, node, instead)))
                yield Mutant(module, line, change, changed)


def _annotated(owner: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes inside annotations, which have no effect."""
    for name in ("annotation", "returns"):
        annotation = getattr(owner, name, None)
        if isinstance(annotation, ast.AST):
            yield from ast.walk(annotation)


def _defined(owner: ast.AST) -> Iterator[ast.AST]:
    """Yield the assignments that define a name of a module or a class."""
    if isinstance(owner, ast.Module | ast.ClassDef):
        yield from (each for each in owner.body if isinstance(each, ast.Assign))


def _changed(text: str, tree: ast.Module, node: ast.AST, instead: ast.AST | None) -> ast.Module:
    position = list(ast.walk(tree)).index(node)
    fresh = ast.parse(text)
    changed = _Change(list(ast.walk(fresh))[position], instead).visit(fresh)
    return cast(ast.Module, changed)


# Runs.


class _Collected:
    """A plugin of pytest that keeps the tests instead of running them."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def pytest_collection_finish(self, session: Any) -> None:
        self.items = list(session.items)


def _collect(files: Sequence[str]) -> list[Any]:
    import pytest

    collected = _Collected()
    paths = [str(next((ROOT / "tests" / "tlsproxy").rglob(f"{name}.py"))) for name in files]
    pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "no:xdist", *paths], plugins=[collected])
    return collected.items


def _take_over(old: Any, new: Any) -> None:
    """Give an existing object the behaviour of its mutant, so that references to it stay valid."""
    if isinstance(old, FunctionType) and isinstance(new, FunctionType):
        old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
    elif isinstance(old, property):
        _take_over(old.fget, new.fget)
    elif isinstance(old, cached_property):
        _take_over(old.func, new.func)
    elif isinstance(old, classmethod | staticmethod):
        _take_over(old.__func__, new.__func__)
    elif isinstance(old, type):
        for name, member in vars(old).items():
            if name in vars(new):
                _take_over(member, vars(new)[name])


def _mutate(mutant: Mutant) -> None:
    module = sys.modules[PACKAGE + mutant.module]
    fresh = {"__name__": module.__name__, "__package__": module.__package__, "__file__": module.__file__}
    exec(compile(mutant.source, f"<{mutant.change}>", "exec"), fresh)  # noqa: S102
    for name, new in fresh.items():
        old = vars(module).get(name)
        if isinstance(old, FunctionType | type):
            if old.__module__ == module.__name__:
                _take_over(old, new)
        elif not name.startswith("__") and not isinstance(old, ModuleType) and old != new:
            for other in [each for label, each in sys.modules.items() if label.startswith(PACKAGE)]:
                if vars(other).get(name) is old:
                    setattr(other, name, new)


def _passes(item: Any) -> bool:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    try:
        item.obj(**parameters)
    except BaseException:
        return False
    return True


def survives(items: Sequence[Any], mutant: Mutant | None) -> bool:
    """Run tests in a separate process up to the first failure; return True if all pass."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            signal.setitimer(signal.ITIMER_PROF, PATIENCE)
            if mutant is not None:
                _mutate(mutant)
            status = 0 if all(map(_passes, items)) else 1
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return status == 0


_KEYS = ("rsa512", "rsa768", "rsa918", "rsa920", "rsa1000", "rsa1024", "rsa2048")


def prepare() -> None:
    """Prepare data that no mutant changes, once for all runs."""
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from hypothesis import settings
    from peers.tools.forging import key

    for kind in _KEYS:
        for label in ("Strength", "RSA Root", "W"):
            key(label, kind)
    settings.register_profile("ci", max_examples=30, deadline=None, database=None, derandomize=True)


def main(wanted: Sequence[str]) -> int:
    """Try all mutants of the wanted modules; return 1 for a survivor that is not in `EQUIVALENT`."""
    prepare()
    total = killed = explained = 0
    for module in wanted or MODULES:
        items = _collect(MODULES[module])
        if not items or not survives(items, None):
            print(f"{module}: the tests fail without a mutant")
            return 2
        lines = _file(module).read_text().splitlines()
        for mutant in mutants(module):
            total += 1
            if not survives(items, mutant):
                killed += 1
                continue
            line = lines[mutant.line - 1].strip()
            if reason := EQUIVALENT.get(module, {}).get(f"{line} ({mutant.change})"):
                explained += 1
            print(f"{module}:{mutant.line}: {mutant.change}: {line}  # {reason or 'SURVIVES'}", flush=True)
        print(f"{module}: so far {total} mutants, {killed} killed, {explained} explained", flush=True)
    print(f"{total} mutants: {killed} killed, {explained} equivalent, {total - killed - explained} survive")
    return int(killed + explained < total)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
