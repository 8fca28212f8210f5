"""Mail routing: rewriting, the resolver, envelopes and deliveries, put together by `Router`.

The names below are loaded at their first use, so that users of the resolver don't load the rest.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .cleanup import Envelope, MessageRejection
    from .delivery import Agent, Delivery
    from .resolver import AddressClass, Resolution
    from .router import Route, Router
    from .sessions import Credentials, DeliverySession
    from .transport import Hop

_MODULES = {
    "AddressClass": "resolver",
    "Agent": "delivery",
    "Credentials": "sessions",
    "Delivery": "delivery",
    "Envelope": "cleanup",
    "Hop": "transport",
    "MessageRejection": "cleanup",
    "Resolution": "resolver",
    "Route": "router",
    "Router": "router",
    "DeliverySession": "sessions",
}
__all__ = [
    "AddressClass",
    "Agent",
    "Credentials",
    "Delivery",
    "DeliverySession",
    "Envelope",
    "Hop",
    "MessageRejection",
    "Resolution",
    "Route",
    "Router",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
