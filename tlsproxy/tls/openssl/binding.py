"""OpenSSL's private binding: connections, contexts, keys. Its siblings `callbacks`, `peers` and `paths` touch it, too.

All calls here go through `OpenSSL._util.lib` and `.ffi`, which pyOpenSSL does not promise to keep. The names are
looked up once, at import; missing ones are in the text of the `ImportError`.
"""

import os
from functools import cache, lru_cache
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import InvalidVersion, load_der_x509_certificate
from OpenSSL import SSL, crypto
from OpenSSL._util import ffi, lib

from postconf.files.regular import is_refused
from postconf.syntax.lines import encode

from ...errors import TlsproxyError
from ...log import Log


def require(*names: str) -> None:
    """Raise an ImportError with those of `names` that the binding lacks."""
    missing = [name for name in names if not hasattr(lib, name)]
    if missing:
        raise ImportError(
            f"pyOpenSSL's binding lacks {', '.join(missing)}; "
            "install the pyOpenSSL and cryptography releases that this package names"
        )


require(
    *(
        "BIO_free",
        "BIO_new_file",
        "BIO_new_mem_buf",
        "DH_free",
        "ERR_clear_error",
        "ERR_get_error",
        "ERR_lib_error_string",
    ),
    *("ERR_reason_error_string", "EVP_PKEY_bits", "EVP_PKEY_free", "EVP_PKEY_id", "EVP_PKEY_type", "OBJ_nid2sn"),
    *("OBJ_txt2nid", "PEM_read_bio_PrivateKey", "SSL_CIPHER_get_bits", "SSL_CIPHER_get_name"),
    *("SSL_CTX_check_private_key", "SSL_CTX_clear_mode", "SSL_CTX_set1_curves_list", "SSL_CTX_set_mode"),
    *("SSL_CTX_use_PrivateKey", "SSL_CTX_use_certificate_chain_file", "SSL_free", "SSL_new", "SSL_set_SSL_CTX"),
    *("SSL_do_handshake", "SSL_get0_group_name", "SSL_get_certificate", "SSL_get_current_cipher", "SSL_get_error"),
    *("SSL_get_peer_certificate", "SSL_get_session", "SSL_get_version", "SSL_pending", "SSL_read", "SSL_shutdown"),
    *("SSL_set_accept_state", "SSL_set_connect_state", "SSL_set_fd", "SSL_set_tlsext_host_name", "SSL_set_verify"),
    *("SSL_state_string_long", "SSL_version"),
    *("SSL_write", "X509_free", "X509_get_pubkey", "X509_up_ref", "PEM_read_bio_DHparams", "PEM_read_bio_X509"),
    *("SSL_CTX_set_tmp_dh", "SSL_CTX_use_certificate", "X509_NAME_cmp", "X509_STORE_add_cert"),
)

ERROR_SSL: Final[int] = lib.SSL_ERROR_SSL
ERROR_WANT_READ: Final[int] = lib.SSL_ERROR_WANT_READ
ERROR_WANT_WRITE: Final[int] = lib.SSL_ERROR_WANT_WRITE

# The data path: bare functions on a bare pointer, 1-2 microseconds cheaper per call than the public methods.
SSL_read: Final = lib.SSL_read
SSL_write: Final = lib.SSL_write
SSL_get_error: Final = lib.SSL_get_error
SSL_pending: Final = lib.SSL_pending
SSL_do_handshake: Final = lib.SSL_do_handshake
SSL_shutdown: Final = lib.SSL_shutdown
from_buffer: Final = ffi.from_buffer
clear_errors: Final = lib.ERR_clear_error


def begin(context: SSL.Context, descriptor: int, *, server: bool) -> Any:
    """Make the `SSL *` of a connection on a descriptor, which is freed with the last reference to it.

    pyOpenSSL's own object for it costs more than the library's, and all that is done with it is done here.
    """
    ssl = lib.SSL_new(context._context)
    if ssl == ffi.NULL:
        raise MemoryError
    ssl = ffi.gc(ssl, lib.SSL_free)
    if lib.SSL_set_fd(ssl, descriptor) != 1:
        raise MemoryError
    (lib.SSL_set_accept_state if server else lib.SSL_set_connect_state)(ssl)
    return ssl


def change_context(ssl: Any, context: SSL.Context) -> None:
    """Use the certificates of another context in a handshake."""
    lib.SSL_set_SSL_CTX(ssl, context._context)


