"""Facts about this machine that defaults depend on: host name, interfaces and the installed Postfix."""
