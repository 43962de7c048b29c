"""A build without keys: what they would make is taken from the tree that stands, and looked at instead.

What anyone can tell without a key: of a certificate, everything but whose key is in it, since an authority's signature
can be verified and all that it covers is known; of a sealed file, everything but what is encrypted. With these taken as
they stand, the rest of a tree can be compiled anew, byte for byte.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import warnings
from collections.abc import Iterator, Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from kcompile import meaning, pki, sops
from kcompile.artifact import Artifact, SealedYaml, TreeFile
from kcompile.emit.kubeconfigs import KUBELET_SERVING, kubelet_serving_is_rotated
from kcompile.hosts import KUBERNETES_DIR, ResolvedCluster
from kcompile.keyring import OPERATOR, Credential, Keyring, Leaf, control_plane_leaves, kubelet_serving_leaf
from kcompile.manifest import ClusterSecrets
from kcompile.meaning import CREDENTIALS, Difference
from kcompile.secret import Secret

_CLIENT_CERTIFICATE = re.compile(rb"^ +client-certificate-data: ([A-Za-z0-9+/=]+)$", re.MULTILINE)
_ANNOTATION = re.compile(rb"^ *" + re.escape(CREDENTIALS.encode()) + rb": .*\n", re.MULTILINE)
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What reading a damaged certificate raises, at once or only where it is damaged."""
_UNKNOWN = Secret(b"unknown-to-onlookers")
"""Stands where a secret does; it is looked at by nobody."""
_UNKNOWN_TOKEN = Secret(b"0" * 16)


class Witness(Keyring):
    """The certificates of a tree, each verified. ``faults`` has what is wrong with them, by path in the tree."""

    def __init__(
        self, cluster: ResolvedCluster, secrets: ClusterSecrets, files: Mapping[str, bytes], signature: bytes
    ) -> None:
        super().__init__(cluster, secrets)
        self._files = files
        self._signature = signature
        self._places = dict(_places(cluster))
        self.faults: dict[str, str] = {}
        self.verified = 0
        """How many certificates were looked at."""

    def authority_key(self, name: pki.AuthorityName) -> Secret:  # noqa: ARG002 - nobody has one
        """Nobody's key."""
        return _UNKNOWN

    def service_account_key(self) -> Secret:
        """Nobody's key."""
        return _UNKNOWN

    def token_secret(self, token_id: str) -> Secret:  # noqa: ARG002 - nobody knows one
        """No token's secret."""
        return _UNKNOWN_TOKEN

    def sign_manifest(self, content: bytes) -> bytes:  # noqa: ARG002 - it was signed
        """The signature that stands. Whether it is right is another question."""
        return self._signature

    def credential(self, leaf: Leaf) -> Credential:
        """A leaf's certificate as it stands in the tree, with nobody's key."""
        if leaf not in self._issued:
            self._issued[leaf] = self._looked_at(leaf)
        return self._issued[leaf]

    def _looked_at(self, leaf: Leaf) -> Credential:
        if self.is_external(leaf.authority):
            entry = self._leaf_keys[leaf.key_name]
            signed = pki.load_certificate(entry.certificate or "")
            pem = pki.certificate_pem(signed)
            return Credential(pem, _UNKNOWN, signed.not_valid_before_utc, signed.not_valid_after_utc)
        authority = self.certificates(leaf.authority)[0]
        until = min(self._not_after, authority.not_valid_after_utc)
        place = self._places.get(leaf) or _kubeconfig_place(leaf)
        pem = b"unknown\n"
        if place is not None and place not in self._files:
            self.faults[place] = "is missing"
        elif place is not None:  # and it is not sealed together with its key
            pem = _certificate_in(place, self._files[place]) or pem
            self.verified += 1
            try:
                with warnings.catch_warnings():  # what is odd about a certificate is a fault, and told as such
                    warnings.simplefilter("ignore")
                    found = pki.load_certificate(pem.decode("utf-8", "replace"))
                    pem, fault = pki.certificate_pem(found), self._fault(leaf, found, authority)
            except _UNREADABLE:
                fault = "holds no certificate that can be read"
            if fault is not None:
                self.faults[place] = fault
        return Credential(pem, _UNKNOWN, self._not_before, until)

    def _fault(self, leaf: Leaf, found: x509.Certificate, authority: x509.Certificate) -> str | None:
        """In what a certificate is not the one that a build would issue."""
        key = found.public_key()
        if not isinstance(key, pki.PublicKey) or pki.algorithm_of(key) != self._algorithm:
            return f"its certificate's key is not {self._algorithm}"
        wanted = pki.unsigned(leaf.request, key, authority, self._not_before, self._not_after)
        if pki.is_issued(found, wanted, authority):
            return None
        facts = meaning.differences("wanted.crt", pki.certificate_pem(wanted), pki.certificate_pem(found))
        told = [_told(fact) for fact in facts if fact.subject != "signature"]
        if not pki.is_signed_by(found, authority):
            told.append(f"was not signed by the {leaf.authority} authority of the secrets file")
        return "its certificate " + (
            "; ".join(told) or "has a serial number or extensions that a build does not give it"
        )


