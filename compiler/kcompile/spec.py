"""The cluster spec: frozen models of ``clusters/<name>.yaml``.

Field names and defaults are kubeadm v1beta4's wherever kubeadm has the field. A default is written here
and nowhere else; what a minor version decides (image tags) stays None and is filled in from its table.

The string below a field is its description in the JSON schema and in ``kcompile explain``: what it means, and last a
line ``Example:`` with a YAML flow value. What the checks of ``names`` mean to an editor is known to ``schema`` alone.

Two things keep start-up short, because every command pays for it: annotations are evaluated once (no
``from __future__ import annotations``), and default objects are made with ``model_construct``, which does
not build a validator for each model of its own.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

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


def one_or_many(value: object) -> object:
    """A value as a list of one, unless it is a list."""
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
Recipient = Annotated[str, AfterValidator(names.age_recipient)]
ImageRepository = Annotated[str, AfterValidator(names.image_repository)]
Port = Annotated[int, Field(ge=1, le=65535)]
ExtraArgs = dict[
    Annotated[str, AfterValidator(names.flag_name)],
    Annotated[tuple[Line, ...], BeforeValidator(one_or_many)],
]
"""A component's flags in their order; a list repeats the flag."""
Labels = dict[Annotated[str, AfterValidator(names.label_key)], Annotated[str, AfterValidator(names.label_value)]]
FreeForm = dict[str, Any]
"""A Kubernetes object that kcompile merges and passes on."""


class Metadata(Model):
    """What the cluster is called."""

    name: DnsLabel
    """The cluster's name: kubeadm's clusterName, and the name of the directory below out/.
    Example: prod
    """


class Networking(Model):
    """The ranges of pods and services, and the cluster's DNS domain."""

    pod_subnet: Subnets | None = None
    """Range of the pods (CIDR), or a comma-separated pair of an IPv4 and an IPv6 range for dual stack. Without it the
    controller manager assigns no ranges to nodes, and the network plugin has to.
    Example: 10.244.0.0/16
    Example: "10.244.0.0/16,fd00:10::/56"
    """
    service_subnet: Subnets = "10.96.0.0/12"
    """Range of the services (CIDR), or a comma-separated pair for dual stack. Its first address is the API server's,
    its tenth is cluster DNS.
    Example: 10.96.0.0/16
    Example: "10.96.0.0/16,fd00:20::/112"
    """
    dns_domain: DnsSubdomain = "cluster.local"
    """Domain of the cluster's own DNS names: a service is NAME.NAMESPACE.svc.DOMAIN.
    Example: cluster.local
    """


Algorithm = Literal["RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384"]


class Pki(Model):
    """Certificates: their dates, keys and place."""

    issued_at: Timestamp
    """The moment from which every leaf certificate is valid (notBefore), in UTC. Moving it forward renews them all, in
    one reviewed line.
    Example: 2026-11-23T00:00:00Z
    """
    certificate_validity_period: Duration = "8760h"
    """How long leaf certificates are valid from issuedAt, as a Go duration: 8760h is a year.
    Example: 4380h
    """
    ca_certificate_validity_period: Duration = "87600h"
    """How long the authorities are valid that `kcompile secrets create` makes, as a Go duration: 87600h is ten years.
    An authority that is made stays as it is.
    Example: 43800h
    """
    encryption_algorithm: Algorithm = "RSA-2048"
    """Key type of every certificate. ECDSA keys are derived and need no entry of their own in the secrets file.
    Example: ECDSA-P256
    """
    certificates_dir: HostPath = "/etc/kubernetes/pki"
    """The directory on the hosts in which certificates and keys stand.
    Example: /etc/kubernetes/pki
    """


class Secrets(Model):
    """Who can open what is sealed."""

    recipients: Annotated[tuple[Recipient, ...], Field(min_length=1)]
    """Who can open what is sealed: age recipients (age1…) or SSH public keys (ssh-ed25519, ssh-rsa), one at the least.
    They are public; keep them equal to those in .sops.yaml.
    Example: [age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37]
    """


class EnvVar(Model):
    """An environment variable of a component."""

    name: Annotated[str, AfterValidator(names.env_name)]
    """The variable's name.
    Example: GODEBUG
    """
    value: Annotated[str, AfterValidator(names.env_value)] = ""
    """The variable's value; empty where valueFrom gives it.
    Example: x509sha1=0
    """
    value_from: FreeForm | None = None
    """Where the value comes from: of what Kubernetes knows, a static pod can use fieldRef and resourceFieldRef.
    Example: {fieldRef: {fieldPath: status.hostIP}}
    """


