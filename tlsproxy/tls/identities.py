"""Private keys and their certificate chains: out of PEM files, into an SSL context (tls_certkey(3)).

Files are read and checked here, before OpenSSL sees them, since only then a message can name the object and the file
that are wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from OpenSSL import SSL

from postconf.files.regular import is_refused, read_regular

from ..log import Log
from .contexts import bare_context
from .openssl import binding
from .settings.errors import IdentityError
from .settings.parameters import CertificateFiles

_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
_KEYS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY")

DISABLING = "disabling TLS support"
ABORTING = "aborting TLS handshake"


class PemObject(NamedTuple):
    """One PEM block: its label, its text, and which object of which file it is (the first is 1)."""

    label: str
    text: bytes
    source: str
    number: int


class Identity(NamedTuple):
    """A key, and its certificate with the issuers behind it; all PEM."""

    key: PemObject
    chain: tuple[PemObject, ...]
    kind: str = ""
    """Of a pair of files: the kind in messages, even if the key is of another one."""

    @property
    def chain_text(self) -> bytes:
        """The chain as one file, the leaf first."""
        return b"".join(each.text for each in self.chain)


def pem_objects(data: bytes, source: str) -> Iterator[PemObject]:
    """Yield the PEM blocks of a file in order; text around them does not count."""
    number = 0
    position = 0
    while (start := data.find(b"-----BEGIN ", position)) >= 0:
        label_end = data.find(b"-----", start + 11)
        label = data[start + 11 : label_end].decode("ascii", "replace")
        marker = f"-----END {label}-----".encode("ascii", "replace")
        end = data.find(marker, start)
        if label_end < 0 or end < 0:
            raise IdentityError(f"error loading chain from {source}: PEM block without an end")
        position = end + len(marker)
        number += 1
        yield PemObject(label, data[start:position] + b"\n", source, number)


def read_chain_files(files: Sequence[str], log: Log, *, origin: str = "") -> list[Identity]:
    """Read files that hold keys, each followed by its chain (smtpd_tls_chain_files); raise `IdentityError`.

    `origin` is the list of files as it is written, for messages.
    """
    objects: list[PemObject] = []
    for path in files:
        objects += pem_objects(_read(path), path)
    return chains(objects, origin or " ".join(files), log)


def chains(objects: Iterable[PemObject], source: str, log: Log) -> list[Identity]:
    """Group objects into identities: a key, its certificate, the issuers, and so on; raise `IdentityError`."""
    identities: list[Identity] = []
    key: PemObject | None = None
    certificates: list[PemObject] = []
    for each in objects:
        if each.label in _KEYS:
            if key is not None and not certificates:
                raise IdentityError(
                    "error loading certificate chain: "
                    f"key at index {key.number} in {key.source} not followed by a certificate"
                )
            if key is not None:
                identities.append(Identity(key, tuple(certificates)))
            key, certificates = each, []
        elif each.label in _CERTIFICATES:
            if key is None:
                raise IdentityError(f"error loading chain from {each.source}: key not first")
            certificates.append(each)
        else:
            log.warning(f"loading {each.source}: ignoring PEM type: {each.label}")
    if key is None:
        raise IdentityError(f"No PEM data in {source}")
    if not certificates:
        raise IdentityError(f"No certs for key at index {key.number} in {key.source}")
    identities.append(Identity(key, tuple(certificates)))
    return identities


def read_pair(kind: str, cert_file: str, key_file: str, log: Log) -> Identity:
    """Read a certificate file and a key file, which may be the same; raise `IdentityError`."""
    if cert_file == key_file:
        return _read_mixed(kind, cert_file, log)
    cannot_get = f'cannot get {kind} {{}} from file "{{}}": {DISABLING}'
    certificates = _objects_of(cert_file, _CERTIFICATES)
    if not certificates:
        raise IdentityError(cannot_get.format("certificate", cert_file), kind)
    keys = _objects_of(key_file, _KEYS)
    if not keys:
        raise IdentityError(cannot_get.format("private key", key_file), kind)
    return Identity(keys[0], tuple(certificates), kind)


def _read_mixed(kind: str, path: str, log: Log) -> Identity:
    """Read a file with one key anywhere between its certificates."""
    try:
        objects = list(pem_objects(_read(path), path))
    except IdentityError as error:
        raise IdentityError(str(error), kind) from None
    keys = [each for each in objects if each.label in _KEYS]
    certificates = [each for each in objects if each.label in _CERTIFICATES]
    for extra in keys[1:]:
        log.warning(f"ignoring 2nd key at index {extra.number} in {path} after 1st at {keys[0].number}")
    if keys and certificates:
        return Identity(keys[0], tuple(certificates))
    if keys:
        log.warning(f"No certs for key at index {keys[0].number} in {path}")
    else:
        log.warning(f"No private key found in {path}" if certificates else f"No PEM data in {path}")
    raise IdentityError(f"error loading private keys and certificates from: {path}: {DISABLING}", kind)


def read_configured(files: CertificateFiles, log: Log) -> list[Identity]:
    """Read the files that the settings of a role name, and try them; raise `IdentityError`.

    Empty if no file is named.
    """
    if not files.text:
        identities = [read_pair(*pair, log) for pair in files.pairs]
    else:
        try:
            identities = read_chain_files(files.chain_files, log, origin=files.text)
        except IdentityError as error:
            log.warning(str(error))
            message = f"error loading private keys and certificates from: {files.text}: {DISABLING}"
            raise IdentityError(message) from None
    use_identities(bare_context(), identities, files.text, log)
    return identities


def use_identities(
    context: SSL.Context, identities: Sequence[Identity], origin: str, log: Log, *, consequence: str = DISABLING
) -> None:
    """Let connections of a context use these identities; raise `IdentityError`.

    `origin` is where chains come from, for the last message about one that can't be used.
    """
    kinds: set[int] = set()
    for position, each in enumerate(identities, 1):
        binding.clear_errors()
        if each.kind:
            _use_pair(context, each)
            continue
        kind = binding.key_kind(each.key.text)
        problem = _undecodable(each, kind) or _use_chain(context, each, last=position == len(identities))
        if kind in kinds:
            log.warning(f"there is more than one key of the same kind in {origin}")
        if problem or kind in kinds:
            log.warning(problem or _mismatch(each.key, last=position == len(identities)))
            binding.log_errors(log)
            raise IdentityError(
                f"error loading private keys and certificates from: {origin or each.key.source}: {consequence}"
            )
        kinds.add(kind)


def _use_pair(context: SSL.Context, identity: Identity) -> None:
    word, leaf, key = identity.kind, identity.chain[0], identity.key
    if not binding.use_certificates(context, identity.chain_text):
        raise IdentityError(f'cannot get {word} certificate from file "{leaf.source}": {DISABLING}', word)
    if not binding.use_key(context, key.text):
        raise IdentityError(f'cannot get {word} private key from file "{key.source}": {DISABLING}', word)
    if not binding.check_key(context):
        binding.clear_errors()  # Postfix does not log them here
        message = f"{word} private key in {key.source} does not match public key in {leaf.source}: {DISABLING}"
        raise IdentityError(message, word)


def _undecodable(identity: Identity, kind: int) -> str:
    """Return the error of the first object that can't be read, or ""; OpenSSL's reasons stay in its queue."""
    if not kind:
        return f"error loading private key (PEM object number {identity.key.number}) from {identity.key.source}"
    for each in identity.chain:
        if not binding.is_certificate(each.text):
            return f"error loading certificate (PEM object number {each.number}) from {each.source}"
    return ""


def _use_chain(context: SSL.Context, identity: Identity, *, last: bool) -> str:
    used = binding.use_certificates(context, identity.chain_text) and binding.use_key(context, identity.key.text)
    return "" if used and binding.check_key(context) else _mismatch(identity.key, last=last)


def _mismatch(key: PemObject, *, last: bool) -> str:
    if last:
        return f"key at index {key.number} in {key.source} does not match next certificate"
    return f"error loading certificate chain: key at index {key.number} in {key.source} does not match the certificate"


def _objects_of(path: str, labels: tuple[str, ...]) -> list[PemObject]:
    binding.clear_errors()
    if is_refused(path):
        raise IdentityError(f"error opening {path}: Not a regular file: {DISABLING}")
    if not binding.is_readable(path):
        return []
    data = _read(path)
    found = [each for each in pem_objects(data, path) if each.label in labels]
    if not found:
        binding.is_certificate(data)  # for the reason
    return found


def _read(path: str) -> bytes:
    try:
        return read_regular(path)
    except IsADirectoryError:
        return b""  # which Postfix can open
    except OSError as error:
        raise IdentityError(f"error opening chain file: {path}: {error.strerror}") from None
