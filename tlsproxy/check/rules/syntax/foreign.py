"""Files that are something else than main.cf and master.cf."""

from __future__ import annotations

from collections.abc import Iterator

from ...context import Context
from ...findings import Finding
from ...rule import Rule
from ...text.foreign import FOREIGN, foreign


class ForeignFile(Rule):
    """File that is no configuration of Postfix: binary data, HTML, a script, or master.cf in place of main.cf.

    Nothing else is reported of such a file.
    """

    id = FOREIGN
    name = "foreign-file"
    in_templates = True
    effect = 'Every program is fatal, "missing \'=\' after attribute name", "bad field count".'
    bad = "smtp inet n - y - - smtpd\npickup unix n - y 60 1 pickup\n"
    good = "myhostname = mail.example.com\n--- master.cf\nsmtp inet n - y - - smtpd\npickup unix n - y 60 1 pickup\n"
    lookalike = "#!/usr/sbin/postconf\nmyhostname = mail.example.com\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in foreign(context):
            yield self.finding(
                each.span,
                f"this is not a Postfix configuration: {each.reason}",
                f"name a {each.name}, or the directory that it is in",
            )
