"""Each code block of the documents is executed; where that is impossible, it is checked against the program."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from peers.daemon.proxy import running, script, write_config
from peers.fakes.nameserver import NameServer
from peers.real.postfix import PrivatePostfix, public_directory
from peers.tools.children import PATIENCE

import tlsproxy.starttls
from tlsproxy.policy.resolver import DnsResolver

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "samples").rglob("*.md"),
    ROOT / "tests" / "README.md",
]

# Pages whose blocks with a command and its output are executed, and the module that does so.
CONSOLES = {
    "README.md": "test_readme.py",
    "docs/check.md": "test_readme.py",
    "docs/configuration.md": "test_code_blocks.py",
    "docs/daemon.md": "test_code_blocks.py",
    "docs/tls-report.md": "check/tls_report/test_documentation.py",
    "docs/trace.md": "mail/trace/test_trace_sample.py",
    "docs/upgrade.md": "check/upgrade/test_documentation.py",
    "samples/trace/README.md": "test_code_blocks.py",
}

# Blocks that nothing can execute: the first line, and the reason.
TEXTS = {
    "tlsproxy/            the proxy and its tools": "test_rooms_of_the_architecture_exist",
    "tls/settings/   from main.cf or a request": "test_rooms_of_the_architecture_exist",
    "cli ─ under_master  options": "a picture",
    "                        ┌─ main.cf": "a picture",
    "Matched DANE TA public key": "a line of 0.1.0, which is no longer logged",
    "policy and chain": "test_table_in_the_documentation_is_that_of_the_code",
    "no certificate      any": "test_table_in_the_documentation_is_that_of_the_code",
    "postmap: fatal: open database": "tests/maps: damaged files",
    "/^postmaster@/          OK": "test_rules_of_the_page_answer_as_it_says",
    "The session, as the remote": "test_demonstration_prints_the_output_in_the_readme",
}

# Programs of the system that documents ask a reader to type. Their options are not checked here.
SYSTEM = frozenset(
    ["apt-get", "dnf", "cp", "curl", "find", "ln", "mkdir", "pipx", "postconf", "postfix", "python", "python3", "rm"]
)


class Block(NamedTuple):
    """A fenced block of a document."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text()
        for found in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, found.start()) + 1
            yield Block(str(page.relative_to(ROOT)), line, found[2], textwrap.dedent(found[3]))


BLOCKS = list(blocks())


def of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def block_of(page: str, start: str) -> str:
    [found] = [block.text for block in BLOCKS if block.page == page and block.text.startswith(start)]
    return found


def test_every_block_has_a_language_that_a_test_knows() -> None:
    assert {block.language for block in BLOCKS} <= {"", "sh", "python", "toml", "cf", "yaml", "dockerfile", "text"}
    assert len(BLOCKS) > 60


@pytest.mark.parametrize("block", of(""), ids=str)
def test_console_block_is_executed_by_a_named_test(block: Block) -> None:
    assert block.text.startswith("$ ")
    module = ROOT / "tests" / CONSOLES[block.page]
    assert Path(block.page).name in module.read_text() or block.page in module.read_text()


@pytest.mark.parametrize("block", of("text"), ids=str)
def test_text_block_is_known(block: Block) -> None:
    assert [start for start in TEXTS if block.text.startswith(start)]


# Shell


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command line, without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(re.sub(r"\$\([^)]*\)", "SUBSTITUTED", line), comments=True)
        if words and words[0] not in {"for", "done"}:
            yield ["tlsproxy", *words[1:]] if words[0] == "$command" else words