def set_server_name(ssl: Any, name: bytes) -> None:
    """Send the server name (RFC 6066 §3). `name`: bytes without NUL."""
    lib.SSL_set_tlsext_host_name(ssl, name)


def state(ssl: Any) -> str:
    """Return the state of a handshake in OpenSSL's long words."""
    return _text(lib.SSL_state_string_long(ssl))


def buffer(size: int) -> tuple[Any, memoryview]:
    """Return `size` bytes as a `char *` for SSL_read and SSL_write, and as a view for socket calls."""
    data = ffi.new("char[]", size)
    return data, memoryview(ffi.buffer(data, size))


def ask_for_certificate(ssl: Any) -> None:
    """Ask a client for its certificate, which it need not have; the context's callback judges the chain."""
    lib.SSL_set_verify(ssl, SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, ffi.NULL)


class AuthorityNames:
    """Names of the authorities in a file, which are sent to clients with a certificate request."""

    def __init__(self, file: str) -> None:
        """Read the file; `found` is False without names, and the error queue has the reason."""
        stack = lib.SSL_load_client_CA_file(os.fsencode(file))
        self.found: bool = stack != ffi.NULL
        self._names = ffi.gc(stack, lib.sk_X509_NAME_free) if self.found else stack

    def announce(self, context: SSL.Context) -> None:
        """Send the names to clients of a context."""
        copy = lib.sk_X509_NAME_new_null()
        for index in range(lib.sk_X509_NAME_num(self._names) if self.found else 0):
            lib.sk_X509_NAME_push(copy, lib.X509_NAME_dup(lib.sk_X509_NAME_value(self._names, index)))
        lib.SSL_CTX_set_client_CA_list(context._context, copy)


def tune(context: SSL.Context) -> None:
    """Write as much as asked, and hold no buffers while idle (pyOpenSSL turns partial writes on)."""
    lib.SSL_CTX_clear_mode(context._context, lib.SSL_MODE_ENABLE_PARTIAL_WRITE)
    lib.SSL_CTX_set_mode(context._context, lib.SSL_MODE_RELEASE_BUFFERS)


def set_groups(context: SSL.Context, names: str) -> bool:
    """Set the key exchange groups, separated by colons; False (and an empty error queue) if OpenSSL refuses."""
    accepted: bool = lib.SSL_CTX_set1_curves_list(context._context, encode(names)) == 1
    clear_errors()
    return accepted


def is_object_name(name: str) -> bool:
    """Return True if OpenSSL has an object with this short or long name."""
    known: bool = lib.OBJ_txt2nid(encode(name)) != 0
    clear_errors()
    return known


@ffi.callback("int(char *, int, int, void *)", error=-1)  # type: ignore[untyped-decorator]
def _no_passphrase(_buffer: Any, _size: int, _writing: int, _argument: Any) -> int:
    """Refuse encrypted keys: without this, OpenSSL asks on the terminal."""
    return -1


def use_identity(context: SSL.Context, chain: bytes, key: bytes) -> bool:
    """Load a certificate with its issuers, and its key, all PEM; False leaves the reasons in the error queue."""
    return use_certificates(context, chain) and use_key(context, key) and check_key(context)


def use_certificates(context: SSL.Context, chain: bytes) -> bool:
    """Load a certificate with its issuers, all PEM; False leaves the reasons in the error queue.

    Each kind of key (RSA, ECDSA, …) has a place of its own in a context. The certificate must come before the key: a
    key alone is silently dropped for one that does not fit.
    """
    _own_keys.clear()  # the address of a certificate may be used again
    try:
        file = os.memfd_create("chain")
    except OSError:
        return False
    try:
        os.write(file, chain)
        path = f"/proc/self/fd/{file}"
        if not os.path.exists(path):  # noqa: PTH110  in a chroot
            return _use_certificates_one_by_one(context, chain)
        used: bool = lib.SSL_CTX_use_certificate_chain_file(context._context, path.encode()) == 1
        return used
    finally:
        os.close(file)


