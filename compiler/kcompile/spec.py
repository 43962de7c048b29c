"""The cluster spec: frozen models of ``clusters/<name>.yaml``.

Field names and defaults are kubeadm v1beta4's wherever kubeadm has the field. A default is written here
and nowhere else; what a minor version decides (image tags) stays None and is filled in from its table.

Two things keep start-up short, because every command pays for it: annotations are evaluated once (no
``from __future__ import annotations``), and default objects are made with ``model_construct``, which does
not build a validator for each model of its own.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from kcompile import names

API_VERSION = "kcompile.dev/v1alpha1"


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


class Model(BaseModel):
    """The base of all models: unknown fields are refused, nothing is coerced, nothing changes afterwards."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=_camel,
        validate_by_name=False,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
        defer_build=True,
    )


def _one_or_many(value: object) -> object:
    return value if isinstance(value, tuple | list) else (value,)


Line = Annotated[str, AfterValidator(names.one_line)]
DnsSubdomain = Annotated[str, AfterValidator(names.dns_subdomain)]
DnsLabel = Annotated[str, AfterValidator(names.cluster_name)]
SubjectAltName = Annotated[str, AfterValidator(names.subject_alt_name)]
HostPath = Annotated[str, AfterValidator(names.absolute_path)]
RelativePath = Annotated[str, AfterValidator(names.relative_path)]
Addresses = Annotated[str, AfterValidator(names.address_list)]
Subnets = Annotated[str, AfterValidator(names.subnet_list)]
Duration = Annotated[str, AfterValidator(names.duration)]
Timestamp = Annotated[str, AfterValidator(names.timestamp)]
ImageTag = Annotated[str, AfterValidator(names.image_tag)]
ImageRepository = Annotated[str, AfterValidator(names.image_repository)]
Port = Annotated[int, Field(ge=1, le=65535)]
ExtraArgs = dict[
    Annotated[str, AfterValidator(names.flag_name)],
    Annotated[
        tuple[Line, ...],
        BeforeValidator(_one_or_many),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    ],
]
"""A component's flags in their order; a list repeats the flag."""
Labels = dict[Annotated[str, AfterValidator(names.label_key)], Annotated[str, AfterValidator(names.label_value)]]
FreeForm = dict[str, Any]
"""A Kubernetes object that kcompile merges and passes on."""


class Metadata(Model):
    """What the cluster is called."""

    name: DnsLabel
    """The cluster's name: kubeadm's clusterName, and the name of the directory below out/."""


class Networking(Model):
    """Ranges and the DNS domain."""

    pod_subnet: Subnets | None = None
    """Range of the pods, comma-separated pair for dual stack. Without it the controller manager assigns none."""
    service_subnet: Subnets = "10.96.0.0/12"
    """Range of the services, comma-separated pair for dual stack."""
    dns_domain: DnsSubdomain = "cluster.local"


Algorithm = Literal["RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384"]


class Pki(Model):
    """Certificates: their dates, keys and place."""

    issued_at: Timestamp
    """notBefore of every leaf certificate. Moving it forward renews them all."""
    certificate_validity_period: Duration = "8760h"
    ca_certificate_validity_period: Duration = "87600h"
    encryption_algorithm: Algorithm = "RSA-2048"
    """Key type of every certificate. ECDSA keys are derived and need no entry of their own in the secrets file."""
    certificates_dir: HostPath = "/etc/kubernetes/pki"


class Secrets(Model):
    """Who can open what is sealed."""

    recipients: Annotated[tuple[Annotated[str, AfterValidator(names.age_recipient)], ...], Field(min_length=1)]
    """age or SSH recipients: who can open what is sealed."""


class EnvVar(Model):
    """An environment variable of a component."""

    name: Annotated[str, AfterValidator(names.env_name)]
    value: str = ""
    value_from: FreeForm | None = None
    """Where the value comes from: of what Kubernetes knows, a static pod can use fieldRef and resourceFieldRef."""


class HostPathMount(Model):
    """A path of the host, mounted into a component."""

    name: DnsLabel
    host_path: HostPath
    mount_path: HostPath
    read_only: bool = False
    path_type: Literal[
        "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"
    ] = ""


class Component(Model):
    """Flags, environment and volumes added to a control-plane component."""

    extra_args: ExtraArgs = {}
    extra_envs: tuple[EnvVar, ...] = ()
    extra_volumes: tuple[HostPathMount, ...] = ()


class ApiServer(Component):
    """The API server."""

    cert_sans: tuple[SubjectAltName, ...] = Field(default=(), alias="certSANs")
    """Further names and addresses in every API server's serving certificate."""


class LocalEtcd(Model):
    """etcd on the control-plane nodes."""

    data_dir: HostPath = "/var/lib/etcd"
    image_repository: ImageRepository | None = None
    image_tag: ImageTag | None = None
    extra_args: ExtraArgs = {}
    extra_envs: tuple[EnvVar, ...] = ()
    server_cert_sans: tuple[SubjectAltName, ...] = Field(default=(), alias="serverCertSANs")
    peer_cert_sans: tuple[SubjectAltName, ...] = Field(default=(), alias="peerCertSANs")


class ExternalEtcd(Model):
    """etcd somewhere else."""

    endpoints: Annotated[tuple[Annotated[str, AfterValidator(names.url)], ...], Field(min_length=1)]
    ca_file: HostPath | None = None
    cert_file: HostPath | None = None
    key_file: HostPath | None = None


class Etcd(Model):
    """Where etcd runs."""

    local: LocalEtcd | None = None
    """Stacked etcd, one member a control-plane node. The default."""
    external: ExternalEtcd | None = None
    """An etcd that is there already; the files named here are put on the hosts by you."""


