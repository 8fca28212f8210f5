"""SMTP access control: what smtpd(8) answers to a client, and why.

Pure functions on a configuration, its lookup tables and facts about a session; nothing else is asked. What only the
world outside knows is a `World`'s to answer, or makes an answer that depends.

    service = smtpd.open_service(postconf.load("/etc/postfix"), "smtp/inet")
    client = facts.SmtpClient.named("192.0.2.1", "mail.example.org")
    asked = facts.SmtpSession(client, "mail.example.org", "a@example.org", ("b@example.com",))
    session.converse(service, asked, world.NOWHERE)  # Conversation: each reply with its steps
    relaying.stranger_may_relay(service)  # RelayVerdict
"""