def _use_certificates_one_by_one(context: SSL.Context, chain: bytes) -> bool:
    """Load a chain without a file; return True if OpenSSL takes its first certificate.

    Issuers go where OpenSSL looks for them when it sends an incomplete chain. Self-signed ones are left out: among the
    trusted certificates they would be authorities for clients' certificates.
    """
    bio = lib.BIO_new_mem_buf(from_buffer(chain), len(chain))
    store = lib.SSL_CTX_get_cert_store(context._context)
    used = False
    try:
        while (x509 := lib.PEM_read_bio_X509(bio, ffi.NULL, _no_passphrase, ffi.NULL)) != ffi.NULL:
            if not used:
                used = lib.SSL_CTX_use_certificate(context._context, x509) == 1
            elif lib.X509_NAME_cmp(lib.X509_get_subject_name(x509), lib.X509_get_issuer_name(x509)) != 0:
                lib.X509_STORE_add_cert(store, x509)
            lib.X509_free(x509)
    finally:
        lib.BIO_free(bio)
    if used:
        clear_errors()  # the error for the end of the chain
    return used


def use_key(context: SSL.Context, key: bytes) -> bool:
    """Load the key of the certificate that was loaded last; False leaves the reasons in the error queue."""
    private_key = _read_key(key)
    if private_key == ffi.NULL:
        return False
    used: bool = lib.SSL_CTX_use_PrivateKey(context._context, private_key) == 1
    lib.EVP_PKEY_free(private_key)
    return used


def check_key(context: SSL.Context) -> bool:
    """Return True if the last key matches its certificate; otherwise the error queue has the reasons."""
    fits: bool = lib.SSL_CTX_check_private_key(context._context) == 1
    return fits


def key_kind(key: bytes) -> int:
    """Return OpenSSL's number for the kind of a PEM key (RSA, ECDSA, …); 0 leaves the reason in the error queue."""
    private_key = _read_key(key)
    if private_key == ffi.NULL:
        return 0
    kind: int = lib.EVP_PKEY_id(private_key)
    lib.EVP_PKEY_free(private_key)
    return kind


def has_one_digest(key: bytes) -> bool:
    """Return True if a PEM key has only one signature scheme in TLS 1.3 (RFC 8446 §4.2.3)."""
    return key_kind(key) in (_EC, _ED25519, _ED448)


def is_certificate(text: bytes) -> bool:
    """Return True for a PEM certificate; otherwise the error queue has the reasons."""
    bio = lib.BIO_new_mem_buf(from_buffer(text), len(text))
    x509 = lib.PEM_read_bio_X509(bio, ffi.NULL, _no_passphrase, ffi.NULL)
    lib.BIO_free(bio)
    if x509 == ffi.NULL:
        return False
    lib.X509_free(x509)
    return True


def _read_key(key: bytes) -> Any:
    bio = lib.BIO_new_mem_buf(from_buffer(key), len(key))
    private_key = lib.PEM_read_bio_PrivateKey(bio, ffi.NULL, _no_passphrase, ffi.NULL)
    lib.BIO_free(bio)
    return private_key


def is_readable(file: str) -> bool:
    """Return True if a file can be opened; otherwise the error queue has the reasons, except for a refused file."""
    if is_refused(file):
        return False
    bio = lib.BIO_new_file(os.fsencode(file), b"r")
    if bio == ffi.NULL:
        return False
    lib.BIO_free(bio)
    return True


class DhParametersError(TlsproxyError):
    """Parameters that OpenSSL can read but does not use; its error queue has the reason."""


def use_dh(context: SSL.Context, parameters: bytes) -> bool:
    """Use finite-field parameters, PEM, for key exchange up to TLS 1.2; raise `DhParametersError`.

    False leaves in the error queue why they can't be read.
    """
    bio = lib.BIO_new_mem_buf(from_buffer(parameters), len(parameters))
    dh = lib.PEM_read_bio_DHparams(bio, ffi.NULL, ffi.NULL, ffi.NULL)
    lib.BIO_free(bio)
    if dh == ffi.NULL:
        return False
    used = lib.SSL_CTX_set_tmp_dh(context._context, dh)
    lib.DH_free(dh)
    if used != 1:
        raise DhParametersError
    return True


def protocol(ssl: Any) -> str:
    """Return the protocol version, such as TLSv1.3."""
    return _VERSIONS.get(lib.SSL_version(ssl)) or _text(lib.SSL_get_version(ssl))


