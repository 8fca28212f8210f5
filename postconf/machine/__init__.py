"""Facts about this machine on which defaults depend: hostname, interfaces and the installed Postfix."""
