"""Static pod manifests of etcd and the control plane.

Source: kubeadm, ``cmd/kubeadm/app/phases/controlplane`` and ``phases/etcd``, ``util/staticpod``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from kcompile import images, mounts, network, patching, yamlfmt
from kcompile.artifact import PRIVATE_MODE, Artifact
from kcompile.errors import Problem, SpecError, gathered
from kcompile.flags import DEFAULT_AUTHORIZATION_MODES, Args, arguments, authorization_modes
from kcompile.hosts import KUBERNETES_DIR, SIGNING_CERTIFICATE, Host, ResolvedCluster, merge
from kcompile.keyring import Keyring, control_plane_leaves, kubeconfig_leaves
from kcompile.kubeobjects import environment_variable
from kcompile.mounts import Mount
from kcompile.spec import Component, EnvVar
from kcompile.versions.table import Probes

MANIFESTS_DIR = f"{KUBERNETES_DIR}/manifests"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pod:
    """What is particular to one static pod."""

    name: str
    image: str
    args: Mapping[str, str]
    extra_args: Args
    extra_envs: Sequence[EnvVar]
    mounts: Sequence[Mount]
    probes: Probes
    probe_host: str | None
    probe_port: int
    probe_scheme: str
    requests: Mapping[str, str]
    annotations: Mapping[str, str]


def _mounts(name: str, cluster: ResolvedCluster, component: Component) -> list[Mount]:
    compiled = mounts.compiled(name, cluster.cluster.spec, cluster.version)
    return mounts.with_extra(compiled, component.extra_volumes)


def _probe(path: str, pod: _Pod, port: int | str, **timing: int) -> dict[str, Any]:
    get = {"path": path, "port": port, "scheme": pod.probe_scheme}
    if pod.probe_host is not None:
        get["host"] = pod.probe_host
    return {"httpGet": get, "timeoutSeconds": 15, **timing}


def _manifest(cluster: ResolvedCluster, pod: _Pod) -> dict[str, Any]:
    version = cluster.version
    port: int | str = "probe-port" if version.names_probe_ports else pod.probe_port
    container: dict[str, Any] = {
        "command": [pod.name, *arguments(pod.args, pod.extra_args, extra_follow=cluster.extra_args_follow)],
        "image": pod.image,
        "imagePullPolicy": "IfNotPresent",
        "livenessProbe": _probe(
            pod.probes.liveness, pod, port, failureThreshold=8, initialDelaySeconds=10, periodSeconds=10
        ),
        "name": pod.name,
        "resources": {"requests": dict(pod.requests)},
        "startupProbe": _probe(
            pod.probes.startup, pod, port, failureThreshold=24, initialDelaySeconds=10, periodSeconds=10
        ),
        "volumeMounts": [
            {"mountPath": m.mount_path, "name": m.name, **({"readOnly": True} if m.read_only else {})}
            for m in pod.mounts
        ],
    }
    if pod.probes.readiness is not None:
        container["readinessProbe"] = _probe(pod.probes.readiness, pod, port, failureThreshold=3, periodSeconds=1)
    if version.names_probe_ports:
        container["ports"] = [{"containerPort": pod.probe_port, "name": "probe-port", "protocol": "TCP"}]
    if pod.extra_envs:
        variables = {variable.name: variable for variable in pod.extra_envs}  # kubeadm's MergeKubeadmEnvVars
        container["env"] = [environment_variable(variables[name]) for name in sorted(variables)]
    metadata: dict[str, Any] = {
        **({"annotations": dict(pod.annotations)} if pod.annotations else {}),
        "labels": {"component": pod.name, "tier": "control-plane"},
        "name": pod.name,
        "namespace": "kube-system",
    }
    if version.writes_creation_timestamp:
        metadata["creationTimestamp"] = None
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "containers": [container],
            "hostNetwork": True,
            "priority": 2000001000,
            "priorityClassName": "system-node-critical",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [
                {"hostPath": {"path": m.host_path, "type": m.path_type}, "name": m.name}
                for m in sorted(pod.mounts, key=lambda m: m.name)
            ],
        },
        "status": {},
    }


def _loopback(host: Host) -> str:
    """The loopback address of the advertise address's family."""
    return "::1" if ":" in host.address else "127.0.0.1"


