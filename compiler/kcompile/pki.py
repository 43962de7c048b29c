"""Kubernetes' certificates: kubeadm's table of them, and X.509 issuing that gives the same bytes each time.

Source of the table: kubeadm, ``cmd/kubeadm/app/phases/certs/certlist.go`` and ``phases/kubeconfig``.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kcompile import network
from kcompile.secret import Secret

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
AuthorityName = Literal["kubernetes", "etcd", "front-proxy"]


@dataclass(frozen=True, slots=True)
class AuthorityRow:
    """One certificate authority: its common name and where its files stand below certificatesDir."""

    name: AuthorityName
    common_name: str
    path: str


AUTHORITIES = (
    AuthorityRow("kubernetes", "kubernetes", "ca"),
    AuthorityRow("etcd", "etcd-ca", "etcd/ca"),
    AuthorityRow("front-proxy", "front-proxy-ca", "front-proxy-ca"),
)

_BACKDATE = timedelta(minutes=5)

Sans = Literal["none", "apiserver", "etcd-server", "etcd-peer"]


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """One of a control-plane host's certificates below certificatesDir. ``{node}`` stands for the node's name."""

    name: str
    authority: AuthorityName
    common_name: str
    client: bool = False
    server: bool = False
    sans: Sans = "none"


CERTIFICATES = (
    CertificateRow("apiserver", "kubernetes", "kube-apiserver", server=True, sans="apiserver"),
    CertificateRow("apiserver-kubelet-client", "kubernetes", "kube-apiserver-kubelet-client", client=True),
    CertificateRow("front-proxy-client", "front-proxy", "front-proxy-client", client=True),
    CertificateRow("etcd/server", "etcd", "{node}", client=True, server=True, sans="etcd-server"),
    CertificateRow("etcd/peer", "etcd", "{node}", client=True, server=True, sans="etcd-peer"),
    CertificateRow("etcd/healthcheck-client", "etcd", "kube-etcd-healthcheck-client", client=True),
    CertificateRow("apiserver-etcd-client", "etcd", "kube-apiserver-etcd-client", client=True),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a leaf certificate is to say."""

    common_name: str
    organization: str | None = None
    client: bool = False
    server: bool = False
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Issuer:
    """An authority that signs: its certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey
    key_identifier: x509.SubjectKeyIdentifier


_CURVES: dict[str, ec.EllipticCurve] = {"ECDSA-P256": ec.SECP256R1(), "ECDSA-P384": ec.SECP384R1()}
_CURVE_ORDERS = {
    # SEC 2, sections 2.4.2 and 2.5.1
    "ECDSA-P256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ECDSA-P384": int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16
    ),
}


def is_derivable(algorithm: str) -> bool:
    """Whether keys of an algorithm can be derived: those of elliptic curves can, RSA's cannot."""
    return algorithm in _CURVES


def generate_key(algorithm: str) -> PrivateKey:
    """A random key of one of the spec's algorithms."""
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    return rsa.generate_private_key(65537, int(algorithm.removeprefix("RSA-")))


def derive_key(root: bytes, algorithm: str, label: tuple[str, ...]) -> ec.EllipticCurvePrivateKey:
    """The elliptic-curve key that a label names below a root secret.

    HKDF-SHA256 (RFC 5869) gives 64 bits more than the curve's order has; the scalar is that number modulo
    n - 1, plus 1 (FIPS 186-5, A.2.1, extra random bits). Every part of the label is length-prefixed.
    """
    order = _CURVE_ORDERS[algorithm]
    info = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in (*label, algorithm))
    length = (order.bit_length() + 64) // 8
    wide = HKDF(hashes.SHA256(), length, salt=b"kcompile.dev/v1 leaf key", info=info).derive(root)
    return ec.derive_private_key(int.from_bytes(wide, "big") % (order - 1) + 1, _CURVES[algorithm])


def key_pem(key: PrivateKey) -> Secret:
    """A private key as kubeadm writes it: SEC 1 for EC, PKCS #1 for RSA (client-go's keyutil)."""
    return Secret(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )


def public_key_pem(key: PublicKey | ed25519.Ed25519PublicKey) -> bytes:
    """A public key as SubjectPublicKeyInfo in PEM."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def load_private_key(pem: Secret) -> PrivateKey:
    """A PEM private key of a kind that Kubernetes uses. Raises ValueError.

    OpenSSL's own check of an RSA key tests its primes again, 40 ms for each of a cluster's keys. Keys come from a file
    that is authenticated, so that its arithmetic is enough to tell a key that was damaged or put together.
    """
    try:
        key = serialization.load_pem_private_key(pem.reveal(), password=None, unsafe_skip_rsa_key_validation=True)
    except (TypeError, ValueError):
        raise ValueError("not a PEM private key without a passphrase") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("neither an RSA nor an EC key")
    if isinstance(key, rsa.RSAPrivateKey) and not _holds_together(key.private_numbers()):
        raise ValueError("an RSA key whose numbers do not belong together")
    return key


def _holds_together(key: rsa.RSAPrivateNumbers) -> bool:
    """Whether an RSA key's numbers fit each other (RFC 8017, 3.2)."""
    p, q, e = key.p, key.q, key.public_numbers.e
    return (
        p > 1
        and q > 1
        and p * q == key.public_numbers.n
        and key.d * e % (p - 1) == 1
        and key.d * e % (q - 1) == 1
        and (key.dmp1, key.dmq1) == (key.d % (p - 1), key.d % (q - 1))
        and key.iqmp * q % p == 1
    )