class Dns(Model):
    """CoreDNS."""

    disabled: bool = False
    image_repository: ImageRepository | None = None
    image_tag: ImageTag | None = None


class Proxy(Model):
    """kube-proxy."""

    disabled: bool = False


class BootstrapToken(Model):
    """A token that nodes join with."""

    id: Annotated[str, AfterValidator(names.token_id)]
    """The public half; the secret half stands in the secrets file."""
    expires: Timestamp | None = None
    """When the token ends. Without it, never."""
    description: Line | None = None
    usages: tuple[Literal["signing", "authentication"], ...] = ("signing", "authentication")
    groups: tuple[Annotated[str, AfterValidator(names.token_group)], ...] = (
        "system:bootstrappers:kubeadm:default-node-token",
    )


class Taint(Model):
    """A taint, as in a Node object."""

    key: Annotated[str, AfterValidator(names.label_key)]
    value: Annotated[str, AfterValidator(names.label_value)] = ""
    effect: Annotated[str, AfterValidator(names.taint_effect)]

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


class NodeRegistration(Model):
    """How a node registers itself, as in kubeadm."""

    cri_socket: Annotated[str, AfterValidator(names.cri_socket)] | None = None
    taints: tuple[Taint, ...] | None = None
    kubelet_extra_args: ExtraArgs = {}


class NodeSettings(Model):
    """What the cluster's control plane or a pool sets for its nodes, and a node may override."""

    node_registration: NodeRegistration = NodeRegistration.model_construct()
    labels: Labels = {}
    taints: tuple[Taint, ...] | None = None
    """Short for nodeRegistration.taints."""
    kubelet: FreeForm = {}
    """KubeletConfiguration fields, merged over those of the level above."""


class LocalApiEndpoint(Model):
    """Where a node's own API server listens."""

    bind_port: Port = 6443


class ControlPlaneNode(NodeSettings):
    """A node that runs the control plane."""

    name: DnsSubdomain
    address: Addresses
    """The advertise address; a second one of the other family, after a comma, for dual stack."""
    local_api_endpoint: LocalApiEndpoint | None = Field(default=None, alias="localAPIEndpoint")
    cert_sans: tuple[SubjectAltName, ...] = Field(default=(), alias="certSANs")
    """Further names and addresses in this API server's serving certificate."""


class ControlPlane(NodeSettings):
    """The control-plane nodes and what they share."""

    bootstrapped: bool = False
    """Set to true once the first control plane has come up: from then on etcd members join, never found."""
    local_api_endpoint: LocalApiEndpoint = Field(default=LocalApiEndpoint.model_construct(), alias="localAPIEndpoint")
    nodes: Annotated[tuple[ControlPlaneNode, ...], Field(min_length=1)]


Credentials = Literal["bootstrapToken", "issued"]


class WorkerNode(NodeSettings):
    """A node that runs workloads."""

    name: DnsSubdomain
    address: Addresses
    credentials: Credentials | None = None


class NodePool(NodeSettings):
    """Workers that share their settings."""

    name: DnsLabel
    credentials: Credentials = "bootstrapToken"
    """How a node proves itself: by a bootstrap token, or with kubelet certificates that are compiled."""
    nodes: tuple[WorkerNode, ...] = ()


PatchTarget = Literal[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
    "kubeletconfiguration",
    "corednsdeployment",
    "kube-proxy",
]


class Patch(Model):
    """A change to a compiled object, for what the spec has no field for."""

    target: PatchTarget
    type: Literal["strategic", "merge", "json"] = "strategic"
    patch: Any
    """An object, or for type json a list of operations (RFC 6902)."""
    nodes: tuple[DnsSubdomain, ...] = ()
    """The nodes it is for; without them, all."""


class ClusterSpec(Model):
    """The cluster."""

    kubernetes_version: Annotated[str, AfterValidator(names.kubernetes_version)]
    control_plane_endpoint: Annotated[str, AfterValidator(names.endpoint)] | None = None
    image_repository: ImageRepository = "registry.k8s.io"
    networking: Networking = Networking.model_construct()
    pki: Pki
    secrets: Secrets
    api_server: ApiServer = ApiServer.model_construct()
    controller_manager: Component = Component.model_construct()
    scheduler: Component = Component.model_construct()
    etcd: Etcd = Etcd.model_construct()
    dns: Dns = Dns.model_construct()
    proxy: Proxy = Proxy.model_construct()
    kubelet: FreeForm = {}
    """KubeletConfiguration fields for every node, over kubeadm's defaults."""
    kube_proxy: FreeForm = {}
    """KubeProxyConfiguration fields, over kubeadm's defaults."""
    feature_gates: dict[str, bool] = {}
    """kubeadm's feature gates."""
    bootstrap_tokens: tuple[BootstrapToken, ...] = ()
    control_plane: ControlPlane
    node_pools: tuple[NodePool, ...] = ()
    manifests: tuple[RelativePath, ...] = ()
    """Files with further cluster objects, read from beside the spec."""
    patches: tuple[Patch, ...] = ()

    @property
    def key_algorithm(self) -> Algorithm:
        """The type of every key. As in kubeadm, the gate PublicKeysECDSA, where it is set, decides."""
        gate = self.feature_gates.get("PublicKeysECDSA")
        if gate is None:
            return self.pki.encryption_algorithm
        return "ECDSA-P256" if gate else "RSA-2048"


class Cluster(Model):
    """A cluster spec file."""

    api_version: Literal["kcompile.dev/v1alpha1"]
    kind: Literal["Cluster"]
    metadata: Metadata
    spec: ClusterSpec
