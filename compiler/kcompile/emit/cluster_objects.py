"""What kubeadm uploads to the API server: configuration, bootstrap tokens, RBAC, cluster-info.

Source: kubeadm, ``cmd/kubeadm/app/phases/uploadconfig``, ``phases/kubelet`` and ``phases/bootstraptoken``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kcompile import component_config, kubeobjects, timefmt, yamlfmt
from kcompile.artifact import PRIVATE_MODE, Artifact, SealedYaml
from kcompile.flags import authorization_modes
from kcompile.hosts import ResolvedCluster
from kcompile.keyring import Keyring
from kcompile.kubeobjects import binding, config_map, environment_variable, group, role, user
from kcompile.secret import Secret
from kcompile.spec import BootstrapToken, Component, ExtraArgs, LocalEtcd

_BOOTSTRAPPERS = "system:bootstrappers:kubeadm:default-node-token"
_NODES = "system:nodes"


def _drop_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in (None, "", [], {}, ())}


def _extra_args(args: ExtraArgs, *, as_list: bool) -> Any:
    """ExtraArgs as kubeadm stores them: a list from v1beta4 on, a map before (where a flag stood once)."""
    if as_list:
        return [{"name": name, "value": value} for name, values in args.items() for value in values]
    return {name: values[-1] for name, values in args.items() if values}


def _component(component: Component, *, as_list: bool) -> dict[str, Any]:
    return _drop_empty(
        {
            "extraArgs": _extra_args(component.extra_args, as_list=as_list),
            "extraEnvs": list(map(environment_variable, component.extra_envs)) if as_list else [],
            "extraVolumes": [
                {
                    "hostPath": v.host_path,
                    "mountPath": v.mount_path,
                    "name": v.name,
                    **_drop_empty({"pathType": v.path_type}),
                    **({"readOnly": True} if v.read_only else {}),
                }
                for v in component.extra_volumes
            ],
        }
    )


def _etcd(cluster: ResolvedCluster, *, as_list: bool) -> dict[str, Any]:
    etcd = cluster.cluster.spec.etcd
    if etcd.external is not None:
        external = etcd.external
        return {
            "external": {
                "caFile": external.ca_file or "",
                "certFile": external.cert_file or "",
                "endpoints": list(external.endpoints),
                "keyFile": external.key_file or "",
            }
        }
    local = etcd.local or LocalEtcd()
    return {
        "local": {
            "dataDir": local.data_dir,
            **_drop_empty(
                {
                    "extraArgs": _extra_args(local.extra_args, as_list=as_list),
                    "extraEnvs": list(map(environment_variable, local.extra_envs)) if as_list else [],
                    "imageRepository": local.image_repository,
                    "imageTag": local.image_tag,
                    "peerCertSANs": list(local.peer_cert_sans),
                    "serverCertSANs": list(local.server_cert_sans),
                }
            ),
        }
    }


def cluster_configuration(cluster: ResolvedCluster) -> dict[str, Any]:
    """Kubeadm's ClusterConfiguration of the cluster, as it is stored in kubeadm-config."""
    spec = cluster.cluster.spec
    as_list = cluster.version.config_api == "v1beta4"
    api_server = _component(spec.api_server, as_list=as_list) | _drop_empty(
        {"certSANs": list(spec.api_server.cert_sans)}
    )
    if cluster.version.stores_api_server_defaults:
        api_server["timeoutForControlPlane"] = "4m0s"
        modes = authorization_modes(spec.api_server.extra_args)
        api_server["extraArgs"] = {**api_server.get("extraArgs", {}), "authorization-mode": modes}
    gates = dict(spec.feature_gates)
    newer: dict[str, Any] = {}
    if not as_list and spec.key_algorithm == "ECDSA-P256":
        gates["PublicKeysECDSA"] = True  # how v1beta3 says it
    if as_list:
        newer = {
            "caCertificateValidityPeriod": _duration(spec.pki.ca_certificate_validity_period),
            "certificateValidityPeriod": _duration(spec.pki.certificate_validity_period),
            "encryptionAlgorithm": spec.pki.encryption_algorithm,
            "proxy": {"disabled": True} if spec.proxy.disabled else {},
        }
    return {
        "apiServer": api_server,
        "apiVersion": f"kubeadm.k8s.io/{cluster.version.config_api}",
        "certificatesDir": spec.pki.certificates_dir,
        "clusterName": cluster.name,
        **({"controlPlaneEndpoint": cluster.endpoint} if spec.control_plane_endpoint else {}),
        "controllerManager": _component(spec.controller_manager, as_list=as_list),
        "dns": {
            **({"disabled": True} if spec.dns.disabled and as_list else {}),
            **_drop_empty({"imageRepository": spec.dns.image_repository, "imageTag": spec.dns.image_tag}),
        },
        "etcd": _etcd(cluster, as_list=as_list),
        **_drop_empty({"featureGates": gates}),
        "imageRepository": spec.image_repository,
        "kind": "ClusterConfiguration",
        "kubernetesVersion": spec.kubernetes_version,
        "networking": {
            "dnsDomain": spec.networking.dns_domain,
            **_drop_empty({"podSubnet": spec.networking.pod_subnet}),
            "serviceSubnet": spec.networking.service_subnet,
        },
        "scheduler": _component(spec.scheduler, as_list=as_list),
        **newer,
    }


