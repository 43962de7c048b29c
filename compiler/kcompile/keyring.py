"""Every key and certificate of a cluster, from the secrets file and by derivation from it.

An elliptic-curve leaf key is derived from its authority's private key; an RSA one, which cannot be derived
that way, stands in the secrets file. docs/adr/0003 states why derivation gives nothing away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kcompile import network, pki, timefmt
from kcompile.errors import Path, Problem, SecretsError
from kcompile.hosts import Host, ResolvedCluster
from kcompile.manifest import Authority, ClusterSecrets
from kcompile.secret import Secret

OPERATOR = "_operator"
"""The host part of the operator's own credentials: no node can have this name."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: Secret
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf certificate that a cluster needs: for which host, its name there, its authority and its content."""

    host: str
    name: str
    authority: pki.AuthorityName
    request: pki.Request

    @property
    def key_name(self) -> str:
        """The name of its entry among the secrets file's leafKeys."""
        return f"{self.host}/{self.name}"


def admin_organization(cluster: ResolvedCluster) -> str:
    """The group of admin.conf: bound by RBAC where super-admin.conf exists, else all-powerful itself."""
    return "kubeadm:cluster-admins" if cluster.version.has_super_admin_conf else "system:masters"


def _sans(cluster: ResolvedCluster, host: Host, kind: pki.Sans) -> tuple[tuple[str, ...], tuple[str, ...]]:
    spec = cluster.cluster.spec
    if kind == "none":
        return (), ()
    if kind == "apiserver":
        domain = spec.networking.dns_domain
        endpoint = (
            () if spec.control_plane_endpoint is None else (network.split_endpoint(spec.control_plane_endpoint).host,)
        )
        service = "kubernetes.default.svc"
        own = (host.name, "kubernetes", "kubernetes.default", service, f"{service}.{domain}")
        return pki.split_sans((*own, cluster.api_service_address, host.address, *endpoint, *host.settings.cert_sans))
    local = spec.etcd.local
    further = () if local is None else local.server_cert_sans if kind == "etcd-server" else local.peer_cert_sans
    return pki.split_sans((host.name, "localhost", host.address, "127.0.0.1", "::1", *further))


def control_plane_leaves(cluster: ResolvedCluster, host: Host) -> Iterator[Leaf]:
    """The certificates below a control-plane host's certificatesDir."""
    for row in pki.CERTIFICATES:
        if row.authority == "etcd" and not cluster.has_local_etcd:
            continue
        dns, ips = _sans(cluster, host, row.sans)
        yield Leaf(
            host.name,
            row.name,
            row.authority,
            pki.Request(
                common_name=row.common_name.format(node=host.name),
                organization=cluster.version.organizations.get(row.name),
                client=row.client,
                server=row.server,
                dns_names=dns,
                ip_addresses=ips,
            ),
        )


def client_leaf(host: str, name: str, user: str, group: str | None = None) -> Leaf:
    """A client certificate of the cluster's own authority, for a kubeconfig."""
    return Leaf(host, name, "kubernetes", pki.Request(user, group, client=True))


def kubeconfig_leaves(cluster: ResolvedCluster, host: Host) -> dict[str, Leaf]:
    """The client certificates of a control-plane host's kubeconfigs, by file name, without the kubelet's."""
    leaves = [
        client_leaf(host.name, "admin.conf", "kubernetes-admin", admin_organization(cluster)),
        client_leaf(host.name, "controller-manager.conf", "system:kube-controller-manager"),
        client_leaf(host.name, "scheduler.conf", "system:kube-scheduler"),
    ]
    if cluster.version.has_super_admin_conf and host.control_plane_index == 0:
        leaves.insert(1, super_admin_leaf(host.name))
    return {leaf.name: leaf for leaf in leaves}


def super_admin_leaf(host: str) -> Leaf:
    """The client certificate that RBAC cannot refuse."""
    return client_leaf(host, "super-admin.conf", "kubernetes-super-admin", "system:masters")


def operator_leaves(cluster: ResolvedCluster) -> dict[str, Leaf]:
    """The client certificates of the operator's own kubeconfigs, by file name."""
    leaves = [client_leaf(OPERATOR, "admin.conf", "kubernetes-admin", admin_organization(cluster))]
    if cluster.version.has_super_admin_conf:
        leaves.append(super_admin_leaf(OPERATOR))
    return {leaf.name: leaf for leaf in leaves}


