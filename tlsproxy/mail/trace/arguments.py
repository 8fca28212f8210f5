"""The command line of tlsproxy-trace."""

from __future__ import annotations

from postconf.program.parser import Parser

FORMATS = ("text", "junit", "github")
PICTURES = ("svg", "mermaid", "dot", "html")
_EXAMPLES = """\
examples:
  tlsproxy-trace --client 203.0.113.7 --sender a@example.org --recipient info@example.com
      the replies to a stranger, the restriction that decides, and the route of the mail
  tlsproxy-trace --client 203.0.113.7 --sasl-user joe --tls --service submission/inet \\
      --sender joe@example.com --recipient a@example.org
      the replies to a user who submits mail
  tlsproxy-trace ... --assume dnsbl:zen.spamhaus.org=listed --assume policy:unix:private/policy='DEFER wait'
      the replies with these answers from outside
  tlsproxy-trace --init > mail.toml; tlsproxy-trace --expect mail.toml
      write the expected results to a file, and check them

exit status: 0 success; 1 an expectation does not hold; 2 invalid arguments, files or configuration
"""


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        "tlsproxy-trace",
        description="Show the replies of a Postfix configuration to a message, the restriction that decides, and the "
        "route of the mail. Nothing is sent, and no Postfix is needed.",
        epilog=_EXAMPLES,
    )
    session = parser.add_argument_group("session")
    add = session.add_argument
    add("--client", metavar="ADDRESS", help="IP address of the client")
    add(
        "--client-name",
        metavar="NAME",
        help="name of the client, verified in both directions; default: unknown, or with --dns its name in DNS",
    )
    add("--helo", metavar="NAME", help="name in HELO; default: the client's name or [ADDRESS]")
    add("--sasl-user", default="", metavar="USER", help="login name, if the client has logged in")
    add(
        "--tls",
        nargs="?",
        const="",
        metavar="FINGERPRINT",
        help="encrypted session, with a client certificate if there is a fingerprint",
    )
    add("--tls-trusted", action="store_true", help="the client certificate is from an authority that the server trusts")
    add("--sender", metavar="ADDRESS", help='envelope sender; "" is the null address')
    add("--recipient", action="append", default=[], metavar="ADDRESS", help="envelope recipient; can be repeated")
    add("--service", default="smtp/inet", metavar="NAME/TYPE", help="service in master.cf; default: smtp/inet")
    configuration = parser.add_argument_group("configuration")
    add = configuration.add_argument
    add("-c", dest="directory", metavar="DIR", help="directory of main.cf and master.cf; default: /etc/postfix")
    add(
        "--postfix-version",
        default="",
        metavar="V",
        help="Postfix release, such as 3.10; default: the installed one, or 3.7",
    )
    world = parser.add_argument_group("answers from outside the configuration")
    add = world.add_argument
    add("--assume", action="append", default=[], metavar="NAME=VALUE", help="set an answer; the output has its NAME")
    add("--dns", action="store_true", help="query DNS (needs tlsproxy[dane])")
    add("--ask", action="store_true", help="query policy services")
    output = parser.add_argument_group("output")
    add = output.add_argument
    add("--json", action="store_true", help="print one JSON object")
    add("--batch", action="store_true", help="read sessions from standard input, one JSON object per line")
    files = parser.add_argument_group("expectations")
    add = files.add_argument
    add("--expect", metavar="FILE", help="check the sessions and routes in a TOML file; - is standard input")
    add("--format", action="append", default=[], metavar="FORMAT[:FILE]", help=", ".join(FORMATS))
    add("--init", action="store_true", help="print a first file of expectations for the configuration")
    graph = parser.add_argument_group("mail flow")
    graph.add_argument(
        "--graph",
        choices=PICTURES,
        help="draw the mail flow of the configuration; html: a page with findings and settings",
    )
    return parser