@cache
def help_of(command: str) -> str:
    run = subprocess.run([script(command), "--help"], capture_output=True, text=True, check=True, timeout=PATIENCE)
    return run.stdout


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_shell_block_names_existing_commands_options_and_files(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command, *words in commands(block.text):
        name = Path(command).name
        if name.startswith("tlsproxy"):
            for option in (word for word in words if word.startswith("-")):
                assert re.search(rf"(^|[\s,\[]){re.escape(option)}\b", help_of(name)), (name, option)
        elif name == "make":
            assert words[0] in targets
        elif name in {"pip", "pipx"}:
            for extra in re.findall(r"\[(\w+)\]", " ".join(words)):
                assert extra in project["optional-dependencies"]
        elif name == "pytest":
            assert (ROOT / words[0]).exists()
        elif name == "systemctl":
            assert words[0] in {"enable", "disable", "restart", "daemon-reload", "reload"}
            assert not words[1:] or (ROOT / "samples" / "systemd" / f"{words[-1]}.service").exists()
        else:
            assert name in SYSTEM, f"{name} is not known here"
        for word in words:
            if word.startswith(("samples/", "docs/", "tests/")):
                assert (ROOT / word).exists(), word


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml_block_names_an_existing_hook_or_option(block: Block) -> None:
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text()
    for hook in re.findall(r"- id: (.*)", block.text):
        assert f"- id: {hook}\n" in hooks
    for line in re.findall(r"validate: (.*)", block.text):
        command, *words = shlex.split(line)
        assert command == "tlsproxy-check"
        assert words[0] in help_of(command)
    assert re.search("validate: |- id: ", block.text)


def test_container_recipe_of_the_page_runs_tlsproxy_check() -> None:
    [block] = of("dockerfile")
    [(instruction, command, option, _)] = commands(block.text)
    assert (instruction, command) == ("RUN", "tlsproxy-check")
    assert option in help_of(command)


def at_home(text: str) -> str:
    """Return commands with the installed program in place of the one in /opt."""
    return text.replace("/opt/tlsproxy/bin/tlsproxy", script("tlsproxy"))


def typed(postfix: PrivatePostfix, text: str) -> str:
    """Type commands as root where /etc/postfix is that of a private Postfix; return the output."""
    inside = 'mount --bind "$0" /etc/postfix && exec bash -e -c "$1"'
    command = ["unshare", "--mount", "sh", "-c", inside, str(postfix.conf), at_home(text)]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("MAIL_CONFIG", None)
    run = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE
    )
    assert run.returncode == 0, run.stdout
    return run.stdout


@pytest.mark.postfix
@pytest.mark.xdist_group("master")
def test_commands_that_replace_the_c_program_work_and_lead_back() -> None:
    replace = block_of("README.md", "postconf -M tlsproxy/unix ")
    uninstall = block_of("docs/install.md", "postconf -M 'tlsproxy/unix=")
    with public_directory() as root:
        write_config(root / "pki", {})
        settings = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": f"{root}/pki/chain.pem"}
        with PrivatePostfix(root / "postfix", settings) as postfix:
            before = (postfix.conf / "main.cf").read_text(), typed(postfix, "postconf -Mf")
            printed = typed(postfix, replace)
            assert "tlsproxy   unix  -       -       n       -       0       tlsproxy\n" in printed
            assert "the configuration can be served\n" in printed
            assert "idle" in printed.splitlines()[-1]
            assert typed(postfix, "postconf -M tlsproxy/unix").split()[-1] == "tlsproxy-py"
            back = "".join(
                line for line in uninstall.splitlines(keepends=True) if line.startswith(("postconf", "postfix"))
            )
            typed(postfix, back.replace("- - y -", "- - n -"))
            typed(postfix, next(line for line in uninstall.splitlines() if "tlsproxy-py" in line))
            assert ((postfix.conf / "main.cf").read_text(), typed(postfix, "postconf -Mf")) == before
            assert not (postfix.root / "libexec" / "tlsproxy-py").is_symlink()