_VERSIONS = {0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


def cipher(ssl: Any) -> tuple[str, int, int]:
    """Return the cipher's name, and its bits used and possible."""
    return _cipher(lib.SSL_get_current_cipher(ssl))


@cache  # ciphers are constants of the library
def _cipher(cipher: Any) -> tuple[str, int, int]:
    if cipher == ffi.NULL:
        return "", 0, 0
    possible = ffi.new("int *")
    used = lib.SSL_CIPHER_get_bits(cipher, possible)
    return _text(lib.SSL_CIPHER_get_name(cipher)), used, possible[0]


def group(ssl: Any) -> str:
    """Return OpenSSL's name of the key exchange group, such as x25519, or an empty string."""
    # Without a session the library would follow a null pointer.
    return _text(lib.SSL_get0_group_name(ssl)) if lib.SSL_get_session(ssl) else ""


Key = tuple[str, str, int]
"""A key in Postfix's log: its name (RSA-PSS, ECDSA, …), and either its curve or its bits."""

_RSA, _EC, _ED25519, _ED448 = 6, 408, 1087, 1088
_CURVE_NAMES = {"secp256r1": "prime256v1", "secp192r1": "prime192v1"}
_own_keys: dict[Any, Key] = {}
"""By certificate: it belongs to a context, and is the same for thousands of sessions."""
_MAX_OWN_KEYS = 1000


def own_key(ssl: Any) -> Key | None:
    """Return the key of the certificate that we have used, if any."""
    certificate = lib.SSL_get_certificate(ssl)
    key = _own_keys.get(certificate)
    if key is None and certificate:
        if len(_own_keys) >= _MAX_OWN_KEYS:
            _own_keys.clear()
        key = _own_keys[certificate] = _key(certificate)
    return key


def peer_key(ssl: Any) -> Key | None:
    """Return the key of the peer's certificate, if it has sent one."""
    certificate = lib.SSL_get_peer_certificate(ssl)
    if certificate == ffi.NULL:
        return None
    try:
        return _key(certificate)
    finally:
        lib.X509_free(certificate)


def _key(certificate: Any) -> Key:
    key = lib.X509_get_pubkey(certificate)
    if key == ffi.NULL:
        clear_errors()
        return "", "", 0
    try:
        kind = lib.EVP_PKEY_id(key)
        if kind == _RSA:
            return "RSA-PSS", "", lib.EVP_PKEY_bits(key)
        if kind == _EC:
            return "ECDSA", _curve(certificate), 0
        if kind < 0:  # too new to have a number
            return _algorithm(certificate), "", 0
        return _text(lib.OBJ_nid2sn(lib.EVP_PKEY_type(kind))), "", 0
    finally:
        lib.EVP_PKEY_free(key)


def _curve(certificate: Any) -> str:
    key = _public_key(_der(certificate))
    name = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else ""
    return _CURVE_NAMES.get(name, name)


def _algorithm(certificate: Any) -> str:
    """Return the name of an algorithm that only its class has: ML-DSA-65 for MLDSA65PublicKey."""
    name = type(_public_key(_der(certificate))).__name__.removesuffix("PublicKey")
    return f"ML-DSA-{name[5:]}" if name.startswith("MLDSA") else ""


def _der(certificate: Any) -> bytes:
    lib.X509_up_ref(certificate)
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, crypto.X509._from_raw_x509_ptr(certificate))


@lru_cache(maxsize=200)
def _public_key(certificate: bytes) -> object:
    try:
        return load_der_x509_certificate(certificate).public_key()
    except (InvalidVersion, ValueError, UnsupportedAlgorithm):
        return None


_SYSTEM_ERROR = 0x80000000


def log_errors(log: Log) -> None:
    """Log the errors in OpenSSL's queue of this thread, oldest first, in Postfix's format, and empty it.

    The binding lacks the source file, line and extra data that Postfix prints at the end of the line.
    """
    while code := lib.ERR_get_error():
        library = _text(lib.ERR_lib_error_string(code))
        if code & _SYSTEM_ERROR:
            reason = os.strerror(code & ~_SYSTEM_ERROR)
        else:
            reason = _text(lib.ERR_reason_error_string(code)) or f"reason({code & 0x7FFFFF})"
        log.warning(f"TLS library problem: error:{code:08X}:{library}::{reason}:")


def first_error() -> str:
    """Return the reason of the oldest error in OpenSSL's queue, or an empty string; the error remains there."""
    code = lib.ERR_peek_error()
    return _text(lib.ERR_reason_error_string(code)) if code and not code & _SYSTEM_ERROR else ""


def _text(pointer: Any) -> str:
    return ffi.string(pointer).decode("ascii", "replace") if pointer else ""