def _duration(text: str) -> str:
    return timefmt.format_duration(timefmt.parse_duration(text))


def _kubeadm_config(cluster: ResolvedCluster) -> list[dict[str, Any]]:
    name, namespace = "kubeadm:nodes-kubeadm-config", "kube-system"
    content = yamlfmt.dump(cluster_configuration(cluster)).decode()
    return [
        config_map("kubeadm-config", namespace, {"ClusterConfiguration": content}),
        role(name, [_reads_config_map("kubeadm-config")], namespace),
        binding(name, "Role", name, [group(_BOOTSTRAPPERS), group(_NODES)], namespace),
    ]


def _reads_config_map(name: str) -> dict[str, Any]:
    return {"apiGroups": [""], "resourceNames": [name], "resources": ["configmaps"], "verbs": ["get"]}


def _kubelet_config(cluster: ResolvedCluster) -> list[dict[str, Any]]:
    name, namespace = "kubeadm:kubelet-config", "kube-system"
    overrides = cluster.cluster.spec.kubelet
    data = {"kubelet": yamlfmt.dump(component_config.kubelet(cluster, overrides)).decode()}
    return [
        config_map("kubelet-config", namespace, data, signed=not overrides),
        role(name, [_reads_config_map("kubelet-config")], namespace),
        binding(name, "Role", name, [group(_NODES), group(_BOOTSTRAPPERS)], namespace),
    ]


def _bootstrap_rbac(cluster: ResolvedCluster) -> list[dict[str, Any]]:
    certificates = "system:certificates.k8s.io:certificatesigningrequests"
    node_getter = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}
    bound: Sequence[tuple[str, str, dict[str, Any]]] = (
        ("kubeadm:get-nodes", "kubeadm:get-nodes", group(_BOOTSTRAPPERS)),
        ("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", group(_BOOTSTRAPPERS)),
        ("kubeadm:node-autoapprove-bootstrap", f"{certificates}:nodeclient", group(_BOOTSTRAPPERS)),
        ("kubeadm:node-autoapprove-certificate-rotation", f"{certificates}:selfnodeclient", group(_NODES)),
    )
    if cluster.version.binds_kubelet_client:
        client = user("kube-apiserver-kubelet-client")
        bound = (*bound, ("kubeadm:apiserver-kubelet-client", "system:kubelet-api-admin", client))
    return [
        role("kubeadm:get-nodes", [node_getter]),
        *(binding(name, "ClusterRole", granted, [subject]) for name, granted, subject in bound),
    ]


def _cluster_info(cluster: ResolvedCluster, keyring: Keyring) -> list[dict[str, Any]]:
    name, namespace = "kubeadm:bootstrap-signer-clusterinfo", "kube-public"
    authority = base64.b64encode(keyring.bundle("kubernetes")).decode()
    kubeconfig: dict[str, Any] = {
        "apiVersion": "v1",
        "clusters": [
            {
                "cluster": {"certificate-authority-data": authority, "server": f"https://{cluster.endpoint}"},
                "name": "",
            }
        ],
        "contexts": None,
        "current-context": "",
        "kind": "Config",
        **({"preferences": {}} if cluster.version.writes_preferences else {}),
        "users": None,
    }
    return [
        config_map("cluster-info", namespace, {"kubeconfig": yamlfmt.dump(kubeconfig).decode()}),
        role(name, [_reads_config_map("cluster-info")], namespace),
        binding(name, "Role", name, [user("system:anonymous")], namespace),
    ]


def _token(token: BootstrapToken, keyring: Keyring) -> dict[str, Any]:
    """A bootstrap token Secret (kubeadm's bootstraptoken/v1 ToSecret); only its secret half is sealed."""
    text = {
        "auth-extra-groups": ",".join(token.groups) if "authentication" in token.usages else "",
        "description": token.description,
        "expiration": token.expires,
        "token-id": token.id,
        **{f"usage-bootstrap-{usage}": "true" for usage in token.usages},
    }
    data: dict[str, Any] = {key: base64.b64encode(value.encode()).decode() for key, value in text.items() if value}
    data["token-secret"] = Secret(base64.b64encode(keyring.token_secret(token.id).reveal()))
    return {
        "apiVersion": "v1",
        "data": dict(sorted(data.items())),
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{token.id}", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
    }


def emit(cluster: ResolvedCluster, keyring: Keyring) -> Iterator[Artifact]:
    """The objects in the order in which they are to be applied."""
    version = cluster.version

    def objects(name: str, documents: Sequence[dict[str, Any]]) -> Artifact:
        return Artifact(f"cluster/{name}.yaml", kubeobjects.dump(documents, version))

    if version.has_super_admin_conf:
        admins = "kubeadm:cluster-admins"
        yield objects("00-cluster-admins", [binding(admins, "ClusterRole", "cluster-admin", [group(admins)])])
    yield objects("10-kubeadm-config", _kubeadm_config(cluster))
    yield objects("11-kubelet-config", _kubelet_config(cluster))
    for token in cluster.cluster.spec.bootstrap_tokens:
        path = f"cluster/sealed/20-bootstrap-token-{token.id}.yaml"
        yield Artifact(path, SealedYaml(kubeobjects.written(_token(token, keyring), version)), mode=PRIVATE_MODE)
    yield objects("30-bootstrap-rbac", _bootstrap_rbac(cluster))
    yield objects("40-cluster-info", _cluster_info(cluster, keyring))