def kubelet_leaf(host: Host) -> Leaf:
    """A kubelet's client certificate."""
    return client_leaf(host.name, "kubelet-client", f"system:node:{host.name}", "system:nodes")


def kubelet_serving_leaf(host: Host) -> Leaf:
    """A kubelet's serving certificate, as the kubelet asks for it itself: user, group, names and addresses."""
    dns, ips = pki.split_sans((host.name, *host.addresses))
    request = pki.Request(f"system:node:{host.name}", "system:nodes", server=True, dns_names=dns, ip_addresses=ips)
    return Leaf(host.name, "kubelet-server", "kubernetes", request)


def stored_leaves(cluster: ResolvedCluster, secrets: ClusterSecrets) -> list[Leaf]:
    """The leaf certificates whose keys must stand in the secrets file: none of them can be derived."""
    derivable = pki.is_derivable(cluster.cluster.spec.key_algorithm)
    return [leaf for leaf in leaves(cluster) if not derivable or signs_elsewhere(secrets, leaf.authority)]


def signs_elsewhere(secrets: ClusterSecrets, name: pki.AuthorityName) -> bool:
    """Whether an authority's key is not in the secrets file (sealed or not)."""
    return any(entry.state == "active" and entry.key is None for entry in secrets.authorities.named(name))


def leaves(cluster: ResolvedCluster) -> Iterator[Leaf]:
    """Every leaf certificate of a cluster."""
    for host in cluster.control_plane:
        yield from control_plane_leaves(cluster, host)
        yield from kubeconfig_leaves(cluster, host).values()
        yield kubelet_leaf(host)
    for host in cluster.workers:
        if host.settings.credentials == "issued":
            yield kubelet_leaf(host)
            yield kubelet_serving_leaf(host)
    yield from operator_leaves(cluster).values()