class HostPathMount(Model):
    """A path of the host, mounted into a component."""

    name: DnsLabel
    """The volume's name in the pod, once in a component.
    Example: audit-logs
    """
    host_path: HostPath
    """The path on the host.
    Example: /var/log/kubernetes
    """
    mount_path: HostPath
    """The path at which the component sees it.
    Example: /var/log/kubernetes
    """
    read_only: bool = False
    """Whether the component can only read it.
    Example: true
    """
    path_type: Literal[
        "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"
    ] = ""
    """What has to be at the path, or is made there, as in a pod's hostPath. Empty: nothing is checked.
    Example: DirectoryOrCreate
    """


class Component(Model):
    """Flags, environment and volumes added to a control-plane component."""

    extra_args: ExtraArgs = {}
    """Flags of the component without their dashes, over kubeadm's defaults. Values are strings; a list repeats the
    flag.
    Example: {v: "2", profiling: "false"}
    """
    extra_envs: tuple[EnvVar, ...] = ()
    """Environment variables of the component.
    Example: [{name: GODEBUG, value: x509sha1=0}]
    """
    extra_volumes: tuple[HostPathMount, ...] = ()
    """Paths of the host that the component sees, for files that its flags name.
    Example: [{name: audit-logs, hostPath: /var/log/kubernetes, mountPath: /var/log/kubernetes}]
    """


class ApiServer(Component):
    """The API server."""

    cert_sans: tuple[SubjectAltName, ...] = Field(default=(), alias="certSANs")
    """Further names and addresses in every API server's serving certificate. Its node's name and address, the
    endpoint's and the service's are there anyway.
    Example: [api.example.com, 10.0.0.10]
    """


class LocalEtcd(Model):
    """etcd on the control-plane nodes."""

    data_dir: HostPath = "/var/lib/etcd"
    """The directory on the hosts in which etcd keeps its data.
    Example: /data/etcd
    """
    image_repository: ImageRepository | None = None
    """Registry and path of etcd's image. Without it, spec.imageRepository.
    Example: registry.example.com/k8s
    """
    image_tag: ImageTag | None = None
    """Tag of etcd's image. Without it, kubeadm's for the Kubernetes version.
    Example: 3.6.9-0
    """
    extra_args: ExtraArgs = {}
    """Flags of etcd without their dashes, over kubeadm's defaults. Values are strings; a list repeats the flag.
    Example: {quota-backend-bytes: "8589934592"}
    """
    extra_envs: tuple[EnvVar, ...] = ()
    """Environment variables of etcd.
    Example: [{name: GOGC, value: "50"}]
    """
    server_cert_sans: tuple[SubjectAltName, ...] = Field(default=(), alias="serverCertSANs")
    """Further names and addresses in the certificates that etcd serves clients with.
    Example: [etcd.example.com]
    """
    peer_cert_sans: tuple[SubjectAltName, ...] = Field(default=(), alias="peerCertSANs")
    """Further names and addresses in the certificates that etcd members show each other.
    Example: [etcd-peer.example.com]
    """


class ExternalEtcd(Model):
    """etcd somewhere else."""

    endpoints: Annotated[tuple[Annotated[str, AfterValidator(names.url)], ...], Field(min_length=1)]
    """The members' client URLs, one at the least.
    Example: [https://10.9.0.1:2379, https://10.9.0.2:2379, https://10.9.0.3:2379]
    """
    ca_file: HostPath | None = None
    """The authority that signed etcd's certificates: a file on the control-plane hosts.
    Example: /etc/kubernetes/external-etcd/ca.crt
    """
    cert_file: HostPath | None = None
    """The API server's client certificate for etcd: a file on the control-plane hosts. It needs keyFile and caFile.
    Example: /etc/kubernetes/external-etcd/client.crt
    """
    key_file: HostPath | None = None
    """The key of certFile.
    Example: /etc/kubernetes/external-etcd/client.key
    """


class Etcd(Model):
    """Where etcd runs."""

    local: LocalEtcd | None = None
    """Stacked etcd, one member on each control-plane node. The default; excludes external.
    Example: {dataDir: /data/etcd}
    """
    external: ExternalEtcd | None = None
    """An etcd that is there already; the files named here are put on the hosts by you. Excludes local.
    Example: {endpoints: [http://10.9.0.1:2379]}
    """


class Dns(Model):
    """CoreDNS."""

    disabled: bool = False
    """Whether CoreDNS is left out of the cluster's objects.
    Example: true
    """
    image_repository: ImageRepository | None = None
    """Registry and path of CoreDNS's image. Without it, spec.imageRepository; below registry.k8s.io the image stands
    one level deeper, in coredns/.
    Example: registry.example.com/coredns
    """
    image_tag: ImageTag | None = None
    """Tag of CoreDNS's image. Without it, kubeadm's for the Kubernetes version.
    Example: v1.12.0
    """