@pytest.mark.postfix
@pytest.mark.xdist_group("master")
def test_commands_that_run_it_beside_postfix_work() -> None:
    *prepare, serve = block_of("README.md", "postconf -e tlsproxy_service_name").splitlines()
    use = block_of("README.md", "postfix reload ")
    with public_directory() as root:
        write_config(root / "pki", {})
        settings = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": f"{root}/pki/chain.pem"}
        with PrivatePostfix(root / "postfix", settings) as postfix:
            before = typed(postfix, "postconf -n")
            assert "the configuration can be served\n" in typed(postfix, "\n".join(prepare))
            background = f"{serve.partition('#')[0]} 2>/dev/null & trap 'kill $!' EXIT\n"
            wait = "while ! tlsproxy --status >/dev/null 2>&1; do sleep 0.1; done\n"
            assert "server role: served\n" in typed(postfix, background + wait + use)
            typed(postfix, "postconf -X tlsproxy_service_name")
            assert typed(postfix, "postconf -n") == before


@pytest.mark.parametrize("line", block_of("docs/trace.md", "tlsproxy-trace -c postfix --graph").splitlines())
def test_graph_commands_of_the_page_write_a_picture(tmp_path: Path, line: str) -> None:
    shutil.copytree(ROOT / "samples" / "trace" / "postfix", tmp_path / "postfix")
    command, _, target = line.partition(" > ")
    run = subprocess.run(
        [script("tlsproxy-trace"), *shlex.split(command)[1:]], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0
    assert "<svg" in run.stdout
    assert target in {"mail.svg", "mail.html"}


# Output of commands


def shape(text: str) -> list[str]:
    """Return the lines of a report with everything that differs from run to run left out."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME", text)
    text = re.sub(r"\d+ (?:d|h|min|s)\b", "AGE", text)
    text = re.sub(r"OpenSSL \S+ \d+ \w+ \d+", "OPENSSL", text)
    text = re.sub(r"\S*/(main\.cf|master\.cf|chain\.pem)", r"\1", text)
    text = re.sub(r"Postfix [\d.]+", "POSTFIX", text)
    text = re.sub(r"pem: \w+=[^:]*, expires", "pem: SUBJECT, expires", text)
    return re.sub(r"\d+", "N", text).splitlines()


def test_check_and_status_print_the_output_in_the_page(tmp_path: Path) -> None:
    settings = {"smtpd_tls_security_level": "may"}
    shown_check = block_of("docs/daemon.md", "$ tlsproxy --check").splitlines(keepends=True)[1:]
    shown_status = block_of("docs/daemon.md", "$ tlsproxy --status").splitlines(keepends=True)[1:]
    write_config(tmp_path, settings)
    run = subprocess.run(
        [script("tlsproxy"), "--check", "-c", tmp_path], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert shape(run.stdout) == shape("".join(shown_check))
    with running(tmp_path) as proxy:
        run = subprocess.run(
            [script("tlsproxy"), "--status", "-c", tmp_path, "--socket", proxy.directory / "socket"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    known = set(shape("".join(shown_status)))
    printed = set(shape(run.stdout))
    assert {"server role: served", "tlsproxy N.N.N, process N, up AGE", "OPENSSL, as POSTFIX"} <= known & printed


def test_origin_is_printed_as_the_page_says(tmp_path: Path) -> None:
    main, master = block_of("docs/configuration.md", "# main.cf").split("# master.cf\n")
    (tmp_path / "main.cf").write_text(main.removeprefix("# main.cf\n"))
    (tmp_path / "master.cf").write_text(master)
    command, shown = block_of("docs/configuration.md", "$ tlsproxy-postconf").split("\n", 1)
    words = shlex.split(command.removeprefix("$ "))
    run = subprocess.run([script(words[0]), *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == shown


def test_expectations_of_the_sample_are_reported_as_documented() -> None:
    command, shown = block_of("samples/trace/README.md", "$ ").split("\n", 1)
    words = shlex.split(command.removeprefix("$ "))
    run = subprocess.run(
        [script(words[0]), *words[1:]], cwd=ROOT / "samples" / "trace", capture_output=True, text=True, check=True
    )
    assert run.stdout == shown


def test_demonstration_prints_the_output_in_the_readme() -> None:
    shown = block_of("README.md", "The session, as the remote SMTP client sees it")
    run = subprocess.run(
        [sys.executable, "-P", ROOT / "samples" / "starttls" / "demo.py"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )

    def plain(text: str) -> list[str]:
        text = re.sub(r"^\w+ +\d+ [\d:]+ \S+ ", "TIME HOST ", text, flags=re.MULTILINE)
        return [re.sub(r":\d+|\[\d+\]", "", line) for line in text.splitlines()]

    printed = plain(run.stdout)
    assert [line for line in plain(shown) if line not in printed] == []


# Settings and tables


def test_rules_of_the_page_answer_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text(block_of("docs/tables.md", "/^postmaster@/"))

    def answer(key: str) -> str:
        run = subprocess.run(
            [script("tlsproxy-postmap"), "-q", key, f"regexp:{tmp_path}/rules"], capture_output=True, text=True
        )
        assert run.stderr == ""
        return run.stdout

    assert answer("postmaster@example.com") == "OK\n"
    assert answer("joe@old.example") == "no address: the negation of a pattern\n"
    (tmp_path / "rules").write_text("\n".join(block_of("docs/tables.md", "/^postmaster@/").splitlines()[2:]) + "\n")
    assert answer("joe@old.example") == "joe@new.example\n"
    assert answer("sales-1@example.com") == "only tried if the condition holds\n"
    assert answer("sales-1@example.org") == ""


def test_settings_of_the_daemon_page_are_right(tmp_path: Path) -> None:
    service = block_of("docs/daemon.md", "# service type")
    setting = block_of("docs/daemon.md", "tlsproxy_service_name")
    (tmp_path / "master.cf").write_text(service)
    (tmp_path / "main.cf").write_text(setting)
    run = subprocess.run(
        [script("tlsproxy-postconf"), "-c", tmp_path, "-M"], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["tlsproxy", "unix", "-", "-", "y", "-", "0", "tlsproxy-py"]
    run = subprocess.run(
        [script("tlsproxy-postconf"), "-c", tmp_path, "-n"], capture_output=True, text=True, check=True
    )
    assert (run.stdout.splitlines(keepends=True)[1:], run.stderr) == ([setting], "")


def test_settings_of_the_checker_page_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(block_of("docs/check.md", "[tool.tlsproxy-check]"))
    (tmp_path / "main.cf").write_text("myhostname = {{ name }}\n")
    run = subprocess.run(
        [script("tlsproxy-check"), "--no-fs", "main.cf"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("", "")


def test_expectations_of_the_trace_page_are_read(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples" / "trace" / "postfix", tmp_path / "postfix")
    (tmp_path / "mail.toml").write_text(block_of("docs/trace.md", 'config = "postfix"'))
    run = subprocess.run(
        [script("tlsproxy-trace"), "--expect", "mail.toml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    assert "mail.toml: " in run.stdout


# Python


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_block_compiles_and_its_imports_exist(block: Block) -> None:
    if ">>>" in block.text:
        return  # test_documentation has them
    tree = compile(block.text, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            for name in node.names:
                if not hasattr(module, name.name):
                    importlib.import_module(f"{node.module}.{name.name}")
        elif isinstance(node, ast.Import):
            for name in node.names:
                importlib.import_module(name.name)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A directory that takes the place of /etc/postfix in the examples."""
    shutil.copytree(ROOT / "samples" / "starttls", tmp_path / "postfix")
    directory = tmp_path / "postfix"
    with (directory / "master.cf").open("a") as master:
        master.write("smtp unix - - n - - smtp\n")
    (directory / "transport").write_text("example.com smtp:[mx.example.com]\n")
    (directory / "destinations.pcre").write_text("/^example\\.com$/ found\n")
    subprocess.run([script("tlsproxy-postmap"), f"hash:{directory}/transport"], check=True)
    return directory


def execute(text: str, namespace: dict[str, object], etc: Path) -> list[str]:
    """Execute an example; return the values of its expressions, as `str`."""
    text = text.replace("/etc/postfix", str(etc)).replace("/tmp/greylist", str(etc / "greylist"))
    values = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Expr):
            values.append(str(eval(compile(ast.Expression(node.value), "example", "eval"), namespace)))
        else:
            exec(compile(ast.Module([node], []), "example", "exec"), namespace)
    return values


