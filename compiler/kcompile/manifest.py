"""Models of the two files that go with a spec: the secrets file, and the manifest of a compiled tree."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from kcompile import names
from kcompile.secret import Sealed, Secret
from kcompile.spec import Model

SECRETS_REGEX = "^(key|secret)$"
"""What is encrypted in a secrets file: everything else is there to be reviewed."""

State = Literal["active", "trusted"]
"""An active authority or key signs. A trusted one is only believed: it is in the bundle."""
SecretField = Secret | Sealed | None


class SecretsModel(Model):
    """The base of the secrets file's models: leaves may be a Secret, or Sealed when read without a key."""

    model_config = ConfigDict(arbitrary_types_allowed=True)


class Authority(SecretsModel):
    """A certificate authority: its certificate for all to read, its key sealed."""

    id: Annotated[str, AfterValidator(names.cluster_name)]
    state: State
    certificate: str
    key: SecretField = None


class ServiceAccountKey(SecretsModel):
    """A key pair that signs service-account tokens (active) or only verifies them (trusted)."""

    id: Annotated[str, AfterValidator(names.cluster_name)]
    state: State
    public_key: str
    key: SecretField = None


class TokenSecret(SecretsModel):
    """The secret half of a bootstrap token."""

    id: Annotated[str, AfterValidator(names.token_id)]
    secret: SecretField = None


class EncryptionKey(SecretsModel):
    """A key for encryption at rest, base64 of 32 bytes. The first one encrypts."""

    name: Annotated[str, AfterValidator(names.cluster_name)]
    key: SecretField = None


class ManifestSigning(SecretsModel):
    """The Ed25519 key that signs tree manifests."""

    public_key: str
    key: SecretField = None


class LeafKey(SecretsModel):
    """A leaf certificate's key that cannot be derived, by host and certificate, PEM.

    Such are RSA keys, and all keys below an authority whose own key is elsewhere; those have their certificate,
    signed elsewhere, beside them.
    """

    name: str
    key: SecretField = None
    certificate: str | None = None


class HostEnvelope(SecretsModel):
    """One recipient's copy of a host's data key: an armored age file."""

    recipient: Annotated[str, AfterValidator(names.age_recipient)]
    enc: str


class HostRecipients(SecretsModel):
    """The data key of a host that has a recipient of its own, and who can open it.

    ``key`` is base64 of 32 bytes; ``proof`` ties the envelopes to it, to the host and to the cluster.
    """

    node: Annotated[str, AfterValidator(names.dns_subdomain)]
    key: SecretField = None
    envelopes: Annotated[tuple[HostEnvelope, ...], Field(min_length=1)]
    proof: str


class Authorities(SecretsModel):
    """The three trees of authorities."""

    kubernetes: tuple[Authority, ...]
    etcd: tuple[Authority, ...] = ()
    front_proxy: tuple[Authority, ...] = Field(alias="front-proxy")

    def named(self, name: str) -> tuple[Authority, ...]:
        """The authorities of one of the three trees: ``kubernetes``, ``etcd`` or ``front-proxy``."""
        return {"kubernetes": self.kubernetes, "etcd": self.etcd, "front-proxy": self.front_proxy}[name]


class ClusterSecrets(SecretsModel):
    """``clusters/<name>.secrets.yaml`` without its sops block."""

    api_version: Literal["kcompile.dev/v1alpha1"]
    kind: Literal["ClusterSecrets"]
    metadata: dict[str, str]
    authorities: Authorities
    service_account_keys: tuple[ServiceAccountKey, ...]
    bootstrap_tokens: tuple[TokenSecret, ...] = ()
    encryption_keys: tuple[EncryptionKey, ...] = ()
    manifest_signing: ManifestSigning
    leaf_keys: tuple[LeafKey, ...] = ()
    host_recipients: tuple[HostRecipients, ...] = ()