class Proxy(Model):
    """kube-proxy."""

    disabled: bool = False
    """Whether kube-proxy is left out of the cluster's objects, for a network plugin that takes its place.
    Example: true
    """


class BootstrapToken(Model):
    """A token that nodes join with."""

    id: Annotated[str, AfterValidator(names.token_id)]
    """The public half, six characters; the secret half stands in the secrets file.
    Example: abcdef
    """
    expires: Timestamp | None = None
    """When the token ends, in UTC. Without it, never.
    Example: 2026-12-23T00:00:00Z
    """
    description: Annotated[str, AfterValidator(names.free_text)] | None = None
    """What the token is for, in words.
    Example: general pool
    """
    usages: Annotated[tuple[Literal["signing", "authentication"], ...], Field(min_length=1)] = (
        "signing",
        "authentication",
    )
    """What the token is good for: authentication of a node that joins, signing of the cluster-info that it reads.
    Example: [signing, authentication]
    """
    groups: Annotated[tuple[Annotated[str, AfterValidator(names.token_group)], ...], Field(min_length=1)] = (
        "system:bootstrappers:kubeadm:default-node-token",
    )
    """The groups that whoever authenticates by the token is in. kubeadm's own group may ask for a kubelet's
    certificate.
    Example: ["system:bootstrappers:kubeadm:default-node-token"]
    """


class Taint(Model):
    """A taint, as in a Node object."""

    key: Annotated[str, AfterValidator(names.label_key)]
    """The taint's key: a name, with or without a DNS prefix and a slash before it.
    Example: dedicated
    """
    value: Annotated[str, AfterValidator(names.label_value)] = ""
    """The taint's value.
    Example: storage
    """
    effect: Annotated[str, AfterValidator(names.taint_effect)]
    """What becomes of pods that do not tolerate the taint: they are not scheduled, not if it can be helped, or driven
    out as well.
    Example: NoSchedule
    """

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


class NodeRegistration(Model):
    """How a node registers itself, as in kubeadm."""

    cri_socket: Annotated[str, AfterValidator(names.cri_socket)] | None = None
    """The container runtime's socket. Without it that of the level above, and at last containerd's,
    unix:///run/containerd/containerd.sock.
    Example: unix:///var/run/crio/crio.sock
    """
    taints: tuple[Taint, ...] | None = None
    """The node's taints, in place of those of the level above; an empty list takes all away. Without it a control-plane
    node has node-role.kubernetes.io/control-plane:NoSchedule, and a worker none.
    Example: [{key: dedicated, value: storage, effect: NoSchedule}]
    """
    kubelet_extra_args: ExtraArgs = {}
    """Flags of the kubelet without their dashes, merged over those of the level above. Most settings are better given
    as kubelet fields.
    Example: {v: "4"}
    """


class NodeSettings(Model):
    """What the cluster's control plane or a pool sets for its nodes, and a node may override."""

    node_registration: NodeRegistration = NodeRegistration.model_construct()
    """How the node registers itself: runtime socket, taints, kubelet flags.
    Example: {criSocket: "unix:///var/run/crio/crio.sock"}
    """
    labels: Labels = {}
    """Labels of the node, merged over those of the level above. Most of Kubernetes' own prefixes are refused, as a
    kubelet may not give itself such labels.
    Example: {tier: general, example.com/disk: nvme}
    """
    taints: tuple[Taint, ...] | None = None
    """Short for nodeRegistration.taints.
    Example: [{key: dedicated, value: storage, effect: NoSchedule}]
    """
    kubelet: FreeForm = {}
    """KubeletConfiguration fields, merged over those of the level above.
    Example: {maxPods: 32}
    """
    kubelet_version: Annotated[str, AfterValidator(names.kubernetes_version)] | None = None
    """The kubelet that these nodes run, where it is not yet the cluster's version: three minors older at most.
    preflight.sh looks for it, and flags and gates are checked against it.
    Example: v1.35.3
    """


class LocalApiEndpoint(Model):
    """Where a node's own API server listens."""

    bind_port: Port = 6443
    """The API server's port.
    Example: 8443
    """


