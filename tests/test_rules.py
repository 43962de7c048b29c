"""What the rules say of cases beside those below problems/: each with its exact words."""

# ruff: noqa: E501

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from kcompile import load, validate
from kcompile.errors import Severity, format_path

from conftest import minimal

NOW = datetime(2026, 11, 24, tzinfo=UTC)
RECIPIENT = "age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37"
DUAL = {"podSubnet": "10.244.0.0/16,fd00:10::/48", "serviceSubnet": "10.96.0.0/16,fd00:20::/112"}
SINGLE = {"podSubnet": "10.244.0.0/16"}


def said(**fields: Any) -> list[str]:
    """Code, path, message and hint of each problem of a small spec with some fields; a warning begins with w."""
    text = yaml.safe_dump(minimal(RECIPIENT, **fields), sort_keys=False)
    return [
        f"{'w' if p.severity is Severity.WARNING else ''}{p.code} {format_path(p.path).removeprefix('spec.')}: {p.message}"
        + (f" | {p.hint}" if p.hint else "")
        for p in validate.examined(load.parse("f.yaml", text.encode()), NOW).problems
    ]


def masks(networking: dict[str, str], **flags: str) -> dict[str, Any]:
    args = {name.replace("_", "-"): value for name, value in flags.items()}
    return {"networking": networking, "controllerManager": {"extraArgs": args}}


def pool(**settings: Any) -> dict[str, Any]:
    nodes = [{"name": "w-1", "address": "10.0.1.1"}]
    return {"nodePools": [{"name": "general", "credentials": "issued", "nodes": nodes, **settings}]}


def etcd(tag: str | None, **flags: str) -> dict[str, Any]:
    args = {name.replace("_", "-"): value for name, value in flags.items()}
    return {"etcd": {"local": {"extraArgs": args, **({"imageTag": tag} if tag else {})}}}


CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "mask-with-two-ranges": (
        masks(DUAL, node_cidr_mask_size="25"),
        [
            "K0419 controllerManager.extraArgs.node-cidr-mask-size: is not allowed with two pod ranges: each family has a flag of its own | use node-cidr-mask-size-ipv4 and node-cidr-mask-size-ipv6"
        ],
    ),
    "mask-of-a-family-with-two-ranges": (
        masks(DUAL, node_cidr_mask_size_ipv4="28", node_cidr_mask_size_ipv6="80"),
        [
            "K0407 networking.podSubnet: fd00:10::/48 holds more than 65,536 node ranges of /80, which the controller manager refuses | use a prefix length of 64 or more, or set node-cidr-mask-size-ipv6 in controllerManager.extraArgs",
            "wK0416 networking.podSubnet: a node runs up to 110 pods, and the /28 it gets of 10.244.0.0/16 has 14 addresses | lower maxPods, or set a shorter node-cidr-mask-size-ipv4 in controllerManager.extraArgs",
        ],
    ),
    "mask-of-a-family-with-one-range": (
        masks(SINGLE, node_cidr_mask_size_ipv4="28"),
        [
            "wK0416 networking.podSubnet: a node runs up to 110 pods, and the /28 it gets of 10.244.0.0/16 has 14 addresses | lower maxPods, or set a shorter node-cidr-mask-size-ipv4 in controllerManager.extraArgs"
        ],
    ),
    "mask-of-the-other-family": (
        masks(SINGLE, node_cidr_mask_size_ipv6="64"),
        [
            "K0419 controllerManager.extraArgs.node-cidr-mask-size-ipv6: is not allowed: there is no IPv6 pod range | use node-cidr-mask-size-ipv4, or leave it out"
        ],
    ),
    "mask-that-is-0": (
        masks(SINGLE, node_cidr_mask_size="0"),
        [],
    ),
    "mask-in-hexadecimal": (
        masks(SINGLE, node_cidr_mask_size="0x1A"),
        [
            "wK0416 networking.podSubnet: a node runs up to 110 pods, and the /26 it gets of 10.244.0.0/16 has 62 addresses | lower maxPods, or set a shorter node-cidr-mask-size in controllerManager.extraArgs"
        ],
    ),
    "mask-that-is-too-long": (
        masks(SINGLE, node_cidr_mask_size="33"),
        [
            "K0419 controllerManager.extraArgs.node-cidr-mask-size: is 33, and prefix lengths go from 1 to 32 | write 32 or less"
        ],
    ),
    "mask-of-one-address": (
        masks(SINGLE, node_cidr_mask_size="32"),
        [
            "wK0416 networking.podSubnet: a node runs up to 110 pods, and the /32 it gets of 10.244.0.0/16 has 0 addresses | lower maxPods, or set a shorter node-cidr-mask-size in controllerManager.extraArgs"
        ],
    ),
    "mask-that-is-no-number": (
        masks(SINGLE, node_cidr_mask_size="abc"),
        [
            "K0419 controllerManager.extraArgs.node-cidr-mask-size: is no number, and the controller manager does not start | write one, for example 24"
        ],
    ),
    "mask-but-no-ranges-are-given-out": (
        masks({"podSubnet": "10.244.0.0/25"}, allocate_node_cidrs="F"),
        [],
    ),
    "mask-and-go-has-another-true": (
        masks({"podSubnet": "10.244.0.0/25"}, allocate_node_cidrs="T"),
        [
            "K0406 networking.podSubnet: 10.244.0.0/25 is smaller than the /24 that each node gets of it | use a prefix length of 24 or less, or set node-cidr-mask-size in controllerManager.extraArgs"
        ],
    ),
    "mask-of-another-range": (
        masks({"podSubnet": "10.244.0.0/25"}, cluster_cidr="10.128.0.0/10"),
        [
            "wK0609 controllerManager.extraArgs.cluster-cidr: cluster-cidr is compiled, or goes by another field of the spec; another value may break the cluster | leave it out unless you are sure"
        ],
    ),
    "mask-of-another-range-that-is-too-small": (
        masks(SINGLE, cluster_cidr="10.128.0.0/25"),
        [
            "wK0609 controllerManager.extraArgs.cluster-cidr: cluster-cidr is compiled, or goes by another field of the spec; another value may break the cluster | leave it out unless you are sure",
            "K0406 controllerManager.extraArgs.cluster-cidr: 10.128.0.0/25 is smaller than the /24 that each node gets of it | use a prefix length of 24 or less, or set node-cidr-mask-size in controllerManager.extraArgs",
        ],
    ),
    "max-pods-that-every-node-sets": (
        {
            **masks(SINGLE, node_cidr_mask_size="26"),
            "controlPlane": {"kubelet": {"maxPods": 62}, "nodes": [{"name": "cp-1", "address": "10.0.0.11"}]},
        },
        [],
    ),
    "max-pods-that-one-node-sets": (
        {**masks(SINGLE, node_cidr_mask_size="26"), **pool(kubelet={"maxPods": 63})},
        [
            "wK0416 networking.podSubnet: a node runs up to 110 pods, and the /26 it gets of 10.244.0.0/16 has 62 addresses | lower maxPods, or set a shorter node-cidr-mask-size in controllerManager.extraArgs",
            "wK0416 nodePools[0].kubelet.maxPods: a node runs up to 63 pods, and the /26 it gets of 10.244.0.0/16 has 62 addresses | lower maxPods, or set a shorter node-cidr-mask-size in controllerManager.extraArgs",
        ],
    ),
    "max-pods-that-is-negative": (
        {"kubelet": {"maxPods": -1}},
        ["K0637 kubelet.maxPods: must be 0 or more | correct it, or leave it out for the default"],
    ),
    "endpoint-multicast": (
        {"controlPlaneEndpoint": "224.0.0.1"},
        [
            "K0413 controlPlaneEndpoint: no other machine reaches 224.0.0.1: it is a multicast address | use an address or a name that reaches the API servers"
        ],
    ),
    "endpoint-broadcast": (
        {"controlPlaneEndpoint": "255.255.255.255:6443"},
        [
            "K0413 controlPlaneEndpoint: no other machine reaches 255.255.255.255: it is the broadcast address | use an address or a name that reaches the API servers"
        ],
    ),
    "endpoint-link-local": (
        {"controlPlaneEndpoint": "169.254.1.1"},
        [
            "K0413 controlPlaneEndpoint: no other machine reaches 169.254.1.1: it is a link-local address | use an address or a name that reaches the API servers"
        ],
    ),
    "endpoint-link-local-6": (
        {"controlPlaneEndpoint": "[fe80::1]:6443"},
        [
            "K0413 controlPlaneEndpoint: no other machine reaches fe80::1: it is a link-local address | use an address or a name that reaches the API servers"
        ],
    ),
    "endpoint-localhost": (
        {"controlPlaneEndpoint": "localhost:6443"},
        [
            "K0413 controlPlaneEndpoint: no other machine reaches localhost: it is the machine itself | use an address or a name that reaches the API servers"
        ],
    ),
    "endpoint-mapped": (
        {"controlPlaneEndpoint": "::ffff:10.0.0.11"},
        ["K0329 controlPlaneEndpoint: is an IPv4 address written as an IPv6 one | write 10.0.0.11"],
    ),
    "endpoint-in-capitals": (
        {"controlPlaneEndpoint": "API.example.com:6443"},
        ["K0302 controlPlaneEndpoint: 'API.example.com' is not an RFC 1123 subdomain | write api.example.com"],
    ),
    "flag-with-underscores": (
        {"apiServer": {"extraArgs": {"tls_cert_file": "x"}}},
        ["K0315 apiServer.extraArgs.tls_cert_file: 'tls_cert_file' is not a flag name | write tls-cert-file"],
    ),
    "etcd-flag-of-another-minor": (
        etcd(None, enable_v2="true", experimental_initial_corrupt_check="true"),
        [
            "K0624 etcd.local.extraArgs.enable-v2: etcd has no flag --enable-v2 since 3.6, and this is 3.6 | leave it out"
        ],
    ),
    "etcd-flag-that-comes-later": (
        {"kubernetesVersion": "v1.33.3", **etcd(None, feature_gates="x=true")},
        [
            "wK0625 etcd.local.extraArgs.feature-gates: etcd has the flag --feature-gates from 3.6 on, and this is 3.5 | leave it out until then"
        ],
    ),
    "etcd-flag-gone-by-the-tag": (
        etcd("3.7.0-0", experimental_initial_corrupt_check="true"),
        [
            "K0624 etcd.local.extraArgs.experimental-initial-corrupt-check: etcd has no flag --experimental-initial-corrupt-check since 3.7, and this is 3.7 | use --feature-gates=InitialCorruptCheck=true"
        ],
    ),
    "etcd-flag-and-a-tag-that-says-nothing": (
        etcd("latest", enable_v2="true"),
        [],
    ),
    "etcd-flag-misspelled": (
        etcd(None, quota_backend_byte="1"),
        [
            "wK0629 etcd.local.extraArgs.quota-backend-byte: etcd is not known to have a flag --quota-backend-byte | did you mean quota-backend-bytes?"
        ],
    ),
    "flag-like-one-that-is-gone": (
        pool(nodeRegistration={"kubeletExtraArgs": {"container-runtim": "remote", "cni-conf-dr": "x"}}),
        [
            "wK0626 nodePools[0].nodeRegistration.kubeletExtraArgs.container-runtim: kubelet is not known to have a flag --container-runtim | if you mean container-runtime: use --container-runtime-endpoint",
            "wK0626 nodePools[0].nodeRegistration.kubeletExtraArgs.cni-conf-dr: kubelet is not known to have a flag --cni-conf-dr | if you mean cni-conf-dir: use the settings of the container runtime",
        ],
    ),
    "gate-like-a-known-one-of-a-later-minor": (
        {"apiServer": {"extraArgs": {"feature-gates": "SidecarContainer=true,New=true,=true"}}},
        [
            "wK0627 apiServer.extraArgs.feature-gates: a feature gate without its name | write Name=true",
            "wK0627 apiServer.extraArgs.feature-gates: v1.36 is not known to have a feature gate SidecarContainer | did you mean SidecarContainers?",
        ],
    ),
    "version-of-many-digits": (
        {"kubernetesVersion": "v1." + "9" * 20 + ".0"},
        ["K0309 kubernetesVersion: 'v1.99999999999999999999.0' is not a Kubernetes version | write it as v1.36.2"],
    ),
    "address-with-zeros": (
        {"controlPlane": {"nodes": [{"name": "cp-1", "address": "010.0.0.11"}]}},
        ["K0305 controlPlane.nodes[0].address: '010.0.0.11' is not an IP address | write 10.0.0.11"],
    ),
    "address-in-brackets": (
        {"controlPlane": {"nodes": [{"name": "cp-1", "address": "[fd00::1]"}]}},
        ["K0305 controlPlane.nodes[0].address: '[fd00::1]' is not an IP address | leave out the brackets"],
    ),
    "address-with-a-port": (
        {"controlPlane": {"nodes": [{"name": "cp-1", "address": "10.0.0.11:6443"}]}},
        ["K0305 controlPlane.nodes[0].address: '10.0.0.11:6443' is not an IP address | leave out the port"],
    ),
    "range-that-lacks-a-part": (
        {"networking": {"serviceSubnet": "10.112.0/16"}},
        ["K0307 networking.serviceSubnet: '10.112.0/16' is not a CIDR range | write 10.112.0.0/16"],
    ),
    "range-that-is-none": (
        {"networking": {"serviceSubnet": "services"}},
        [
            "K0307 networking.serviceSubnet: 'services' is not a CIDR range | write an address and the length of its prefix, as in 192.0.2.0/24 or 2001:db8::/112"
        ],
    ),
    "period-too-short": (
        {"pki": {"issuedAt": "2026-11-23T00:00:00Z", "certificateValidityPeriod": "1ns"}},
        ["K0310 pki.certificateValidityPeriod: '1ns' is shorter than a second | write how long, for example 8760h"],
    ),
    "value-that-is-nothing": (
        {"patches": [{"target": None, "patch": {}}]},
        [
            "K0205 patches[0].target: nothing is not one of the values allowed here | use one of kube-apiserver, kube-controller-manager, kube-scheduler, etcd, kubeletconfiguration, corednsdeployment, kube-proxy"
        ],
    ),
    "value-that-is-a-list": (
        {"pki": {"issuedAt": "2026-11-23T00:00:00Z", "encryptionAlgorithm": []}},
        [
            "K0205 pki.encryptionAlgorithm: a list is not one of the values allowed here | use one of RSA-2048, RSA-3072, RSA-4096, ECDSA-P256, ECDSA-P384"
        ],
    ),
    "what-lacks-everything": (
        {"nodePools": [{"name": "general", "nodes": [{}]}]},
        [
            "K0202 nodePools[0].nodes[0].name: is required and missing | `kcompile explain spec.nodePools[0].nodes[0].name` shows what it is",
            "K0202 nodePools[0].nodes[0].address: is required and missing | `kcompile explain spec.nodePools[0].nodes[0].address` shows what it is",
        ],
    ),
    "key-in-a-flag": (
        {"apiServer": {"extraArgs": {"x": "AGE-SECRET-KEY-1QQ"}}},
        [
            "wK0626 apiServer.extraArgs.x: kube-apiserver is not known to have a flag --x | leave it out, or see in the component's --help that it is there: then it is passed on as it is",
            "K0330 apiServer.extraArgs.x: holds what looks like a private key | put it into a file on the host, name that file, and replace the key: whoever has seen this has it",
        ],
    ),
    "manifest-twice": (
        {"manifests": ["a.yaml", "b.yaml", "a.yaml"]},
        ["K0501 manifests[2]: the manifest a.yaml is there already, on line 18 | remove it"],
    ),
    "dns-at-another-service-address": (
        {"networking": {"serviceSubnet": "10.112.0.0/16"}, "kubelet": {"clusterDNS": ["10.96.0.10", "10.112.0.11"]}},
        [
            "wK0638 kubelet.clusterDNS[1]: 10.112.0.11 is not the address of cluster DNS, 10.112.0.10 | leave clusterDNS out"
        ],
    ),
    "dns-elsewhere-without-coredns": (
        {"dns": {"disabled": True}, "kubelet": {"clusterDNS": ["10.96.0.11"]}},
        [],
    ),
    "anonymous-requests-refused": (
        {"kubernetesVersion": "v1.31.4", "apiServer": {"extraArgs": {"anonymous-auth": ["true", "F"]}}},
        [
            "wK0639 apiServer.extraArgs.anonymous-auth: the API server refuses its own probes, which are anonymous: the kubelet restarts it again and again | leave it out"
        ],
    ),
    "anonymous-requests-refused-and-probes-patched": (
        {
            "apiServer": {"extraArgs": {"anonymous-auth": "false"}},
            "patches": [{"target": "kube-apiserver", "patch": {"metadata": {"labels": {"probes": "mine"}}}}],
        },
        [],
    ),
    "anonymous-requests-taken": ({"apiServer": {"extraArgs": {"anonymous-auth": ["false", "true"]}}}, []),
    "authorizers-of-which-nothing-is-known": ({"apiServer": {"extraArgs": {"authorization-mode": "Webhook"}}}, []),
    "authorizers-in-several-words": ({"apiServer": {"extraArgs": {"authorization-mode": ["RBAC", "Node"]}}}, []),
    "authorizers-that-allow-everything": (
        {"apiServer": {"extraArgs": {"authorization-mode": "Node,AlwaysAllow", "anonymous-auth": "true"}}},
        [
            "wK0640 apiServer.extraArgs.authorization-mode: AlwaysAllow lets whoever has credentials do everything: every pod, kubelet and bootstrap token | leave it out: the default is Node,RBAC",
            "wK0639 apiServer.extraArgs.authorization-mode: with AlwaysAllow the API server turns anonymous-auth off, and refuses its own probes, which are anonymous: the kubelet restarts it again and again | leave it out: the default is Node,RBAC",
        ],
    ),
    "authorizers-that-allow-everything-and-a-configuration-of-authentication": (
        {"apiServer": {"extraArgs": {"authorization-mode": "AlwaysAllow", "authentication-config": "/x"}}},
        [
            "wK0640 apiServer.extraArgs.authorization-mode: AlwaysAllow lets whoever has credentials do everything: every pod, kubelet and bootstrap token | leave it out: the default is Node,RBAC",
        ],
    ),
    "authorizers-that-deny": (
        {"apiServer": {"extraArgs": {"authorization-mode": "AlwaysDeny"}}},
        [
            "wK0641 apiServer.extraArgs.authorization-mode: without Node, kubelets have not the rights they need | add Node",
            "wK0641 apiServer.extraArgs.authorization-mode: without RBAC, the controllers, the scheduler and CoreDNS have not the rights they need | add RBAC",
        ],
    ),
    "words-of-configurations": (
        pool(kubelet={"cgroupDriver": "", "topologyManagerPolicy": "Restricted", "port": 0, "oomScoreAdj": -1000}),
        [
            "K0637 nodePools[0].kubelet.topologyManagerPolicy: 'Restricted' is not one of none, best-effort, restricted, single-numa-node | did you mean restricted?",
            "K0637 nodePools[0].kubelet.port: must be 1 or more | correct it, or leave it out for the default",
        ],
    ),
    "name-like-a-token": (
        {"apiServer": {"extraArgs": {"oidc-issuer-url": "https://issuer.abcdefghijklmnop.org"}}},
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said(name: str) -> None:
    fields, expected = CASES[name]
    assert said(**fields) == expected