def is_chain(pem: str) -> bool:
    """Whether there are several certificates in a text."""
    return pem.count("-----BEGIN CERTIFICATE-----") > 1


def load_request(pem: bytes) -> x509.CertificateSigningRequest:
    """A PEM signing request. Raises ValueError."""
    return x509.load_pem_x509_csr(pem)


def load_certificate(pem: str) -> x509.Certificate:
    """A PEM certificate. Raises ValueError."""
    return x509.load_pem_x509_certificate(pem.encode())


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """A certificate in PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def algorithm_of(key: PrivateKey | PublicKey) -> str:
    """A key's type and size, as a spec names it."""
    kind = "RSA-" if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey) else "ECDSA-P"
    return f"{kind}{key.key_size}"


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether a certificate may sign others."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    try:
        return basic.ca and certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return basic.ca


def load_public_key(pem: str) -> PublicKey:
    """A PEM public key of a kind that Kubernetes uses. Raises ValueError."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a PEM public key") from None
    if not isinstance(key, PublicKey):
        raise ValueError("is neither an RSA nor an EC key")
    return key


def same_public_key(one: object, other: object) -> bool:
    """Whether two public keys are the same key."""
    return isinstance(one, PublicKey) and isinstance(other, PublicKey) and public_key_pem(one) == public_key_pem(other)


def public_key_hash(certificate: x509.Certificate) -> str:
    """Kubeadm's discovery-token-ca-cert-hash: sha256 of the SubjectPublicKeyInfo in DER."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"sha256:{hashlib.sha256(spki).hexdigest()}"


def _signature_hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    """Go's choice: SHA-384 with P-384, SHA-256 otherwise (crypto/x509, signingParamsForKey)."""
    large = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size == 384
    return hashes.SHA384() if large else hashes.SHA256()


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return builder.sign(key, _signature_hash(key), ecdsa_deterministic=True)  # RFC 6979
    return builder.sign(key, _signature_hash(key))


def _serial(*content: object) -> int:
    """A positive serial of at most 159 bits, a digest of what the certificate says (RFC 5280, 4.1.2.2)."""
    digest = hashlib.sha256()
    for part in content:
        data = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return (int.from_bytes(digest.digest(), "big") >> (256 - 159)) | 1


@lru_cache(maxsize=4)
def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str, organization: str | None) -> x509.Name:
    # A node's name may be longer than X.520 lets a common name be; Go, and so kubeadm, does not mind.
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name, _validate=False)]
    if organization is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def issue_authority(row: AuthorityRow, key: PrivateKey, not_before: datetime, not_after: datetime) -> x509.Certificate:
    """A self-signed authority as kubeadm makes it (client-go's cert.NewSelfSignedCACert)."""
    name = _name(row.common_name, None)
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(_serial("authority", row.name, public_key_pem(public), not_before, not_after))
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(row.common_name)]), critical=False)
    )
    return _sign(builder, key)


def load_issuer(certificate: x509.Certificate, key: PrivateKey) -> Issuer:
    """An authority ready to sign. Its key identifier is its certificate's, or computed where it has none."""
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return Issuer(certificate, key, identifier)


@lru_cache(maxsize=1)
def _stand_in_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505 - nothing that it signs is ever used


def unsigned(
    request: Request, public_key: PublicKey, authority: x509.Certificate, not_before: datetime, not_after: datetime
) -> x509.Certificate:
    """The certificate that an authority would issue, but for its signature: that of a key which is no secret."""
    public = authority.public_key()
    curve = public.curve if isinstance(public, ec.EllipticCurvePublicKey) else None
    key = ec.derive_private_key(1, curve) if curve else _stand_in_rsa_key()
    return issue(request, public_key, load_issuer(authority, key), not_before, not_after)