def _kube_apiserver(cluster: ResolvedCluster, host: Host) -> _Pod:
    spec = cluster.cluster.spec
    component: Component = spec.api_server
    path = cluster.pki_path
    args = {
        "advertise-address": host.address,
        "allow-privileged": "true",
        "client-ca-file": path("ca.crt"),
        "enable-admission-plugins": "NodeRestriction",
        "enable-bootstrap-token-auth": "true",
        "kubelet-client-certificate": path("apiserver-kubelet-client.crt"),
        "kubelet-client-key": path("apiserver-kubelet-client.key"),
        "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
        "proxy-client-cert-file": path("front-proxy-client.crt"),
        "proxy-client-key-file": path("front-proxy-client.key"),
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-client-ca-file": path("front-proxy-ca.crt"),
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "secure-port": str(host.settings.bind_port),
        "service-account-issuer": f"https://kubernetes.default.svc.{spec.networking.dns_domain}",
        "service-account-key-file": path("sa.pub"),
        "service-account-signing-key-file": path("sa.key"),
        "service-cluster-ip-range": spec.networking.service_subnet,
        "tls-cert-file": path("apiserver.crt"),
        "tls-private-key-file": path("apiserver.key"),
    }
    external = spec.etcd.external
    if external is None:
        local_args = spec.etcd.local.extra_args if spec.etcd.local else {}
        own_urls = local_args.get("advertise-client-urls")
        args |= {
            "etcd-cafile": path("etcd/ca.crt"),
            "etcd-certfile": path("apiserver-etcd-client.crt"),
            "etcd-keyfile": path("apiserver-etcd-client.key"),
            "etcd-servers": own_urls[-1] if own_urls else f"https://{network.join_host_port(_loopback(host), 2379)}",
        }
    else:
        args["etcd-servers"] = ",".join(external.endpoints)
        if external.ca_file:
            args["etcd-cafile"] = external.ca_file
        if external.cert_file and external.key_file:
            args |= {"etcd-certfile": external.cert_file, "etcd-keyfile": external.key_file}
    extra_args = dict(component.extra_args)
    if cluster.version.stores_api_server_defaults:
        extra_args["authorization-mode"] = (authorization_modes(component.extra_args),)
    elif "authorization-config" not in extra_args:
        args["authorization-mode"] = DEFAULT_AUTHORIZATION_MODES
    endpoint_annotation = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"
    return _Pod(
        name="kube-apiserver",
        image=images.component(cluster, "kube-apiserver"),
        args=args,
        extra_args=extra_args,
        extra_envs=component.extra_envs,
        mounts=_mounts("kube-apiserver", cluster, component),
        probes=Probes("/livez", "/livez", "/readyz"),
        probe_host=host.address,
        probe_port=host.settings.bind_port,
        probe_scheme="HTTPS",
        requests={"cpu": "250m"},
        annotations={endpoint_annotation: host.api_endpoint},
    )


def _last(args: Args, name: str) -> str | None:
    values = args.get(name)
    return values[-1] if values else None


def _probe_host(args: Args) -> str | None:
    """Where to probe: the bind-address; none for an empty or unspecified one (kubeadm's getProbeAddress)."""
    requested = _last(args, "bind-address")
    if requested is None:
        return "127.0.0.1"
    return None if requested in ("", "0.0.0.0", "::") else requested


@dataclass(frozen=True, slots=True)
class _MetricsEndpoint:
    host: str
    port: int
    scheme: str


def _metrics_endpoint(args: Args, host: Host) -> _MetricsEndpoint:
    """Where etcd is probed: the first of its listen-metrics-urls (kubeadm's GetEtcdProbeEndpoint)."""
    requested = _last(args, "listen-metrics-urls")
    default = _MetricsEndpoint(_loopback(host), 2381, "HTTP")
    if requested is None:
        return default
    try:
        url = urlsplit(requested.split(",")[0])
        return _MetricsEndpoint(
            url.hostname or default.host, url.port or default.port, "HTTPS" if url.scheme == "https" else "HTTP"
        )
    except ValueError:
        return default