def _told(fact: Difference) -> str:
    """A fact of a certificate that is not as it is to be."""
    if fact.action == "added":
        return f"has the {fact.subject} {fact.after}"
    if fact.action == "removed":
        return f"lacks the {fact.subject} {fact.before}"
    return (
        f"has another {fact.subject}" if fact.after is None else f"has {fact.subject} {fact.after}, not {fact.before}"
    )


def _places(cluster: ResolvedCluster) -> Iterator[tuple[Leaf, str]]:
    """Where in a tree a leaf's certificate stands for all to read, but for those in kubeconfigs."""
    for host in cluster.control_plane:
        for leaf in control_plane_leaves(cluster, host):
            yield leaf, f"hosts/{host.name}/rootfs{cluster.pki_path(leaf.name)}.crt"
    for host in cluster.workers:
        if host.settings.credentials == "issued" and not kubelet_serving_is_rotated(host):
            yield kubelet_serving_leaf(host), f"hosts/{host.name}/rootfs{KUBELET_SERVING}.crt"


def _kubeconfig_place(leaf: Leaf) -> str | None:
    """Where the kubeconfig stands that holds a leaf's certificate."""
    if not leaf.name.endswith(".conf"):
        return None
    return f"admin/{leaf.name}" if leaf.host == OPERATOR else f"hosts/{leaf.host}/sealed{KUBERNETES_DIR}/{leaf.name}"


def _certificate_in(path: str, content: bytes) -> bytes | None:
    """The PEM certificate in a .crt file, or in a kubeconfig."""
    if path.endswith(".crt"):
        return content
    found = _CLIENT_CERTIFICATE.search(content)
    try:
        return base64.b64decode(found[1], validate=True) if found else None
    except binascii.Error:
        return None


class Looker:
    """Stands in for the sealing of artifacts: what is sealed is taken as it stands, and looked at.

    ``onlookers`` know the files of hosts that have a data key of their own, ``common`` all others. ``faults`` has what
    is wrong with a file, and the line, by path in the tree. The manifest of a tree that is assembled so lists faulty
    files by the digests that the manifest which stands has: no fault is told twice.
    """

    def __init__(
        self,
        witness: Witness,
        onlookers: Mapping[str, sops.Onlooker],
        common: sops.Onlooker,
        files: Mapping[str, bytes],
        recorded: Mapping[str, str],
    ) -> None:
        self._witness = witness
        self._onlookers = onlookers
        self._common = common
        self._files = files
        self._recorded = recorded
        self.faults: dict[str, sops.Fault] = {}

    def __call__(self, artifact: Artifact) -> TreeFile:
        """The file that an artifact is in the tree, or is taken for."""
        path, content = artifact.tree_path, artifact.content
        standing = self._files.get(path)
        if isinstance(content, bytes):
            follows = standing is not None and self._follows(artifact.host, content, standing)
            if path in self._witness.faults:
                self.faults[path] = sops.Fault(1, self._witness.faults[path])
            elif not follows:
                return _file(artifact, content)
            return _file(artifact, standing or b"", self._recorded.get(path))
        if standing is None:
            return _file(artifact, b"", self._recorded.get(path))
        onlooker = self._onlookers.get(artifact.host or "", self._common)
        if path in self._witness.faults:
            fault: sops.Fault | None = sops.Fault(1, self._witness.faults[path])
        elif isinstance(content, SealedYaml):
            fault = onlooker.yaml(content.document, standing)
        else:
            fault = onlooker.binary(standing)
        recorded = self._recorded.get(path)
        if fault is None and recorded != hashlib.sha256(standing).hexdigest() and self._recorded:
            fault = sops.Fault(1, "its digest is not the one in kcompile.json")
        if fault is not None:
            self.faults[path] = fault
        return _file(artifact, standing, recorded)

    def _follows(self, host: str | None, content: bytes, standing: bytes) -> bool:
        """Whether a file differs only by the digest of a certificate that is wrong, which is told already."""
        if content == standing or not any(path.startswith(f"hosts/{host}/") for path in self._witness.faults):
            return False
        return _ANNOTATION.sub(b"", content) == _ANNOTATION.sub(b"", standing)


def _file(artifact: Artifact, content: bytes, digest: str | None = None) -> TreeFile:
    sha256 = digest or hashlib.sha256(content).hexdigest()
    return TreeFile(artifact.tree_path, content, sha256, artifact.mode, artifact.policy, artifact.target)