def test_readme_example_answers_as_its_comments_say(etc: Path) -> None:
    text = block_of("README.md", "import postconf\n")
    comments = re.findall(r"\]  # '(.*)'$|place  # (.*)$", text, re.MULTILINE)
    shown = [first or second for first, second in comments]
    values = execute(text, {}, etc)
    assert [value.replace(str(etc), "/etc/postfix") for value in values] == shown


def test_python_page_examples_run(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [block.text for block in BLOCKS if block.page == "docs/python.md" and "await " not in block.text]
    assert len(texts) == 5
    namespace: dict[str, object] = {}
    records = ["example.com MX 10 mx.example.com.", "mx.example.com A 192.0.2.1"]
    with NameServer(records) as server:
        monkeypatch.setattr(
            "tlsproxy.policy.resolver.DnsResolver", lambda: DnsResolver(nameservers=[server.address], port=server.port)
        )
        for text in texts:
            values = execute(text, namespace, etc)
            assert values or "for " in text or "with " in text


def test_table_page_examples_run(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(block_of("docs/tables.md", "import maps\n"), {}, etc)
    assert capsys.readouterr().out == ""
    execute(block_of("docs/table-formats.md", "from maps.drivers"), {}, etc)
    assert capsys.readouterr().out == "b'OK'\n"


def test_trace_page_example_finds_the_relay_closed(etc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "samples" / "trace" / "postfix", etc, dirs_exist_ok=True)
    execute(block_of("docs/trace.md", "import postconf\n"), {}, etc)
    printed = capsys.readouterr().out
    assert "RCPT" in printed
    assert printed.splitlines()[-1].startswith("False ")


def test_starttls_example_uses_names_and_parameters_of_the_api() -> None:
    tree = compile(
        block_of("docs/python.md", "from tlsproxy.starttls"),
        "python.md",
        "exec",
        ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
    )
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert {call.func.id for call in calls if isinstance(call.func, ast.Name)} == {"starttls", "detach"}
    for call in calls:
        assert isinstance(call.func, ast.Name)
        function = getattr(tlsproxy.starttls, call.func.id)
        assert asyncio.iscoroutinefunction(function)
        inspect.signature(function).bind(*call.args, **{each.arg or "": each.value for each in call.keywords})


def test_rooms_of_the_architecture_exist() -> None:
    package = ROOT
    pages = ("ARCHITECTURE.md", "docs/internals.md")
    for block in (block for block in BLOCKS if block.page in pages and block.language == "text"):
        if "a picture" in (TEXTS[start] for start in TEXTS if block.text.startswith(start)):
            continue
        for line in block.text.splitlines():
            if not line.startswith(" "):
                package = ROOT / line.split("/")[0]
            for room in re.findall(r"\b(\w+)/(?=\s|$|,)", re.split(r"   \w", line.strip())[0]):
                assert list(ROOT.glob(f"**/{room}/__init__.py")), f"{package.name}: no {room}/"


def test_steps_of_the_walks_name_code_that_exists() -> None:
    steps = re.findall(r"^\d\. `([\w.]+)`:", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert len(steps) == 14
    for module, _, name in (step.rpartition(".") for step in steps):
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def test_tests_that_documents_name_exist() -> None:
    named = {(page.name, path) for page in PAGES for path in re.findall(r"`(tests/[\w./-]+)`", page.read_text())}
    assert [each for each in sorted(named) if not (ROOT / each[1]).exists()] == []