def _kube_controller_manager(cluster: ResolvedCluster, _host: Host) -> _Pod:
    spec = cluster.cluster.spec
    component: Component = spec.controller_manager
    path = cluster.pki_path
    kubeconfig = f"{KUBERNETES_DIR}/controller-manager.conf"
    args = {
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": "127.0.0.1",
        "client-ca-file": path("ca.crt"),
        "cluster-name": cluster.name,
        "cluster-signing-cert-file": path("ca.crt"),
        "cluster-signing-key-file": path("ca.key"),
        "controllers": "*,bootstrapsigner,tokencleaner",
        "kubeconfig": kubeconfig,
        "leader-elect": "true",
        "requestheader-client-ca-file": path("front-proxy-ca.crt"),
        "root-ca-file": path("ca.crt"),
        "service-account-private-key-file": path("sa.key"),
        "use-service-account-credentials": "true",
    }
    if spec.networking.pod_subnet:
        args |= {
            "allocate-node-cidrs": "true",
            "cluster-cidr": spec.networking.pod_subnet,
            "service-cluster-ip-range": spec.networking.service_subnet,
        }
    return _Pod(
        name="kube-controller-manager",
        image=images.component(cluster, "kube-controller-manager"),
        args=args,
        extra_args=component.extra_args,
        extra_envs=component.extra_envs,
        mounts=_mounts("kube-controller-manager", cluster, component),
        probes=Probes("/healthz", "/healthz"),
        probe_host=_probe_host(component.extra_args),
        probe_port=10257,
        probe_scheme="HTTPS",
        requests={"cpu": "200m"},
        annotations={},
    )


def _kube_scheduler(cluster: ResolvedCluster, _host: Host) -> _Pod:
    component = cluster.cluster.spec.scheduler
    kubeconfig = f"{KUBERNETES_DIR}/scheduler.conf"
    return _Pod(
        name="kube-scheduler",
        image=images.component(cluster, "kube-scheduler"),
        args={
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            "bind-address": "127.0.0.1",
            "kubeconfig": kubeconfig,
            "leader-elect": "true",
        },
        extra_args=component.extra_args,
        extra_envs=component.extra_envs,
        mounts=_mounts("kube-scheduler", cluster, component),
        probes=cluster.version.scheduler_probes,
        probe_host=_probe_host(component.extra_args),
        probe_port=10259,
        probe_scheme="HTTPS",
        requests={"cpu": "100m"},
        annotations={},
    )


def _etcd_membership(cluster: ResolvedCluster) -> dict[str, str]:
    """Which members an etcd looks for when it starts with an empty disk.

    Before ``bootstrapped`` all declared members found one cluster together, in any order. Afterwards a member
    with an empty disk may only join the one that exists.
    """
    peers = (f"{peer.name}={peer.etcd_peer_url}" for peer in cluster.control_plane)
    members = {"initial-cluster": ",".join(peers)}
    if cluster.cluster.spec.control_plane.bootstrapped:
        return {**members, "initial-cluster-state": "existing"}
    return {**members, "initial-cluster-state": "new"} if len(cluster.control_plane) > 1 else members


def _is_known_from(tag: str, first: tuple[int, int, int]) -> bool:
    """Whether an image's tag is a semantic version of at least ``first``: its pre-releases are less than it."""
    number = r"(0|[1-9]\d{0,8})"
    found = re.fullmatch(rf"v?{number}\.{number}\.{number}(-[0-9A-Za-z.-]+)?", tag, re.ASCII)
    if found is None:
        return False
    version = (int(found[1]), int(found[2]), int(found[3]))
    return version > first or (version == first and found[4] is None)


def _etcd_version_args(cluster: ResolvedCluster) -> dict[str, str]:
    """The flags that depend on the etcd that runs (kubernetes/kubernetes PR 133023)."""
    newer, older = cluster.version.etcd_args, cluster.version.older_etcd_args
    return dict(newer if older is None or _is_known_from(images.etcd_tag(cluster), (3, 6, 0)) else older)


def _etcd(cluster: ResolvedCluster, host: Host) -> _Pod:
    local = cluster.cluster.spec.etcd.local
    data_dir = local.data_dir if local else "/var/lib/etcd"
    extra_args = local.extra_args if local else {}
    path = cluster.pki_path
    client_url = host.etcd_client_url
    metrics_url = f"http://{network.join_host_port(_loopback(host), 2381)}"
    metrics = _metrics_endpoint(extra_args, host)
    return _Pod(
        name="etcd",
        image=images.etcd(cluster),
        args={
            "advertise-client-urls": client_url,
            "cert-file": path("etcd/server.crt"),
            "client-cert-auth": "true",
            "data-dir": data_dir,
            "initial-advertise-peer-urls": host.etcd_peer_url,
            "key-file": path("etcd/server.key"),
            "listen-client-urls": f"https://{network.join_host_port(_loopback(host), 2379)},{client_url}",
            "listen-metrics-urls": metrics_url,
            "listen-peer-urls": host.etcd_peer_url,
            "name": host.name,
            "peer-cert-file": path("etcd/peer.crt"),
            "peer-client-cert-auth": "true",
            "peer-key-file": path("etcd/peer.key"),
            "peer-trusted-ca-file": path("etcd/ca.crt"),
            "snapshot-count": "10000",
            "trusted-ca-file": path("etcd/ca.crt"),
            **_etcd_version_args(cluster),
            **_etcd_membership(cluster),
        },
        extra_args=extra_args,
        extra_envs=local.extra_envs if local else (),
        mounts=mounts.compiled("etcd", cluster.cluster.spec, cluster.version),
        probes=cluster.version.etcd_probes,
        probe_host=metrics.host,
        probe_port=metrics.port,
        probe_scheme=metrics.scheme,
        requests={"cpu": "100m", "memory": "100Mi"},
        annotations={"kubeadm.kubernetes.io/etcd.advertise-client-urls": client_url},
    )


