"""The TLS policy of outgoing sessions, as smtp(8) decides it: main.cf, smtp_tls_policy_maps, per-site tables, DANE.

```python
with Policies(postconf.load()) as policies:
    policy = policies.decide("[mail.example.com]:587")
```
"""

from .dane import DnsLookupError, Resolver, TlsaAnswer
from .destination import Destination, DnsName
from .entry import PolicyEntry, parse_entry
from .errors import PolicyError, Where
from .per_site import parse_site
from .policies import Policies, Policy
from .settings import PolicySettings

__all__ = [
    "Destination",
    "DnsLookupError",
    "DnsName",
    "Policies",
    "Policy",
    "PolicyEntry",
    "PolicyError",
    "PolicySettings",
    "Resolver",
    "TlsaAnswer",
    "Where",
    "parse_entry",
    "parse_site",
]
