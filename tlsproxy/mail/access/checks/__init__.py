"""The restrictions of smtpd(8), each as a function in `HANDLERS`, by the name that `restrictions` has it under."""

from ..restrictions.evaluation import HANDLERS
from . import access_tables, client, dnsbl, general, helo, hosts, recipient, sender

__all__ = ["HANDLERS", "access_tables", "client", "dnsbl", "general", "helo", "hosts", "recipient", "sender"]