_PODS = {
    "etcd": _etcd,
    "kube-apiserver": _kube_apiserver,
    "kube-controller-manager": _kube_controller_manager,
    "kube-scheduler": _kube_scheduler,
}


def _credentials_digests(cluster: ResolvedCluster, keyring: Keyring, host: Host) -> dict[str, str]:
    """For each pod, a digest of the public part of the credentials that it loads when it starts.

    It changes when one of them does, so that a renewal restarts the pods that need it and no others.
    """
    leaves = {leaf.name: leaf for leaf in control_plane_leaves(cluster, host)} | kubeconfig_leaves(cluster, host)
    certificates = {name: keyring.credential(leaf).certificate for name, leaf in leaves.items()}
    bundles = {"ca": keyring.bundle("kubernetes"), "front-proxy-ca": keyring.bundle("front-proxy")}
    if cluster.has_local_etcd:
        bundles["etcd/ca"] = keyring.bundle("etcd")
    known = certificates | bundles | {"sa.pub": keyring.service_account_public_keys()}
    loaded = {
        "etcd": ("etcd/ca", "etcd/server", "etcd/peer"),
        "kube-apiserver": (
            "ca",
            "front-proxy-ca",
            "etcd/ca",
            "apiserver",
            "apiserver-kubelet-client",
            "apiserver-etcd-client",
            "front-proxy-client",
            "sa.pub",
        ),
        "kube-controller-manager": ("ca", "front-proxy-ca", "controller-manager.conf", "sa.pub"),
        "kube-scheduler": ("ca", "scheduler.conf"),
    }
    digests = {}
    for pod, files in loaded.items():
        digest = hashlib.sha256()
        for name in files:
            content = known.get(name, b"")
            digest.update(f"{name}:{len(content)}:".encode() + content)
        digests[pod] = digest.hexdigest()
    return digests


def _signer_args(cluster: ResolvedCluster, keyring: Keyring) -> dict[str, str]:
    """What the controller manager signs with, where that is not kubeadm's ca.crt and ca.key."""
    if keyring.is_external("kubernetes"):  # nothing: the signer must not start
        return {"cluster-signing-cert-file": "", "cluster-signing-key-file": ""}
    if len(keyring.certificates("kubernetes")) > 1:  # it reads one certificate, and ca.crt holds all that are believed
        return {"cluster-signing-cert-file": cluster.pki_path(SIGNING_CERTIFICATE)}
    return {}


def documents(
    cluster: ResolvedCluster, host: Host, signer_args: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A control-plane host's pods by name, patched. Raises SpecError at the end, with what does not apply."""
    problems: list[Problem] = []
    for name, build in _PODS.items():
        if name != "etcd" or cluster.has_local_etcd:
            pod = build(cluster, host)
            if name == "kube-controller-manager":
                pod = replace(pod, args={**pod.args, **signer_args})
            document = _manifest(cluster, pod)
            with gathered(problems):
                yield name, patching.apply_all(document, cluster.cluster.spec.patches, name, host.name)
    if problems:
        raise SpecError(problems)


def emit(cluster: ResolvedCluster, keyring: Keyring) -> Iterator[Artifact]:
    """The static pods of every control-plane host."""
    signer_args = _signer_args(cluster, keyring)
    for host in cluster.control_plane:
        digests = _credentials_digests(cluster, keyring, host)
        for name, document in documents(cluster, host, signer_args):
            own = {"annotations": {"kcompile.dev/credentials-sha256": digests[name]}}
            content = yamlfmt.dump(merge(document, {"metadata": own}))
            yield Artifact(f"{MANIFESTS_DIR}/{name}.yaml", content, host.name, PRIVATE_MODE)
