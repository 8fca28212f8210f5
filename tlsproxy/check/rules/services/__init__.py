"""Services of master.cf: entries, programs, chroots, and the services that others need."""