class ControlPlaneNode(NodeSettings):
    """A node that runs the control plane."""

    name: DnsSubdomain
    """The node's name in the cluster and of its directory below hosts/, once in a cluster.
    Example: cp-1
    """
    address: Addresses
    """The advertise address; a second one of the other family, after a comma, for dual stack.
    Example: 10.0.0.11
    Example: "10.0.0.11,fd00::11"
    """
    local_api_endpoint: LocalApiEndpoint | None = Field(default=None, alias="localAPIEndpoint")
    """Where this node's API server listens. Without it, as controlPlane.localAPIEndpoint says.
    Example: {bindPort: 9443}
    """
    cert_sans: tuple[SubjectAltName, ...] = Field(default=(), alias="certSANs")
    """Further names and addresses in this API server's serving certificate, beside those of apiServer.certSANs.
    Example: [cp-1.example.com]
    """
    recipient: Recipient | None = None
    """The node's own key: its age recipient (age1…) or SSH host key (ssh-ed25519, ssh-rsa). With it the node opens what
    is sealed for it, and nothing else; without it, only spec.secrets.recipients do. See `kcompile secrets update`.
    Example: age103fctupk7t7k3d3cnta5ag0wals9cwmutag4wx6gfzxjlx27aejsac7rcf
    """


class ControlPlane(NodeSettings):
    """The control-plane nodes and what they share."""

    bootstrapped: bool = False
    """Set to true once the first control plane has come up: from then on etcd members join, never found. Until then all
    members found the cluster together, in any order.
    Example: true
    """
    local_api_endpoint: LocalApiEndpoint = Field(default=LocalApiEndpoint.model_construct(), alias="localAPIEndpoint")
    """Where the API servers listen, each on its node's address.
    Example: {bindPort: 8443}
    """
    nodes: Annotated[tuple[ControlPlaneNode, ...], Field(min_length=1)]
    """The control-plane nodes, one at the least. With stacked etcd choose an odd number; several need
    spec.controlPlaneEndpoint.
    Example: [{name: cp-1, address: 10.0.0.11}]
    """


Credentials = Literal["bootstrapToken", "issued"]


class WorkerNode(NodeSettings):
    """A node that runs workloads."""

    name: DnsSubdomain
    """The node's name in the cluster and of its directory below hosts/, once in a cluster.
    Example: w-1
    """
    address: Addresses
    """The node's address; a second one of the other family, after a comma, for dual stack.
    Example: 10.0.1.1
    Example: "10.0.1.1,fd00:1::1"
    """
    credentials: Credentials | None = None
    """How this node proves itself. Without it, as the pool says.
    Example: issued
    """
    recipient: Recipient | None = None
    """The node's own key: its age recipient (age1…) or SSH host key (ssh-ed25519, ssh-rsa). With it the node opens what
    is sealed for it, and nothing else; without it, only spec.secrets.recipients do. See `kcompile secrets update`.
    Example: age103fctupk7t7k3d3cnta5ag0wals9cwmutag4wx6gfzxjlx27aejsac7rcf
    """


class NodePool(NodeSettings):
    """Workers that share their settings."""

    name: DnsLabel
    """The pool's name, once in a cluster.
    Example: general
    """
    credentials: Credentials = "bootstrapToken"
    """How a node proves itself: by a bootstrap token, or with kubelet certificates that are compiled.
    Example: issued
    """
    nodes: tuple[WorkerNode, ...] = ()
    """The pool's nodes.
    Example: [{name: w-1, address: 10.0.1.1}]
    """


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
    """The object that is changed: a static pod, the kubelet's configuration, CoreDNS's Deployment or kube-proxy's
    DaemonSet.
    Example: kube-apiserver
    """
    type: Literal["strategic", "merge", "json"] = "strategic"
    """How it is changed: strategic is Kubernetes' own merge, which knows containers by name; merge is RFC 7386, json is
    RFC 6902.
    Example: merge
    """
    patch: Any
    """An object, or for type json a list of operations (RFC 6902).
    Example: {metadata: {annotations: {team: infra}}}
    Example: [{op: add, path: /spec/containers/0/command/-, value: --v=4}]
    """
    nodes: tuple[DnsSubdomain, ...] = ()
    """The nodes it is for; without them, all.
    Example: [cp-1]
    """