class Keyring:
    """The keys and certificates of one cluster. Made from an opened secrets file; asks nothing of the world."""

    def __init__(self, cluster: ResolvedCluster, secrets: ClusterSecrets) -> None:
        self._cluster = cluster
        self._secrets = secrets
        pki_spec = cluster.cluster.spec.pki
        self._algorithm = cluster.cluster.spec.key_algorithm
        self._issued_at = pki_spec.issued_at
        period = timefmt.timedelta_of(pki_spec.certificate_validity_period)
        self._not_before, self._not_after = pki.validity(timefmt.parse_timestamp(pki_spec.issued_at), period)
        self._leaf_keys = {entry.name: entry for entry in secrets.leaf_keys}
        self._issuers: dict[str, pki.Issuer] = {}
        self._roots: dict[str, bytes] = {}
        self._issued: dict[Leaf, Credential] = {}

    @property
    def issued(self) -> dict[Leaf, Credential]:
        """What has been issued so far."""
        return self._issued

    def active(self, name: pki.AuthorityName) -> Authority:
        """The authority that signs."""
        return next(a for a in self._secrets.authorities.named(name) if a.state == "active")

    def is_external(self, name: pki.AuthorityName) -> bool:
        """Whether the authority signs elsewhere: its key is not in the secrets file."""
        return self.active(name).key is None

    def authority_key(self, name: pki.AuthorityName) -> Secret:
        """The active authority's private key, PEM as kubeadm writes it."""
        return pki.key_pem(self._issuer(name).key)

    def certificates(self, name: pki.AuthorityName) -> list[x509.Certificate]:
        """The authorities to believe, the active one first."""
        entries = sorted(self._secrets.authorities.named(name), key=lambda a: a.state != "active")
        return [pki.load_certificate(entry.certificate) for entry in entries]

    def bundle(self, name: pki.AuthorityName) -> bytes:
        """The authorities to believe, as PEM."""
        return b"".join(map(pki.certificate_pem, self.certificates(name)))

    def discovery_hashes(self) -> list[str]:
        """The values of ``kubeadm join --discovery-token-ca-cert-hash``."""
        return [pki.public_key_hash(certificate) for certificate in self.certificates("kubernetes")]

    def _issuer(self, name: pki.AuthorityName) -> pki.Issuer:
        if name not in self._issuers:
            entry = self.active(name)
            if not isinstance(entry.key, Secret):
                raise SecretsError(_missing_key(("authorities", name), f"the active {name} authority has no key"))
            certificate = pki.load_certificate(entry.certificate)
            self._issuers[name] = pki.load_issuer(certificate, pki.load_private_key(entry.key))
            self._roots[name] = _root(self._issuers[name].key)
        return self._issuers[name]

    def _stored_key(self, leaf: Leaf) -> pki.PrivateKey:
        entry = self._leaf_keys.get(leaf.key_name)
        if entry is None or not isinstance(entry.key, Secret):
            raise SecretsError(_missing_key(("leafKeys",), f"there is no key for {leaf.key_name}"))
        return pki.load_private_key(entry.key)

    def _leaf_key(self, leaf: Leaf) -> pki.PrivateKey:
        if not pki.is_derivable(self._algorithm):
            return self._stored_key(leaf)
        authority = self.active(leaf.authority)
        label = (self._cluster.name, authority.id, leaf.name, leaf.host, self._issued_at)
        return pki.derive_key(self._roots[leaf.authority], self._algorithm, label)

    def _issue(self, leaf: Leaf) -> tuple[x509.Certificate, pki.PrivateKey]:
        if self.is_external(leaf.authority):
            entry = self._leaf_keys.get(leaf.key_name)
            if entry is None or entry.certificate is None:
                raise SecretsError(_missing_key(("leafKeys",), f"there is no certificate for {leaf.key_name}"))
            return pki.load_certificate(entry.certificate), self._stored_key(leaf)
        issuer = self._issuer(leaf.authority)
        key = self._leaf_key(leaf)
        return pki.issue(leaf.request, key.public_key(), issuer, self._not_before, self._not_after), key

    def signing_request(self, leaf: Leaf) -> x509.CertificateSigningRequest:
        """What an authority elsewhere is asked to sign."""
        return pki.signing_request(leaf.request, self._stored_key(leaf))

    def credential(self, leaf: Leaf) -> Credential:
        """A leaf's certificate and key."""
        if leaf not in self._issued:
            certificate, key = self._issue(leaf)
            self._issued[leaf] = Credential(
                pki.certificate_pem(certificate),
                pki.key_pem(key),
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
            )
        return self._issued[leaf]

    def service_account_key(self) -> Secret:
        """The private key that signs service-account tokens, PEM."""
        entry = next(e for e in self._secrets.service_account_keys if e.state == "active")
        if not isinstance(entry.key, Secret):
            raise SecretsError(_missing_key(("serviceAccountKeys",), "the active service-account key is missing"))
        return pki.key_pem(pki.load_private_key(entry.key))

    def service_account_public_keys(self) -> bytes:
        """The public keys that verify service-account tokens, the signing one first, PEM."""
        entries = sorted(self._secrets.service_account_keys, key=lambda e: e.state != "active")
        return b"".join(pki.public_key_pem(pki.load_public_key(entry.public_key)) for entry in entries)

    def token_secret(self, token_id: str) -> Secret:
        """The secret half of a bootstrap token."""
        for entry in self._secrets.bootstrap_tokens:
            if entry.id == token_id and isinstance(entry.secret, Secret):
                return entry.secret
        raise SecretsError(_missing_key(("bootstrapTokens",), f"there is no secret for token {token_id}"))

    @property
    def manifest_signer(self) -> str:
        """The public key (PEM) of whoever signs the tree's manifest."""
        return self._secrets.manifest_signing.public_key

    def sign_manifest(self, content: bytes) -> bytes:
        """The Ed25519 signature of the tree's manifest."""
        signing = self._secrets.manifest_signing
        if not isinstance(signing.key, Secret):
            raise SecretsError(_missing_key(("manifestSigning",), "the manifest's signing key is missing"))
        key = serialization.load_pem_private_key(signing.key.reveal(), password=None)
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise SecretsError(_missing_key(("manifestSigning",), "the manifest's signing key is not an Ed25519 key"))
        return key.sign(content)


def _missing_key(path: Path, message: str) -> Problem:
    return Problem(
        "K0920", message, path, "restore the secrets file from git; `kcompile secrets update` adds what is new"
    )


def _root(key: pki.PrivateKey) -> bytes:
    """The input of key derivation: an EC key's scalar, or an RSA key in PKCS #8."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.private_numbers().private_value.to_bytes((key.curve.key_size + 7) // 8, "big")
    numbers = key.private_numbers()
    if numbers.p < numbers.q:  # the same key in the other order of its primes gives the same root
        numbers = rsa.RSAPrivateNumbers(
            numbers.q,
            numbers.p,
            numbers.d,
            numbers.dmq1,
            numbers.dmp1,
            rsa.rsa_crt_iqmp(numbers.q, numbers.p),
            numbers.public_numbers,
        )
        key = numbers.private_key()
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
