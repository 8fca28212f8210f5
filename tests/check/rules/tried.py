"""Mistakes in files as administrators make them, and unusual settings that are right."""

from __future__ import annotations

MISTAKES = [
    # subject, main.cf, other entries of master.cf, tables, rule, severity, place
    (
        "rbl url",
        "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, "
        "reject_rbl_client https://zen.spamhaus.org\n",
        "",
        "",
        "R015",
        "error",
        "main.cf:3:96",
    ),
    (
        "mx access ok",
        "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, "
        "check_sender_mx_access cidr:$config_directory/mx.cidr\n",
        "",
        "--- mx.cidr\n127.0.0.0/8 REJECT MX is loopback\n192.0.2.0/24 OK\n",
        "T008",
        "error",
        "mx.cidr:2",
    ),
    (
        "etrn recipient",
        "smtpd_etrn_restrictions = permit_mynetworks, reject_unknown_recipient_domain, reject\n",
        "",
        "",
        "R006",
        "warning",
        "main.cf:3:46",
    ),
    (
        "dbl as ip list",
        "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, "
        "reject_rbl_client dbl.spamhaus.org\n",
        "",
        "",
        "R007",
        "error",
        "main.cf:3:96",
    ),
    (
        "zen as domain list",
        "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, "
        "reject_rhsbl_sender zen.spamhaus.org\n",
        "",
        "",
        "R007",
        "warning",
        "main.cf:3:98",
    ),
    (
        "unlisted sender client",
        "smtpd_client_restrictions = permit_mynetworks, reject_unlisted_sender\n",
        "",
        "",
        "R006",
        "warning",
        "main.cf:3:48",
    ),
    (
        "hc prepend",
        "header_checks = regexp:$config_directory/header_checks\n",
        "",
        "--- header_checks\n/^Received:/ PREPEND X-Seen\n",
        "T008",
        "warning",
        "header_checks:1",
    ),
    (
        "dns reply filter",
        "smtp_dns_reply_filter = regexp:$config_directory/drf\n",
        "",
        "--- drf\n/^\\S+\\s+\\S+\\s+\\S+\\s+AAAA\\s+/ DROP\n",
        "T008",
        "warning",
        "drf:1",
    ),
    (
        "virtual include",
        "virtual_alias_domains = example.net\nvirtual_alias_maps = texthash:$config_directory/virtual\n",
        "",
        "--- virtual\nsupport@example.net |/usr/local/bin/ticket\n",
        "T008",
        "warning",
        "virtual:1",
    ),
    (
        "net cidr reject",
        "mynetworks = cidr:$config_directory/mynetworks.cidr\n",
        "",
        "--- mynetworks.cidr\n127.0.0.0/8 OK\n192.0.2.0/28 OK\n0.0.0.0/0 REJECT\n",
        "T008",
        "warning",
        "mynetworks.cidr:3",
    ),
    (
        "relay recipients key",
        "relay_domains = example.net\nrelay_recipient_maps = texthash:$config_directory/relay_recipients\n",
        "",
        "--- relay_recipients\nexample.net OK\n",
        "T009",
        "warning",
        "relay_recipients:1",
    ),
    (
        "bcc dead domain",
        "sender_bcc_maps = texthash:$config_directory/bcc\n",
        "",
        "--- bcc\nexample.org archive@example.org\n",
        "T009",
        "warning",
        "bcc:1",
    ),
    (
        "virtual domain value",
        "virtual_mailbox_domains = texthash:$config_directory/vdom\n"
        "virtual_mailbox_maps = inline:{joe@example.net=x}\n"
        "virtual_transport = lmtp:unix:private/lmtp\n",
        "",
        "--- vdom\n@example.net OK\n",
        "T009",
        "warning",
        "vdom:1",
    ),
    (
        "access from tag",
        "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, "
        "check_sender_access texthash:$config_directory/senders\n",
        "",
        "--- senders\nFrom:spam@example.com REJECT\n",
        "T009",
        "warning",
        "senders:1",
    ),
    (
        "canonical domain",
        "sender_canonical_maps = texthash:$config_directory/canonical\n",
        "",
        "--- canonical\nexample.lan @example.org\n",
        "T009",
        "warning",
        "canonical:1",
    ),
    (
        "canonical loop",
        "canonical_maps = texthash:$config_directory/canonical\n",
        "",
        "--- canonical\na@example.org b@example.org\nb@example.org a@example.org\n",
        "F005",
        "error",
        "canonical:1",
    ),
    (
        "alias pipe unquoted",
        "alias_maps = hash:$config_directory/aliases\nalias_database = hash:$config_directory/aliases\n",
        "",
        "--- aliases\npostmaster: root\njoe: \\joe, |/usr/bin/vacation joe\n",
        "T010",
        "warning",
        "aliases:2",
    ),
    (
        "alias duplicate",
        "alias_maps = hash:$config_directory/aliases\nalias_database = hash:$config_directory/aliases\n",
        "",
        "--- aliases\npostmaster: root\ninfo: joe\ninfo: bob\n",
        "T010",
        "warning",
        "aliases:3",
    ),
    (
        "mysql key",
        "virtual_mailbox_domains = example.net\nvirtual_transport = lmtp:unix:private/lmtp\n"
        "virtual_mailbox_maps = proxy:mysql:$config_directory/mailboxes.cf\n",
        "",
        "--- mailboxes.cf\nhosts = 127.0.0.1\nuser = postfix\npassword = x\ndatabse = mail\n"
        "query = SELECT 1 FROM users WHERE email='%s'\n",
        "T016",
        "error",
        "mailboxes.cf:4:1",
    ),
    (
        "ldap filter",
        "virtual_mailbox_domains = example.net\nvirtual_transport = lmtp:unix:private/lmtp\n"
        "virtual_mailbox_maps = proxy:ldap:$config_directory/ldap.cf\n",
        "",
        "--- ldap.cf\nserver_host = ldap://127.0.0.1\nsearch_base = dc=example,dc=org\n"
        "query_filter = (&(objectClass=person)(mail=%s)\nresult_attribute = uid\n",
        "T016",
        "error",
        "ldap.cf:3:16",
    ),
    (
        "mysql percent",
        "virtual_mailbox_domains = example.net\nvirtual_transport = lmtp:unix:private/lmtp\n"
        "virtual_mailbox_maps = proxy:mysql:$config_directory/mailboxes.cf\n",
        "",
        "--- mailboxes.cf\nhosts = 127.0.0.1\nuser = postfix\npassword = x\ndbname = mail\n"
        "query = SELECT 1 FROM users WHERE email='%e'\n",
        "T016",
        "error",
        "mailboxes.cf:5:9",
    ),
    (
        "pipe quotes",
        "mailbox_transport = deliver:\n",
        'deliver unix - n n - - pipe\n  flags=Ru user=mail argv="/usr/bin/procmail -t -m USER=${user}"\n',
        "",
        "M016",
        "error",
        "master.cf:21:22",
    ),
    (
        "pipe shell",
        "content_filter = spamassassin\n",
        "spamassassin unix - n n - - pipe\n"
        "  flags=Rq user=mail argv=/usr/bin/spamc -u ${user} | /usr/sbin/sendmail -oi -f ${sender} "
        "${recipient}\nsmtp inet n - y - - smtpd\npickup unix n - y 60 1 pickup\n"
        "  -o content_filter=\n",
        "",
        "M016",
        "error",
        "master.cf:19:53",
    ),
    (
        "policy path",
        "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, "
        "check_policy_service unix:policy\n",
        "policy unix - n n - 0 spawn user=nobody argv=/usr/bin/python3 /usr/local/bin/policy\n",
        "",
        "R013",
        "error",
        "main.cf:3:99",
    ),
    ("inet private", "", "smtp inet y - y - - smtpd\n", "", "M005", "error", "master.cf:19:11"),
    ("inet private dash", "", "smtp inet - - y - - smtpd\n", "", "M005", "error", "master.cf:19:11"),
    ("command path", "", "smtp inet n - y - - /usr/lib/postfix/sbin/smtpd\n", "", "M011", "error", "master.cf:19:21"),
    ("dangling o", "", "smtp inet n - y - - smtpd -v -o\n", "", "M002", "error", "master.cf:19:30"),
    ("port name number", "", "25 inet n - y - - smtpd\n", "", "M004", "warning", "master.cf:20:1"),
    ("inet interfaces loopback", "inet_interfaces = loopback\n", "", "", "V014", "error", "main.cf:3:19"),
    (
        "mynetworks range",
        "mynetworks = 127.0.0.0/8 192.168.7.10-192.168.7.20\n",
        "",
        "",
        "V013",
        "warning",
        "main.cf:3:26",
    ),
    (
        "exclusion order",
        "mynetworks = 127.0.0.0/8, 192.168.1.0/24, !192.168.1.5\n",
        "",
        "",
        "V013",
        "warning",
        "main.cf:3:44",
    ),
    (
        "rbl reply macro",
        "default_rbl_reply = $rbl_code Service unavailable; $rbl_clas [$rbl_what] blocked using $rbl_domain\n",
        "",
        "",
        "V027",
        "warning",
        "main.cf:3:52",
    ),
    (
        "psc blacklist action",
        "postscreen_blacklist_action = block\n",
        "smtp      inet  n       -       y       -       1       postscreen\n"
        "smtpd     pass  -       -       y       -       -       smtpd\n"
        "dnsblog   unix  -       -       y       -       0       dnsblog\n"
        "tlsproxy  unix  -       -       y       -       0       tlsproxy\n",
        "",
        "V010",
        "error",
        "main.cf:3:31",
    ),
    ("reply code", "unknown_local_recipient_reject_code = 55\n", "", "", "V002", "warning", "main.cf:3:39"),
    (
        "protocols interface",
        "inet_protocols = ipv4\ninet_interfaces = [2001:db8::25]\n",
        "",
        "",
        "V031",
        "error",
        "main.cf:4:19",
    ),
    (
        "inet protocol service",
        "inet_protocols = ipv4\nmynetworks = 127.0.0.0/8\n",
        "[::1]:10025 inet n - y - - smtpd\n  -o smtpd_client_restrictions=permit_mynetworks,reject\n",
        "",
        "V031",
        "error",
        "master.cf:20:1",
    ),
    (
        "bind6 ipv4",
        "inet_protocols = ipv4\nsmtp_bind_address6 = 2001:db8::25\n",
        "",
        "",
        "V031",
        "warning",
        "main.cf:4:1",
    ),
    (
        "helo ok",
        "smtpd_relay_restrictions = permit_mynetworks, check_helo_access "
        "texthash:$config_directory/helo, reject_unauth_destination\n",
        "",
        "--- helo\npartner.example.net OK\n",
        "R011",
        "error",
        "main.cf:3:47",
    ),
    (
        "rcpt unanchored",
        "smtpd_relay_restrictions = permit_mynetworks, check_recipient_access "
        "regexp:$config_directory/rcpt, reject_unauth_destination\n",
        "",
        "--- rcpt\n/@example\\.org/ OK\n",
        "R011",
        "error",
        "main.cf:3:47",
    ),
    ("net style class", "mynetworks_style = class\n", "", "", "R012", "warning", "main.cf:3:20"),
    (
        "all clientcerts",
        "smtpd_relay_restrictions = permit_mynetworks, permit_tls_all_clientcerts, "
        "reject_unauth_destination\nsmtpd_tls_ask_ccert = yes\n"
        "smtpd_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n",
        "",
        "",
        "R016",
        "warning",
        "main.cf:3:47",
    ),
    (
        "mx backup",
        "smtpd_relay_restrictions = permit_mynetworks, permit_mx_backup, reject_unauth_destination\n",
        "",
        "",
        "R016",
        "warning",
        "main.cf:3:47",
    ),
    (
        "dnswl relay",
        "smtpd_relay_restrictions = permit_mynetworks, permit_dnswl_client list.dnswl.org, reject_unauth_destination\n",
        "",
        "",
        "R016",
        "warning",
        "main.cf:3:47",
    ),
    (
        "untrusted routing",
        "allow_untrusted_routing = yes\nrelay_domains = example.net\nrelay_recipient_maps = inline:{a@example.net=x}\n",
        "",
        "",
        "R016",
        "warning",
        "main.cf:3:1",
    ),
    (
        "sasl anonymous",
        "smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = yes\nsmtpd_sasl_type = dovecot\n"
        "smtpd_sasl_path = private/auth\nsmtpd_sasl_security_options =\n",
        "",
        "",
        "R017",
        "warning",
        "main.cf:7:1",
    ),
    (
        "client noplaintext",
        "relayhost = [smtp.gmail.com]:587\nsmtp_sasl_auth_enable = yes\n"
        "smtp_sasl_password_maps = texthash:$config_directory/sasl_passwd\n"
        "smtp_tls_security_level = encrypt\n",
        "",
        "--- sasl_passwd\n[smtp.gmail.com]:587 joe@gmail.com:secret\n",
        "L018",
        "warning",
        "main.cf:4:1",
    ),
    (
        "virtual no domain",
        "virtual_alias_maps = texthash:$config_directory/virtual\n",
        "",
        "--- virtual\ninfo@example.net joe\nsales@example.net joe\n",
        "F010",
        "warning",
        "virtual:1",
    ),
    ("fallback transport", "fallback_transport = lmtp:unix:private/lmtp\n", "", "", "Q003", "warning", "main.cf:3:1"),
    (
        "cleanup name",
        "",
        "submission inet n - y - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"
        "  -o smtpd_client_restrictions=permit_mynetworks,reject\n"
        "  -o cleanup_service_name=subcleanup\n",
        "",
        "X010",
        "error",
        "master.cf:23:27",
    ),
    (
        "cidr shadowed",
        "smtpd_client_restrictions = check_client_access cidr:$config_directory/clients.cidr\n",
        "",
        "--- clients.cidr\n10.0.0.0/8 REJECT\n10.1.2.0/24 OK\n",
        "T017",
        "warning",
        "clients.cidr:2",
    ),
    (
        "ccert digest",
        "smtpd_relay_restrictions = permit_mynetworks, permit_tls_clientcerts, "
        "reject_unauth_destination\nrelay_clientcerts = texthash:$config_directory/certs\n"
        "smtpd_tls_ask_ccert = yes\nsmtpd_tls_fingerprint_digest = sha256\n",
        "",
        "--- certs\nAA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99 lutz\n",
        "T009",
        "warning",
        "certs:1",
    ),
    (
        "mailbox absolute",
        "virtual_mailbox_domains = example.net\nvirtual_mailbox_base = /var/vmail\n"
        "virtual_uid_maps = static:5000\nvirtual_gid_maps = static:5000\n"
        "virtual_mailbox_maps = texthash:$config_directory/vmailbox\n",
        "",
        "--- vmailbox\njoe@example.net /var/vmail/example.net/joe/\n",
        "T008",
        "warning",
        "vmailbox:1",
    ),
    (
        "union syntax",
        "virtual_alias_maps = unionmap:{inline:{a=b},texthash:$config_directory/v\n",
        "",
        "--- v\na@example.org b\n",
        "T006",
        "error",
        "main.cf:3:22",
    ),
    ("queue run", "queue_run_delay = 1h\n", "", "", "Q002", "warning", "main.cf:3:19"),
    (
        "queue minfree",
        "queue_minfree = 20000000\nmessage_size_limit = 52428800\n",
        "",
        "",
        "Q002",
        "info",
        "main.cf:3:17",
    ),
    (
        "dnsbl unreachable",
        "postscreen_dnsbl_sites = zen.spamhaus.org*2, bl.spamcop.net*1\n"
        "postscreen_dnsbl_threshold = 8\npostscreen_dnsbl_action = enforce\n",
        "smtp      inet  n       -       y       -       1       postscreen\n"
        "smtpd     pass  -       -       y       -       -       smtpd\n"
        "dnsblog   unix  -       -       y       -       0       dnsblog\n"
        "tlsproxy  unix  -       -       y       -       0       tlsproxy\n",
        "",
        "Q012",
        "warning",
        "main.cf:4:30",
    ),
    (
        "dnsbl unreachable in master.cf",
        "postscreen_dnsbl_sites = zen.spamhaus.org*2, bl.spamcop.net*1\npostscreen_dnsbl_action = enforce\n",
        "smtp      inet  n       -       y       -       1       postscreen -o postscreen_dnsbl_threshold=8\n"
        "smtpd     pass  -       -       y       -       -       smtpd\n"
        "dnsblog   unix  -       -       y       -       0       dnsblog\n"
        "tlsproxy  unix  -       -       y       -       0       tlsproxy\n",
        "",
        "Q012",
        "warning",
        "master.cf:19:98",
    ),
    (
        "dnsbl no action",
        "postscreen_dnsbl_sites = zen.spamhaus.org*3\npostscreen_dnsbl_threshold = 3\n",
        "smtp      inet  n       -       y       -       1       postscreen\n"
        "smtpd     pass  -       -       y       -       -       smtpd\n"
        "dnsblog   unix  -       -       y       -       0       dnsblog\n"
        "tlsproxy  unix  -       -       y       -       0       tlsproxy\n",
        "",
        "Q012",
        "warning",
        "main.cf:3:1",
    ),
    (
        "mailbox command quotes",
        'mailbox_command = "/usr/bin/procmail -a $EXTENSION"\n',
        "",
        "",
        "S007",
        "error",
        "main.cf:3:19",
    ),
    (
        "class builtin",
        "smtpd_restriction_classes = reject\nreject = reject_unknown_client_hostname\n"
        "smtpd_client_restrictions = permit_mynetworks, reject\n",
        "",
        "",
        "R003",
        "error",
        "main.cf:3:29",
    ),
    (
        "virtual catchall regexp",
        "virtual_alias_maps = regexp:$config_directory/virtual\n",
        "",
        "--- virtual\n/.*/ catchall@example.org\n",
        "F011",
        "error",
        "main.cf:3:22",
    ),
    (
        "alias include",
        "alias_maps = hash:$config_directory/aliases\nalias_database = hash:$config_directory/aliases\n",
        "",
        "--- aliases\npostmaster: root\nlist: include:/etc/postfix/list\n",
        "T010",
        "warning",
        "aliases:2",
    ),
    ("smtp on inet", "", "smtp inet n - y - - smtp\n", "", "M020", "error", "master.cf:19:21"),
    ("cleanup private", "", "cleanup unix y - y - 0 cleanup\n", "", "M020", "error", "master.cf:19:14"),
    ("rewrite public", "", "rewrite unix n - y - - trivial-rewrite\n", "", "M020", "error", "master.cf:19:14"),
    (
        "flag i",
        "header_checks = regexp:$config_directory/hc\n",
        "",
        "--- hc\n/^Subject:.*viagra/i REJECT\n",
        "T018",
        "warning",
        "hc:1",
    ),
    (
        "key comma",
        "smtp_generic_maps = texthash:$config_directory/g\n",
        "",
        "--- g\njoe@host.lan, joe@example.org\n",
        "T009",
        "warning",
        "g:1",
    ),
    (
        "key arrow",
        "virtual_alias_domains = example.net\nvirtual_alias_maps = texthash:$config_directory/v\n",
        "",
        "--- v\ninfo@example.net -> joe\n",
        "T008",
        "error",
        "v:1",
    ),
    (
        "login semicolon",
        "smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = yes\nsmtpd_sasl_type = dovecot\n"
        "smtpd_sasl_path = private/auth\n"
        "smtpd_sender_restrictions = reject_sender_login_mismatch\n"
        "smtpd_sender_login_maps = texthash:$config_directory/l\n",
        "",
        "--- l\ninfo@example.org joe; admin\n",
        "T008",
        "warning",
        "l:1",
    ),
    (
        "sasl quotes",
        "relayhost = [smtp.example.net]:587\nsmtp_sasl_auth_enable = yes\n"
        "smtp_sasl_security_options = noanonymous\nsmtp_tls_security_level = encrypt\n"
        "smtp_sasl_password_maps = texthash:$config_directory/sasl_passwd\n",
        "",
        '--- sasl_passwd\n[smtp.example.net]:587 "joe:secret"\n',
        "T008",
        "error",
        "sasl_passwd:1",
    ),
    (
        "no mappings",
        "receive_override_options = no_address_mappings\nvirtual_alias_domains = example.net\n"
        "virtual_alias_maps = inline:{a@example.net=joe}\n",
        "",
        "",
        "Q003",
        "warning",
        "main.cf:5:1",
    ),
    (
        "no body checks",
        "receive_override_options = no_header_body_checks\nheader_checks = regexp:$config_directory/hc\n",
        "",
        "--- hc\n/^X:/ IGNORE\n",
        "Q003",
        "warning",
        "main.cf:4:1",
    ),
    (
        "mime off",
        "disable_mime_input_processing = yes\nmime_header_checks = regexp:$config_directory/hc\n",
        "",
        "--- hc\n/^X:/ IGNORE\n",
        "Q003",
        "warning",
        "main.cf:4:1",
    ),
    ("size kb", "message_size_limit = 20480\n", "", "", "Q001", "warning", "main.cf:3:22"),
    ("bind loopback", "smtp_bind_address = 127.0.0.1\n", "", "", "V015", "warning", "main.cf:3:21"),
    ("relayhost self", "relayhost = [mx.example.net]\n", "", "", "F009", "error", "main.cf:3:13"),
    (
        "transport self",
        "transport_maps = texthash:$config_directory/transport\n",
        "",
        "--- transport\nexample.org smtp:[127.0.0.1]:25\n",
        "F009",
        "error",
        "transport:1",
    ),
    (
        "class that permits",
        "smtpd_restriction_classes = partner\npartner = permit\nsmtpd_relay_restrictions = permit_mynetworks, "
        "check_sender_access texthash:$config_directory/p, reject_unauth_destination\n",
        "",
        "--- p\npartner.example partner\n",
        "R011",
        "error",
        "main.cf:4:11",
    ),
    (
        "wrapper mode for all",
        "smtp_tls_wrappermode = yes\nsmtp_tls_security_level = encrypt\n",
        "",
        "",
        "L007",
        "error",
        "main.cf:3:1",
    ),
]