class ClusterSpec(Model):
    """The cluster: what is compiled, with kubeadm's names and defaults."""

    kubernetes_version: Annotated[str, AfterValidator(names.kubernetes_version)]
    """The version of Kubernetes, with its patch. It decides images, flags and defaults.
    Example: v1.36.2
    """
    control_plane_endpoint: Annotated[str, AfterValidator(names.endpoint)] | None = None
    """The name or address, and port, at which everyone reaches the API servers: a load balancer, kube-vip, DNS. Without
    a port, the API servers' own. It may be left out with one control-plane node.
    Example: api.prod.example.com:6443
    Example: "[fd00:1::10]:6443"
    """
    image_repository: ImageRepository = "registry.k8s.io"
    """Registry and path of the images of Kubernetes, etcd, CoreDNS and the sandbox.
    Example: registry.example.com/k8s
    """
    networking: Networking = Networking.model_construct()
    """The ranges of pods and services, and the cluster's DNS domain.
    Example: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
    """
    pki: Pki
    """Certificates: their dates, keys and place.
    Example: {issuedAt: "2026-11-23T00:00:00Z", encryptionAlgorithm: ECDSA-P256}
    """
    secrets: Secrets
    """Who can open what is sealed.
    Example: {recipients: [age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37]}
    """
    api_server: ApiServer = ApiServer.model_construct()
    """Flags, environment, volumes and certificate names of the API servers.
    Example: {certSANs: [api.example.com], extraArgs: {audit-log-maxage: "30"}}
    """
    controller_manager: Component = Component.model_construct()
    """Flags, environment and volumes of the controller managers.
    Example: {extraArgs: {node-cidr-mask-size: "25"}}
    """
    scheduler: Component = Component.model_construct()
    """Flags, environment and volumes of the schedulers.
    Example: {extraArgs: {v: "2"}}
    """
    etcd: Etcd = Etcd.model_construct()
    """Where etcd runs: on the control-plane nodes unless external is given.
    Example: {local: {dataDir: /data/etcd}}
    """
    dns: Dns = Dns.model_construct()
    """CoreDNS: its image, or none.
    Example: {imageTag: v1.12.0}
    """
    proxy: Proxy = Proxy.model_construct()
    """Whether there is a kube-proxy. Its settings are in kubeProxy.
    Example: {disabled: true}
    """
    kubelet: FreeForm = {}
    """KubeletConfiguration fields for every node, over kubeadm's defaults.
    Example: {maxPods: 200, serverTLSBootstrap: true}
    """
    kube_proxy: FreeForm = {}
    """KubeProxyConfiguration fields, over kubeadm's defaults.
    Example: {mode: ipvs, ipvs: {strictARP: true}}
    """
    feature_gates: dict[str, bool] = {}
    """kubeadm's own feature gates, those of the minor. Gates of a component go to its extraArgs, as feature-gates.
    Example: {NodeLocalCRISocket: true}
    """
    bootstrap_tokens: tuple[BootstrapToken, ...] = ()
    """The tokens that nodes of pools with credentials bootstrapToken join with. Their secret halves are in the secrets
    file; `kcompile secrets update` adds those that it lacks.
    Example: [{id: abcdef, expires: "2026-12-23T00:00:00Z"}]
    """
    control_plane: ControlPlane
    """The control-plane nodes and what they share.
    Example: {nodes: [{name: cp-1, address: 10.0.0.11}]}
    """
    node_pools: tuple[NodePool, ...] = ()
    """The workers, in pools that share their settings.
    Example: [{name: general, nodes: [{name: w-1, address: 10.0.1.1}]}]
    """
    manifests: tuple[RelativePath, ...] = ()
    """Files with further cluster objects, read from beside the spec.
    Example: [addons/cilium.yaml]
    """
    patches: tuple[Patch, ...] = ()
    """Changes to compiled objects, for what the spec has no field for, applied in their order.
    Example: [{target: corednsdeployment, type: merge, patch: {spec: {replicas: 3}}}]
    """

    @property
    def key_algorithm(self) -> Algorithm:
        """The type of every key. As in kubeadm, the gate PublicKeysECDSA, where it is set, decides."""
        gate = self.feature_gates.get("PublicKeysECDSA")
        if gate is None:
            return self.pki.encryption_algorithm
        return "ECDSA-P256" if gate else "RSA-2048"


class Cluster(Model):
    """A kcompile cluster spec file: one cluster, compiled to what kubeadm would have written."""

    api_version: Literal["kcompile.dev/v1alpha1"]
    """The version of the spec's format.
    Example: kcompile.dev/v1alpha1
    """
    kind: Literal["Cluster"]
    """The kind of the file.
    Example: Cluster
    """
    metadata: Metadata
    """What the cluster is called.
    Example: {name: prod}
    """
    spec: ClusterSpec
    """The cluster: what is compiled, with kubeadm's names and defaults.
    Example: {kubernetesVersion: v1.36.2, pki: {issuedAt: "2026-11-23T00:00:00Z"}, secrets: {recipients: [
    age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37]}, controlPlane: {nodes: [{name: cp-1, address:
    10.0.0.11}]}}
    """