def is_issued(found: x509.Certificate, wanted: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether a certificate is the wanted one, in every byte that is signed, and the authority signed it."""
    return found.tbs_certificate_bytes == wanted.tbs_certificate_bytes and is_signed_by(found, authority)


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether an authority signed a certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def issue(
    request: Request, public_key: PublicKey, issuer: Issuer, not_before: datetime, not_after: datetime
) -> x509.Certificate:
    """A leaf certificate as kubeadm makes it (pkiutil.NewSignedCert). It never outlives its authority."""
    not_after = min(not_after, issuer.certificate.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(request.common_name, request.organization))
        .issuer_name(issuer.certificate.subject)
        .public_key(public_key)
        .serial_number(
            _serial(request, issuer.key_identifier.digest, public_key_pem(public_key), not_before, not_after)
        )
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(_extended_key_usage(request), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer.key_identifier), critical=False
        )
    )
    names = _subject_alternative_names(request)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return _sign(builder, issuer.key)


def _subject_alternative_names(request: Request) -> x509.SubjectAlternativeName | None:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in request.dns_names]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in request.ip_addresses]
    return x509.SubjectAlternativeName(names) if names else None


def _extended_key_usage(request: Request) -> x509.ExtendedKeyUsage:
    usages = [ExtendedKeyUsageOID.SERVER_AUTH] * request.server + [ExtendedKeyUsageOID.CLIENT_AUTH] * request.client
    return x509.ExtendedKeyUsage(usages)


def signing_request(request: Request, key: PrivateKey) -> x509.CertificateSigningRequest:
    """A PKCS #10 request for a leaf, with the extensions that the certificate is to have; the same bytes each time."""
    builder = x509.CertificateSigningRequestBuilder(
        subject_name=_name(request.common_name, request.organization),
        extensions=[
            x509.Extension(x509.KeyUsage.oid, critical=True, value=_key_usage(authority=False)),
            x509.Extension(x509.ExtendedKeyUsage.oid, critical=False, value=_extended_key_usage(request)),
        ],
    )
    names = _subject_alternative_names(request)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return builder.sign(key, _signature_hash(key), ecdsa_deterministic=True)
    return builder.sign(key, _signature_hash(key))


def request_pem(request: x509.CertificateSigningRequest) -> bytes:
    """A signing request in PEM."""
    return request.public_bytes(serialization.Encoding.PEM)


_READ_BY_GO = (
    x509.KeyUsage.oid,
    x509.SubjectAlternativeName.oid,
    x509.BasicConstraints.oid,
    x509.NameConstraints.oid,
    x509.CertificatePolicies.oid,
    x509.ExtendedKeyUsage.oid,
)
"""Extensions that Go's crypto/x509 takes when they are critical; with another one it verifies no certificate."""


def faults(certificate: x509.Certificate, request: Request, authority: x509.Certificate) -> list[str]:
    """In what a certificate that was signed elsewhere is not what was asked for."""
    found = []
    if not is_signed_by(certificate, authority):
        found.append("was not signed by the authority")
    if set(certificate.subject) != set(_name(request.common_name, request.organization)):
        wanted = _name(request.common_name, request.organization).rfc4514_string()
        found.append(f"has the subject {certificate.subject.rfc4514_string()}, not {wanted}")
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begins >= ends:
        found.append("ends before it begins")
    if begins < authority.not_valid_before_utc:
        found.append(f"is valid from {begins:%Y-%m-%dT%H:%M:%SZ}, earlier than its authority")
    if ends > authority.not_valid_after_utc:
        found.append(f"is valid until {ends:%Y-%m-%dT%H:%M:%SZ}, longer than its authority")
    extensions = {extension.oid: extension.value for extension in certificate.extensions}
    usages = extensions.get(x509.ExtendedKeyUsage.oid)
    missing = [usage for usage in _extended_key_usage(request) if usages is None or usage not in list(usages)]
    if missing:
        found.append(f"lacks the extended key usage {', '.join(usage._name for usage in missing)}")
    usage = extensions.get(x509.KeyUsage.oid)
    if not isinstance(usage, x509.KeyUsage) or not usage.digital_signature:
        found.append("lacks the key usage digitalSignature")
    names = _subject_alternative_names(request)
    own = extensions.get(x509.SubjectAlternativeName.oid)
    wanted_names = list(names or ())
    own_names = list(own) if isinstance(own, x509.SubjectAlternativeName) else []
    lacking = [str(name.value) for name in wanted_names if name not in own_names]
    if lacking:
        found.append(f"lacks the names {', '.join(lacking)}")
    more = [str(name.value) for name in own_names if name not in wanted_names]
    if more:
        found.append(f"has names that were not asked for, {', '.join(more)}")
    unknown = [e.oid.dotted_string for e in certificate.extensions if e.critical and e.oid not in _READ_BY_GO]
    if unknown:
        found.append(f"has a critical extension that no component of Kubernetes reads, {', '.join(unknown)}")
    basic = extensions.get(x509.BasicConstraints.oid)
    if isinstance(basic, x509.BasicConstraints) and basic.ca:
        found.append("is an authority itself")
    return found


def validity(issued_at: datetime, period: timedelta) -> tuple[datetime, datetime]:
    """NotBefore and notAfter of a certificate.

    kubeadm dates certificates back by five minutes and counts the period from the present, so that they live
    five minutes longer than it (kubeadmconstants.CertificateBackdate). ``issued_at`` is the backdated moment.
    """
    return issued_at, issued_at + _BACKDATE + period


def split_sans(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Alternative names as kubeadm orders them: DNS names sorted, addresses in their order, each once."""
    dns = sorted({name for name in names if not network.is_ip(name)})
    return tuple(dns), tuple(dict.fromkeys(name for name in names if network.is_ip(name)))
