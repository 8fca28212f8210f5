"""SMTP access control: the answers of smtpd(8) to a client, and their reasons.

Pure functions on a configuration, its lookup tables and facts about a session; nothing else is asked. Facts that only
the world outside knows are a `World`'s to answer, or make an answer that depends.

    service = smtpd.open_service(postconf.load("/etc/postfix"), "smtp/inet")
    client = facts.SmtpClient.named("192.0.2.1", "mail.example.org")
    asked = facts.SmtpSession(client, "mail.example.org", "a@example.org", ("b@example.com",))
    session.converse(service, asked, world.NOWHERE)  # Conversation: each reply with its steps
    relaying.stranger_may_relay(service)  # RelayVerdict
"""
