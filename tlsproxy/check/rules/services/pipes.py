"""Attributes of pipe(8) and spawn(8): the account, the command, and the flags of deliveries."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postconf.spelling import did_you_mean

from ...context import Context
from ...facts.accounts import accounts as all_accounts
from ...facts.programs import PIPE_ATTRIBUTES, PIPE_FLAGS, PIPE_MACROS, SINGLE_RECIPIENT_FLAGS, SPAWN_ATTRIBUTES
from ...findings import Finding, Fix, Severity
from ...rule import Rule
from ...text.sources import MasterEntry
from .programs import named_transports

_COMMAND = 7
_OPERATORS = ("|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1", "2>/dev/null", ">/dev/null")
_SHELLS = ("sh", "bash", "dash", "ksh", "zsh", "env", "sudo")
_MACRO = re.compile(r"(?<!\$)\$[{(]?(\w+)")


class PipeAttributes(Rule):
    """Attributes with which pipe(8) or spawn(8) refuses to start."""

    id = "M016"
    name = "pipe-attributes"
    in_templates = True
    effect = (
        'Without `user=`: fatal at the first delivery, "missing user= command-line attribute"; `user=root`: fatal, '
        '"specifies root privileges"; both services are throttled.'
    )
    bad = (
        "--- master.cf\ndovecot unix - n n - - pipe flags=DRhu argv=/usr/lib/dovecot/deliver\n"
        "policy unix - n n - 0 spawn user=nobody arg=/usr/bin/policyd\n"
    )
    good = (
        "--- master.cf\ndovecot unix - n n - - pipe flags=Rhu user=vmail:vmail argv=/usr/lib/dovecot/deliver\n"
        "policy unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd\n"
    )
    lookalike = (
        "--- master.cf\nmaildrop unix - n n - - pipe\n"
        "  flags=Rhu user=vmail null_sender= argv=/usr/bin/maildrop -d ${recipient} user=root\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.entries:
            if entry.service and entry.service.command in ("pipe", "spawn"):
                is_used = entry.service.command == "spawn" or entry.service.name in named_transports(context)
                accounts = context.keep(all_accounts) if is_used else frozenset()
                yield from self._check(entry, entry.service.command, context.value("mail_owner"), accounts)

    def _macros(self, entry: MasterEntry, index: int) -> Iterator[Finding]:
        """Yield the unknown names in the command of pipe(8)."""
        for position, (word, _) in enumerate(entry.words[index:], index):
            for name in _MACRO.findall(word):
                if name not in PIPE_MACROS:
                    yield self.finding(
                        entry.span(position),
                        f"pipe has no ${{{name}}}: mail is deferred, as a mail system configuration error",
                        did_you_mean(name, sorted(PIPE_MACROS), 0.6) or "see pipe(8)",
                    )

    def _shell(self, entry: MasterEntry, index: int) -> Iterator[Finding]:
        """Yield the quotes and operators of a shell, which neither program runs."""
        words = [(entry.words[index][0].partition("=")[2], index)]
        words += [(word, position) for position, (word, _) in enumerate(entry.words[index + 1 :], index + 1)]
        if words[0][0].rpartition("/")[2] in _SHELLS:
            return
        program = entry.service.command if entry.service else ""
        for word, position in words:
            if word in _OPERATORS:
                message = f'{program} runs no shell: "{word}" and the rest are arguments of the command'
                yield self.finding(entry.span(position), message, "run a script, or argv=/bin/sh -c { … }")
                return
            if word.startswith(('"', "'")):
                message = f"{program} removes no quotes: they are part of the {'name' if position == index else 'text'}"
                yield self.finding(entry.span(position), message, "remove them; a word with blanks is in braces")
                return

    def _check(self, entry: MasterEntry, program: str, owner: str, accounts: frozenset[str]) -> Iterator[Finding]:
        known = PIPE_ATTRIBUTES if program == "pipe" else SPAWN_ATTRIBUTES
        seen: set[str] = set()
        for index, name, value in attributes(entry):
            if name == "#":
                return  # a comment behind the command, which is another rule's
            if name not in known:
                meant = did_you_mean(name, sorted(known), 0.6)
                yield self.finding(
                    entry.span(index),
                    f'{program} has no attribute "{name}": it dies at its first delivery',
                    meant or f"attributes are {', '.join(sorted(known))}",
                )
                continue
            seen.add(name)
            wrong = value.strip(PIPE_FLAGS) if name == "flags" and program == "pipe" else ""
            if wrong:
                yield self.finding(entry.span(index), f'pipe has no flag "{wrong[0]}"', f"flags are {PIPE_FLAGS}")
            account, _, group = value.partition(":")
            if name == "size" and not value.isdigit():
                yield self.finding(entry.span(index), f'"{value}" is no number of bytes', "write size=10240000")
            if name == "user" and account and account == owner:
                message = f"{program} does not deliver as {account}, which owns the queue"
                yield self.finding(entry.span(index), message, "name an account of its own")
            if name == "user" and accounts and account not in accounts:
                message = f"/etc/passwd has no account {account}: {program} exits when it delivers"
                parts = account.partition(".")
                hint = f"write user={parts[0]}:{parts[2]}" if parts[0] in accounts and parts[2] else ""
                severity = Severity.ERROR if hint else Severity.WARNING
                yield self.finding(entry.span(index), message, hint or "create the account", severity=severity)
            if name == "argv":
                yield from self._shell(entry, index)
            if name == "argv" and program == "pipe":
                yield from self._macros(entry, index)
            if name == "user" and ("root" in (account, group) or "0" in (account, group)):
                yield self.finding(
                    entry.span(index), f"{program} does not deliver as root", "name an account with fewer privileges"
                )
        for name in ("user", "argv"):
            if name not in seen:
                yield self.finding(
                    entry.span(_COMMAND), f"{program} needs {name}=, and dies without it", f"add {name}="
                )


def attributes(entry: MasterEntry) -> Iterator[tuple[int, str, str]]:
    """Yield index, name and value of the attributes of pipe(8) or spawn(8), up to `argv=`; options are left out."""
    skip = False
    for index, (word, _) in enumerate(entry.words[8:], 8):
        if skip or word.startswith("-"):
            skip = word == "-o" and not skip
            continue
        text = word[1:-1].strip() if word.startswith("{") and word.endswith("}") else word
        name, _, value = text.partition("=")
        yield index, name, value.strip()
        if name == "argv":
            return


class SingleRecipient(Rule):
    """pipe(8) flags that need one delivery per recipient, without the recipient limit of 1."""

    id = "M017"
    name = "pipe-recipient-limit"
    effect = '"pipe flag `D\' requires dovecot_destination_recipient_limit = 1": mail for two recipients is deferred.'
    bad = (
        "virtual_transport = dovecot\n"
        "--- master.cf\ndovecot unix - n n - - pipe flags=DRhu user=vmail argv=/usr/lib/dovecot/deliver\n"
    )
    good = (
        "virtual_transport = dovecot\ndovecot_destination_recipient_limit = 1\n"
        "--- master.cf\ndovecot unix - n n - - pipe flags=DRhu user=vmail argv=/usr/lib/dovecot/deliver\n"
    )
    lookalike = "--- master.cf\nmaildrop unix - n n - - pipe flags=DRhu user=vmail argv=/usr/bin/maildrop -d x\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        used = named_transports(context)
        for entry in context.entries:
            if entry.service is None or entry.service.command != "pipe" or entry.service.name not in used:
                continue
            parameter = f"{entry.service.name}_destination_recipient_limit"
            if context.value(parameter) == "1":
                continue
            for index, name, value in attributes(entry):
                letter = next((each for each in SINGLE_RECIPIENT_FLAGS if each in value), "")
                if name == "flags" and letter:
                    yield self.finding(
                        entry.span(index),
                        f"with the flag {letter}, mail for several recipients is deferred",
                        f"set {parameter} = 1 in main.cf",
                        fix=_addition(context, f"{parameter} = 1"),
                    )


def _addition(context: Context, line: str) -> Fix:
    return Fix(f"add {line}", (context.main.addition(line),), safe=False)
