"""The command line of tlsproxy-trace."""

from __future__ import annotations

from postconf.program.parser import Parser

FORMATS = ("text", "junit", "github")
PICTURES = ("svg", "mermaid", "dot", "html")
_EXAMPLES = """\
examples:
  tlsproxy-trace --client 203.0.113.7 --sender a@example.org --recipient info@example.com
      what a stranger is answered, by which restriction, and where the mail goes
  tlsproxy-trace --client 203.0.113.7 --sasl-user joe --tls --service submission/inet \\
      --sender joe@example.com --recipient a@example.org
      what a user is answered who submits mail
  tlsproxy-trace ... --assume dnsbl:zen.spamhaus.org=listed --assume policy:unix:private/policy='DEFER wait'
      what happens if the world outside says so
  tlsproxy-trace --init > mail.toml; tlsproxy-trace --expect mail.toml
      write down what has to happen, and check it from now on

exit status: 0 answered, or all as expected; 1 something is not as expected; 2 bad arguments, files or configuration
"""


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        "tlsproxy-trace",
        description="Ask a configuration of Postfix what it would do: hold an SMTP session, and follow the mail. "
        "Nothing is sent, and no Postfix is needed.",
        epilog=_EXAMPLES,
    )
    session = parser.add_argument_group("the session")
    add = session.add_argument
    add("--client", metavar="ADDRESS", help="IP address of the client")
    add("--client-name", metavar="NAME", help="its name, verified both ways; default: unknown, or looked up with --dns")
    add("--helo", metavar="NAME", help="name in HELO; default: the client's name or [ADDRESS]")
    add("--sasl-user", default="", metavar="USER", help="login name, if the client has logged in")
    add(
        "--tls",
        nargs="?",
        const="",
        metavar="FINGERPRINT",
        help="the session is encrypted, perhaps with a client certificate of that fingerprint",
    )
    add("--tls-trusted", action="store_true", help="that certificate is signed by an authority of the server's")
    add("--sender", metavar="ADDRESS", help='envelope sender; "" is the null address')
    add("--recipient", action="append", default=[], metavar="ADDRESS", help="envelope recipient; can be repeated")
    add("--service", default="smtp/inet", metavar="NAME/TYPE", help="service in master.cf; default: smtp/inet")
    configuration = parser.add_argument_group("the configuration")
    add = configuration.add_argument
    add("-c", dest="directory", metavar="DIR", help="its directory; default: /etc/postfix")
    add("--postfix-version", default="", metavar="V", help="such as 3.10; default: the installed one, or 3.7")
    world = parser.add_argument_group("what only the world knows")
    add = world.add_argument
    add("--assume", action="append", default=[], metavar="NAME=VALUE", help="decide it; names are those in answers")
    add("--dns", action="store_true", help="ask DNS (needs tlsproxy[dane])")
    add("--ask", action="store_true", help="ask policy services")
    output = parser.add_argument_group("output")
    add = output.add_argument
    add("--json", action="store_true", help="print one JSON object")
    add("--batch", action="store_true", help="read sessions as JSON objects from standard input, one a line")
    files = parser.add_argument_group("expectations")
    add = files.add_argument
    add("--expect", metavar="FILE", help="check the sessions and routes in a TOML file; - is standard input")
    add("--format", action="append", default=[], metavar="FORMAT[:FILE]", help=", ".join(FORMATS))
    add("--init", action="store_true", help="print a first file of expectations for the configuration")
    graph = parser.add_argument_group("the whole configuration")
    graph.add_argument(
        "--graph",
        choices=PICTURES,
        help="print how mail flows: as a picture, or html, a page with findings and settings",
    )
    return parser