RIGHT = [
    # main.cf, other entries of master.cf, tables
    ("mynetworks = !192.168.1.5, 192.168.1.0/24, [::1]/128, [2001:db8:2::/48]\n", "", ""),
    ("mynetworks = cidr:$config_directory/net\n", "", "--- net\n192.168.1.0/24 permit\n[2001:db8::]/32 permit\n"),
    ("inet_interfaces = localhost\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8 [::1]/128\n", "", ""),
    ("smtpd_reject_footer = \\c. Contact postmaster at $server_name with $client_address\n", "", ""),
    ("postscreen_blacklist_action = enforce\n", "smtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\n", ""),
    (
        "virtual_mailbox_domains = $virtual_mailbox_maps\nvirtual_transport = lmtp:unix:private/lmtp\n"
        "virtual_mailbox_maps = texthash:$config_directory/boxes\n",
        "",
        "--- boxes\nexample.com x\njoe@example.com x\n",
    ),
    (
        "virtual_alias_domains = texthash:$config_directory/virtual\n"
        "virtual_alias_maps = texthash:$config_directory/virtual\n",
        "",
        "--- virtual\nexample.com x\njoe@example.com joe bob\n",
    ),
    (
        "canonical_maps = texthash:$config_directory/canonical\n"
        "sender_bcc_maps = inline:{a@example.org=b@example.org, b@example.org=a@example.org}\n",
        "",
        "--- canonical\nfirst.last fl@example.org\n@lan.example @example.org\nfl@example.org fl@example.org\n",
    ),
    (
        "header_checks = regexp:$config_directory/headers\nbody_checks = regexp:$config_directory/body\n",
        "",
        "--- headers\n/^X: (.*)/ PREPEND Y: $1\n--- body\n/^begin/ PREPEND a line\n/x/ REPLACE y\n",
    ),
    (
        "smtpd_recipient_restrictions = reject_unauth_destination, check_sender_mx_access cidr:$config_directory/mx\n",
        "",
        "--- mx\n127.0.0.0/8 550 5.7.1 no\n10.0.0.0/8 DUNNO\n",
    ),
    (
        "smtpd_relay_restrictions = permit_mynetworks, check_recipient_access regexp:$config_directory/rcpt, "
        "reject_unauth_destination\n",
        "",
        "--- rcpt\n/@example\\.org$/ OK\n",
    ),
    (
        "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, permit_dnswl_client "
        "list.dnswl.org, reject_rhsbl_helo dbl.spamhaus.org, reject_rbl_client zen.spamhaus.org\n",
        "",
        "",
    ),
    (
        "mailbox_transport = deliver:\n",
        "deliver unix - n n - - pipe\n  user=mail argv=/bin/sh -c { /usr/bin/spamc | /usr/sbin/sendmail -oi x }\n",
        "",
    ),
    (
        "virtual_alias_maps = mysql:$config_directory/a.cf, ldap:$config_directory/b.cf, "
        "sqlite:$config_directory/c.cf\n",
        "",
        "--- a.cf\nhosts = 127.0.0.1\nuser = x\npassword = y\ndbname = mail\n"
        "table = alias\nselect_field = goto\nwhere_field = address\n"
        "--- b.cf\nserver_host = ldaps://a.example\nquery_filter = (&(mail=%s)(!(x=*)))\nresult_format = %u@%d\n"
        "--- c.cf\ndbpath = /var/lib/mail.db\nquery = SELECT x FROM y WHERE z LIKE '%u%%'\n",
    ),
    (
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = inline:{[a.example]=u:p}\nrelayhost = [a.example]\n"
        "smtp_tls_security_level = encrypt\nsmtp_sasl_tls_security_options = noanonymous\n",
        "",
        "",
    ),
    (
        "mydestination = example.net\nvirtual_alias_domains = example.com\n"
        "virtual_alias_maps = texthash:$config_directory/virtual\n",
        "",
        "--- virtual\na@example.com joe\nb@example.net a@example.com\nroot joe\n",
    ),
    (
        "local_recipient_maps = proxy:unix:passwd.byname $alias_maps inline:{joe=x}\n"
        "fallback_transport = lmtp:unix:private/lmtp\n",
        "",
        "",
    ),
    (
        "smtpd_client_restrictions = check_client_access cidr:$config_directory/clients\n",
        "",
        "--- clients\n10.1.2.0/24 OK\n10.0.0.0/8 REJECT\n10.0.0.0/8 REJECT again\n!192.0.2.0/24 DUNNO\n0.0.0.0/0 OK\n",
    ),
    (
        "receive_override_options = no_address_mappings\ncontent_filter = smtp:[127.0.0.1]:10024\n"
        "virtual_alias_domains = example.com\nvirtual_alias_maps = inline:{a@example.com=joe}\n",
        "127.0.0.1:10025 inet n - n - - smtpd -o content_filter= -o receive_override_options=\n",
        "",
    ),
    ('mailbox_command = "/usr/bin/procmail" -a "$EXTENSION"\n', "", ""),
]
