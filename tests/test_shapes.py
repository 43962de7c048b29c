"""Clusters of other shapes than the reference cases: what kubeadm would have made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from kcompile import images, load, names, validate, versions
from kcompile.hosts import resolve

from conftest import ROOT, MakeCluster, Workspace, files_of_host


def pod(host: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((host / f"etc/kubernetes/manifests/{name}.yaml").read_text())
    return document


def command(host: Path, name: str) -> list[str]:
    return list(pod(host, name)["spec"]["containers"][0]["command"])


def flags(host: Path, name: str, *wanted: str) -> dict[str, str | None]:
    found = dict(word.removeprefix("--").split("=", 1) for word in command(host, name)[1:])
    return {name: found.get(name) for name in wanted}


def probe_hosts(host: Path, name: str) -> dict[str, str | None]:
    container = pod(host, name)["spec"]["containers"][0]
    return {key: probe["httpGet"].get("host") for key, probe in container.items() if key.endswith("Probe")}


def server(host: Path, name: str) -> str:
    document = yaml.safe_load((host / f"etc/kubernetes/{name}").read_text())
    return str(document["clusters"][0]["cluster"]["server"])


def sans(host: Path, name: str) -> list[str]:
    certificate = x509.load_pem_x509_certificate((host / f"etc/kubernetes/pki/{name}.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def rendered(workspace: Workspace, host: str = "cp-1") -> Path:
    workspace.build()
    return workspace.render(host)


def objects(workspace: Workspace) -> dict[str, dict[str, Any]]:
    directory = workspace.render("--cluster")
    found = {}
    for path in sorted(directory.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            found[f"{document['kind']}/{document.get('metadata', {}).get('name', path.name)}"] = document
    return found


def test_ipv6_only(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(
        controlPlaneEndpoint="[fd00:1::10]:6443",
        networking={"podSubnet": "fd00:10::/48", "serviceSubnet": "fd00:20::/112"},
        controlPlane={"nodes": [{"name": "cp-1", "address": "fd00:1::11"}]},
    )
    host = rendered(workspace)
    assert flags(host, "etcd", "listen-client-urls", "listen-metrics-urls", "initial-cluster") == {
        "listen-client-urls": "https://[::1]:2379,https://[fd00:1::11]:2379",
        "listen-metrics-urls": "http://[::1]:2381",
        "initial-cluster": "cp-1=https://[fd00:1::11]:2380",
    }
    assert flags(host, "kube-apiserver", "advertise-address", "etcd-servers", "service-cluster-ip-range") == {
        "advertise-address": "fd00:1::11",
        "etcd-servers": "https://[::1]:2379",
        "service-cluster-ip-range": "fd00:20::/112",
    }
    # kubeadm binds and probes the scheduler and the controller manager on IPv4's loopback in any family
    assert flags(host, "kube-scheduler", "bind-address") == {"bind-address": "127.0.0.1"}
    assert probe_hosts(host, "kube-controller-manager") == dict.fromkeys(("livenessProbe", "startupProbe"), "127.0.0.1")
    assert set(probe_hosts(host, "etcd").values()) == {"::1"}
    assert set(probe_hosts(host, "kube-apiserver").values()) == {"fd00:1::11"}
    assert server(host, "admin.conf") == "https://[fd00:1::10]:6443"
    assert server(host, "scheduler.conf") == "https://[fd00:1::11]:6443"
    assert sans(host, "apiserver")[-3:] == ["fd00:20::1", "fd00:1::11", "fd00:1::10"]
    assert sans(host, "etcd/server") == ["cp-1", "localhost", "fd00:1::11", "127.0.0.1", "::1"]
    annotations = pod(host, "kube-apiserver")["metadata"]["annotations"]
    endpoint = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"
    assert annotations[endpoint] == "[fd00:1::11]:6443"
    assert yaml.safe_load((host / "var/lib/kubelet/config.yaml").read_text())["clusterDNS"] == ["fd00:20::a"]
    found = objects(workspace)
    assert found["Service/kube-dns"]["spec"]["clusterIP"] == "fd00:20::a"
    assert yaml.safe_load(found["ConfigMap/kube-proxy"]["data"]["config.conf"])["bindAddress"] == "::"


def test_dual_stack(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(
        networking={"podSubnet": "10.244.0.0/16,fd00:10::/48", "serviceSubnet": "10.96.0.0/16,fd00:20::/112"},
        controlPlane={"nodes": [{"name": "cp-1", "address": "10.0.0.11,fd00:1::11"}]},
    )
    host = rendered(workspace)
    assert flags(host, "kube-controller-manager", "cluster-cidr", "service-cluster-ip-range") == {
        "cluster-cidr": "10.244.0.0/16,fd00:10::/48",
        "service-cluster-ip-range": "10.96.0.0/16,fd00:20::/112",
    }
    assert flags(host, "kube-apiserver", "advertise-address") == {"advertise-address": "10.0.0.11"}
    assert (host / "var/lib/kubelet/kubeadm-flags.env").read_text() == (
        'KUBELET_KUBEADM_ARGS="--hostname-override=cp-1 --node-ip=10.0.0.11,fd00:1::11"\n'
    )
    assert yaml.safe_load((host / "var/lib/kubelet/config.yaml").read_text())["clusterDNS"] == ["10.96.0.10"]


def test_external_etcd(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(
        etcd={
            "external": {
                "endpoints": ["https://10.0.9.1:2379", "https://10.0.9.2:2379"],
                "caFile": "/opt/etcd/ca.crt",
                "certFile": "/opt/etcd/client/tls.crt",
                "keyFile": "/opt/etcd/client/tls.key",
            }
        }
    )
    host = rendered(workspace)
    assert sorted(p.name for p in (host / "etc/kubernetes/manifests").iterdir()) == [
        "kube-apiserver.yaml",
        "kube-controller-manager.yaml",
        "kube-scheduler.yaml",
    ]
    assert sorted(p.name for p in (host / "etc/kubernetes/pki").iterdir()) == [
        "apiserver-kubelet-client.crt",
        "apiserver-kubelet-client.key",
        "apiserver.crt",
        "apiserver.key",
        "ca.crt",
        "ca.key",
        "front-proxy-ca.crt",
        "front-proxy-ca.key",
        "front-proxy-client.crt",
        "front-proxy-client.key",
        "sa.key",
        "sa.pub",
    ]
    assert flags(host, "kube-apiserver", "etcd-servers", "etcd-cafile", "etcd-certfile", "etcd-keyfile") == {
        "etcd-servers": "https://10.0.9.1:2379,https://10.0.9.2:2379",
        "etcd-cafile": "/opt/etcd/ca.crt",
        "etcd-certfile": "/opt/etcd/client/tls.crt",
        "etcd-keyfile": "/opt/etcd/client/tls.key",
    }
    volumes = pod(host, "kube-apiserver")["spec"]["volumes"]
    assert [v for v in volumes if v["name"].startswith("etcd-certs")] == [
        {"hostPath": {"path": "/opt/etcd", "type": "DirectoryOrCreate"}, "name": "etcd-certs-0"}
    ]
    stored = yaml.safe_load(objects(workspace)["ConfigMap/kubeadm-config"]["data"]["ClusterConfiguration"])
    assert stored["etcd"] == {
        "external": {
            "caFile": "/opt/etcd/ca.crt",
            "certFile": "/opt/etcd/client/tls.crt",
            "endpoints": ["https://10.0.9.1:2379", "https://10.0.9.2:2379"],
            "keyFile": "/opt/etcd/client/tls.key",
        }
    }


@pytest.mark.parametrize(
    ("endpoint", "port", "expected"),
    [
        ("api.example.com", 6443, "https://api.example.com:6443"),
        ("api.example.com", 7443, "https://api.example.com:7443"),
        ("api.example.com:443", 7443, "https://api.example.com:443"),
        ("10.0.0.10", 7443, "https://10.0.0.10:7443"),
        ("fd00::10", 6443, "https://[fd00::10]:6443"),
        ("[fd00::10]", 6443, "https://[fd00::10]:6443"),
        ("[fd00::10]:8443", 6443, "https://[fd00::10]:8443"),
        (None, 7443, "https://10.0.0.11:7443"),
    ],
)
def test_endpoints(endpoint: str | None, port: int, expected: str, make_cluster: MakeCluster) -> None:
    fields: dict[str, Any] = {} if endpoint is None else {"controlPlaneEndpoint": endpoint}
    nodes = [{"name": "cp-1", "address": "10.0.0.11"}]
    workspace = make_cluster(controlPlane={"localAPIEndpoint": {"bindPort": port}, "nodes": nodes}, **fields)
    host = rendered(workspace)
    assert server(host, "admin.conf") == expected
    assert server(host, "controller-manager.conf") == f"https://10.0.0.11:{port}"
    assert flags(host, "kube-apiserver", "secure-port") == {"secure-port": str(port)}
    stored = yaml.safe_load(objects(workspace)["ConfigMap/kubeadm-config"]["data"]["ClusterConfiguration"])
    # as SetClusterDynamicDefaults leaves it: with the bind port where it had none
    assert stored.get("controlPlaneEndpoint") == (expected.removeprefix("https://") if endpoint else None)


def test_names_of_certificates_are_lower_case(make_cluster: MakeCluster) -> None:
    nodes = [{"name": "cp-1", "address": "10.0.0.11", "certSANs": ["Node.Example.com"]}]
    names = ["My-LB-123.eu-West-1.ELB.amazonaws.com", "*.Example.com", "FD00::A"]
    workspace = make_cluster(
        apiServer={"certSANs": names},
        controlPlane={"nodes": nodes},
        etcd={"local": {"serverCertSANs": ["Etcd.Example.com"]}},
    )
    host = rendered(workspace)
    assert sans(host, "apiserver") == [
        "*.example.com",
        "cp-1",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "my-lb-123.eu-west-1.elb.amazonaws.com",
        "node.example.com",
        "10.96.0.1",
        "10.0.0.11",
        "fd00::a",
    ]
    assert "etcd.example.com" in sans(host, "etcd/server")
    assert stored_configuration(workspace)["apiServer"]["certSANs"] == [name.lower() for name in names]


def test_another_certificates_directory(make_cluster: MakeCluster) -> None:
    pki = {"issuedAt": "2026-11-23T00:00:00Z", "encryptionAlgorithm": "ECDSA-P256", "certificatesDir": "/srv/pki"}
    workspace = make_cluster(pki=pki)
    host = rendered(workspace)
    assert (host / "srv/pki/etcd/server.crt").is_file()
    assert not (host / "etc/kubernetes/pki").exists()
    text = "".join(p.read_text() for p in (host / "etc/kubernetes/manifests").iterdir())
    assert "/etc/kubernetes/pki" not in text
    config = yaml.safe_load((host / "var/lib/kubelet/config.yaml").read_text())
    assert config["authentication"]["x509"] == {"clientCAFile": "/srv/pki/ca.crt"}


def test_disabled_addons(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(dns={"disabled": True}, proxy={"disabled": True})
    workspace.build()
    found = objects(workspace)
    assert [name for name in found if "coredns" in name or "proxy" in name] == []
    stored = yaml.safe_load(found["ConfigMap/kubeadm-config"]["data"]["ClusterConfiguration"])
    assert (stored["dns"], stored["proxy"]) == ({"disabled": True}, {"disabled": True})


def test_repeated_flags_and_what_they_replace(make_cluster: MakeCluster) -> None:
    issuers = ["https://a.example.com", "https://b.example.com"]
    extra = {"service-account-issuer": issuers, "feature-gates": "X=true"}
    host = rendered(make_cluster(apiServer={"extraArgs": extra}))
    assert [word for word in command(host, "kube-apiserver") if "issuer" in word or "gates" in word] == [
        "--service-account-issuer=https://a.example.com",
        "--service-account-issuer=https://b.example.com",
        "--feature-gates=X=true",
    ]


AUTHORIZATION = {
    "none": ("v1.36.2", {}, ["--authorization-mode=Node,RBAC"]),
    "modes": (
        "v1.36.2",
        {"authorization-mode": "Node,RBAC,Webhook"},
        ["--authorization-mode=Node,RBAC,Webhook"],
    ),
    "config": ("v1.36.2", {"authorization-config": "/etc/authz.yaml"}, ["--authorization-config=/etc/authz.yaml"]),
    "older-modes": ("v1.28.4", {"authorization-mode": "Node,Nonsense"}, ["--authorization-mode=Node"]),
    "older-config": (
        "v1.28.4",
        {"authorization-config": "/etc/authz.yaml"},
        ["--authorization-config=/etc/authz.yaml", "--authorization-mode=Node,RBAC"],
    ),
}


@pytest.mark.parametrize("case", AUTHORIZATION)
def test_authorization(case: str, make_cluster: MakeCluster) -> None:
    version, extra, expected = AUTHORIZATION[case]
    host = rendered(make_cluster(kubernetesVersion=version, apiServer={"extraArgs": extra}))
    assert [word for word in command(host, "kube-apiserver") if word.startswith("--authorization-")] == expected


def test_etcd_is_probed_where_its_metrics_are(make_cluster: MakeCluster) -> None:
    extra = {"listen-metrics-urls": "https://10.0.0.11:9379,http://127.0.0.1:2381"}
    host = rendered(make_cluster(etcd={"local": {"extraArgs": extra}}))
    container = pod(host, "etcd")["spec"]["containers"][0]
    assert container["livenessProbe"]["httpGet"] == {
        "host": "10.0.0.11",
        "path": "/livez",
        "port": "probe-port",
        "scheme": "HTTPS",
    }
    assert container["ports"] == [{"containerPort": 9379, "name": "probe-port", "protocol": "TCP"}]


def test_the_kubelet_s_configuration_is_decoded_and_marshalled_as_go_does(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(
        kubelet={
            "maxPods": 0,
            "readOnlyPort": 0,
            "rotateCertificates": False,
            "failSwapOn": False,
            "cgroupDriver": "",
            "evictionHard": {},
            "nodeStatusUpdateFrequency": "1m30s",
            "streamingConnectionIdleTimeout": "4h",
            "authentication": {"webhook": {"cacheTTL": "2m"}, "x509": {"clientCAFile": ""}},
            "podPidsLimit": 4096,
            "clusterDNS": ["169.254.20.10"],
            "featureGates": {"NodeSwap": True},
            "reservedMemory": [{"numaNode": 0, "limits": {"memory": "1024Mi", "hugepages-1Gi": 0}}],
        }
    )
    config = yaml.safe_load((rendered(workspace) / "var/lib/kubelet/config.yaml").read_text())
    expected = dict(versions.for_minor(36).kubelet_defaults) | {
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"cacheTTL": "2m0s", "enabled": True},
            "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
        },
        "clusterDNS": ["169.254.20.10"],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "failSwapOn": False,
        "featureGates": {"NodeSwap": True},
        "nodeStatusUpdateFrequency": "1m30s",
        "podPidsLimit": 4096,
        "reservedMemory": [{"numaNode": 0, "limits": {"memory": "1Gi", "hugepages-1Gi": "0"}}],
        "streamingConnectionIdleTimeout": "4h0m0s",
    }
    assert config == expected
    stored = objects(workspace)["ConfigMap/kubelet-config"]
    assert "annotations" not in stored["metadata"]
    assert yaml.safe_load(stored["data"]["kubelet"]) == expected | {"containerRuntimeEndpoint": ""}


@pytest.mark.parametrize(("address", "bind"), [("10.0.0.11", "0.0.0.0"), ("fd00::11", "::")])
def test_empty_strings_of_kube_proxy_are_defaulted_where_kubeadm_does(
    address: str, bind: str, make_cluster: MakeCluster
) -> None:
    subnets = {"podSubnet": "fd01::/48", "serviceSubnet": "fd02::/112"} if ":" in address else {}
    empty = {"bindAddress": "", "clusterCIDR": "", "clientConnection": {"kubeconfig": ""}, "logging": {"format": ""}}
    workspace = make_cluster(
        controlPlane={"nodes": [{"name": "cp-1", "address": address}]}, networking=subnets, kubeProxy=empty
    )
    workspace.build()
    stored = yaml.safe_load(objects(workspace)["ConfigMap/kube-proxy"]["data"]["config.conf"])
    assert stored == dict(versions.for_minor(36).kube_proxy_defaults) | {
        "bindAddress": bind,
        "clusterCIDR": subnets.get("podSubnet", ""),
    }


def test_the_socket_is_merged_behind_the_patches(make_cluster: MakeCluster) -> None:
    patch = {"target": "kubeletconfiguration", "patch": {"containerRuntimeEndpoint": "unix:///run/patched.sock"}}
    found = {}
    for version in ("v1.33.3", "v1.34.2", "v1.36.2"):
        host = rendered(make_cluster(kubernetesVersion=version, patches=[patch]))
        config = yaml.safe_load((host / "var/lib/kubelet/config.yaml").read_text())
        found[version] = config["containerRuntimeEndpoint"]
    assert found == {
        "v1.33.3": "unix:///run/patched.sock",
        "v1.34.2": "unix:///run/containerd/containerd.sock",
        "v1.36.2": "unix:///run/containerd/containerd.sock",
    }


def test_settings_go_from_cluster_to_pool_to_node(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(
        kubelet={"maxPods": 200, "podPidsLimit": 1},
        bootstrapTokens=[{"id": "abcdef"}],
        nodePools=[
            {
                "name": "general",
                "labels": {"tier": "general", "zone": "a"},
                "taints": [{"key": "dedicated", "value": "general", "effect": "NoSchedule"}],
                "kubelet": {"maxPods": 110},
                "nodeRegistration": {"kubeletExtraArgs": {"v": "2", "node-ip": "10.0.1.99"}},
                "nodes": [
                    {"name": "w-1", "address": "10.0.1.1"},
                    {
                        "name": "w-2",
                        "address": "10.0.1.2",
                        "labels": {"zone": "b"},
                        "taints": [],
                        "kubelet": {"maxPods": 50},
                        "nodeRegistration": {
                            "criSocket": "unix:///var/run/crio/crio.sock",
                            "kubeletExtraArgs": {"v": "4"},
                        },
                    },
                ],
            }
        ],
    )
    workspace.build()
    found = {}
    for name in ("w-1", "w-2"):
        host = workspace.render(name)
        config = yaml.safe_load((host / "var/lib/kubelet/config.yaml").read_text())
        found[name] = (
            (host / "var/lib/kubelet/kubeadm-flags.env").read_text(),
            config["maxPods"],
            config["podPidsLimit"],
            config["containerRuntimeEndpoint"],
        )
    assert found == {
        "w-1": (
            'KUBELET_KUBEADM_ARGS="--hostname-override=w-1 --node-labels=tier=general,zone=a '
            '--register-with-taints=dedicated=general:NoSchedule --v=2 --node-ip=10.0.1.99"\n',
            110,
            1,
            "unix:///run/containerd/containerd.sock",
        ),
        "w-2": (
            'KUBELET_KUBEADM_ARGS="--hostname-override=w-2 --node-labels=tier=general,zone=b '
            '--v=4 --node-ip=10.0.1.99"\n',
            50,
            1,
            "unix:///var/run/crio/crio.sock",
        ),
    }


def test_issued_kubelets_serve_with_a_certificate_of_the_cluster(make_cluster: MakeCluster) -> None:
    nodes = [
        {"name": "s-1", "address": "10.0.2.1"},
        {"name": "s-2", "address": "10.0.2.2", "kubelet": {"serverTLSBootstrap": True}},
    ]
    workspace = make_cluster(nodePools=[{"name": "issued", "credentials": "issued", "nodes": nodes}])
    static = rendered(workspace, "s-1")
    config = yaml.safe_load((static / "var/lib/kubelet/config.yaml").read_text())
    assert (config["tlsCertFile"], config["tlsPrivateKeyFile"], config["rotateCertificates"]) == (
        "/var/lib/kubelet/pki/kubelet.crt",
        "/var/lib/kubelet/pki/kubelet.key",
        True,
    )
    certificate = x509.load_pem_x509_certificate((static / "var/lib/kubelet/pki/kubelet.crt").read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=system:node:s-1,O=system:nodes"
    assert sorted(p.name for p in files_of_host(static / "var/lib/kubelet/pki")) == [
        "kubelet-client-current.pem",
        "kubelet.crt",
        "kubelet.key",
    ]
    rotating = workspace.render("s-2")
    config = yaml.safe_load((rotating / "var/lib/kubelet/config.yaml").read_text())
    assert (config.get("tlsCertFile"), config["serverTLSBootstrap"]) == (None, True)
    assert sorted(p.name for p in files_of_host(rotating / "var/lib/kubelet/pki")) == [
        "kubelet-client-current.pem",
        "kubelet-server-current.pem",
    ]


@pytest.mark.parametrize("minor", versions.supported_minors())
def test_every_minor_builds_what_its_table_says(minor: int, make_cluster: MakeCluster) -> None:
    table = versions.for_minor(minor)
    workspace = make_cluster(kubernetesVersion=f"v1.{minor}.0")
    host = rendered(workspace)
    images = sorted(pod(host, name)["spec"]["containers"][0]["image"] for name in ("etcd", "kube-apiserver"))
    assert images == [f"registry.k8s.io/etcd:{table.etcd_tags[0][1]}", f"registry.k8s.io/kube-apiserver:v1.{minor}.0"]
    stored = yaml.safe_load(objects(workspace)["ConfigMap/kubeadm-config"]["data"]["ClusterConfiguration"])
    expected = {"extraArgs": {"authorization-mode": "Node,RBAC"}, "timeoutForControlPlane": "4m0s"}
    assert stored["apiServer"] == (expected if minor < 30 else {})
    assert ("encryptionAlgorithm" in stored, stored["apiVersion"]) == (
        minor > 30,
        "kubeadm.k8s.io/v1beta4" if minor > 30 else "kubeadm.k8s.io/v1beta3",
    )
    assert (host / "etc/kubernetes/super-admin.conf").exists() == (minor > 28)
    scheduler = pod(host, "kube-scheduler")["spec"]["containers"][0]
    assert ("readinessProbe" in scheduler) == (minor > 31)
    assert names.minor_version(f"v1.{minor}.0") == table.minor == minor


IMAGES = {
    "1.28.5": ("3.5.9-0", "v1.10.1", "3.9"),
    "1.28.6": ("3.5.10-0", "v1.10.1", "3.9"),
    "1.28.13": ("3.5.12-0", "v1.10.1", "3.9"),
    "1.28.15": ("3.5.15-0", "v1.10.1", "3.9"),
    "1.29.2": ("3.5.10-0", "v1.11.1", "3.9"),
    "1.29.8": ("3.5.12-0", "v1.11.1", "3.9"),
    "1.29.10": ("3.5.15-0", "v1.11.1", "3.9"),
    "1.29.15": ("3.5.16-0", "v1.11.1", "3.9"),
    "1.30.4": ("3.5.12-0", "v1.11.1", "3.9"),
    "1.30.5": ("3.5.15-0", "v1.11.3", "3.9"),
    "1.30.14": ("3.5.15-0", "v1.11.3", "3.9"),
    "1.31.0": ("3.5.15-0", "v1.11.1", "3.10"),
    "1.31.4": ("3.5.15-0", "v1.11.3", "3.10"),
    "1.31.14": ("3.5.16-0", "v1.11.3", "3.10"),
    "1.32.1": ("3.5.16-0", "v1.11.3", "3.10"),
    "1.32.13": ("3.5.24-0", "v1.11.3", "3.10"),
    "1.33.5": ("3.5.21-0", "v1.12.0", "3.10"),
    "1.33.7": ("3.5.24-0", "v1.12.0", "3.10"),
    "1.34.1": ("3.6.4-0", "v1.12.1", "3.10.1"),
    "1.34.3": ("3.6.5-0", "v1.12.1", "3.10.1"),
    "1.35.0": ("3.6.6-0", "v1.13.1", "3.10.1"),
    "1.36.4": ("3.6.8-0", "v1.14.2", "3.10.2"),
    "1.37.1": ("3.7.0-0", "v1.14.6", "3.10.2"),
}
"""etcd's, CoreDNS's and the pause image's tag, from published lists of ``kubeadm config images list``."""


@pytest.mark.parametrize("version", IMAGES)
def test_the_images_that_kubeadm_pairs_with_a_patch_release(version: str) -> None:
    text = (ROOT / "clusters/prod.yaml").read_text().replace("v1.36.2", f"v{version}")
    spec, _ = validate.cluster(load.parse("prod.yaml", text.encode()), datetime(2026, 11, 23, tzinfo=UTC))
    cluster = resolve(spec)
    found = (images.etcd_tag(cluster), images.coredns(cluster), images.pause(cluster))
    etcd, coredns, pause = IMAGES[version]
    assert found == (etcd, f"registry.k8s.io/coredns/coredns:{coredns}", f"registry.k8s.io/pause:{pause}")


@pytest.mark.parametrize(
    ("version", "follow"),
    [
        ("v1.32.5", False),
        ("v1.32.12", True),
        ("v1.34.3", False),
        ("v1.34.4", True),
        ("v1.35.0", False),
        ("v1.35.1", True),
    ],
)
def test_where_extra_args_stand_depends_on_the_patch(version: str, follow: bool, make_cluster: MakeCluster) -> None:
    host = rendered(make_cluster(kubernetesVersion=version, scheduler={"extraArgs": {"v": "2", "config": "/x"}}))
    own = ["--v=2", "--config=/x"]
    words = command(host, "kube-scheduler")[1:]
    assert (words[-2:] == own) is follow
    assert (words == sorted(words)) is not follow


def stored_configuration(workspace: Workspace) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(
        objects(workspace)["ConfigMap/kubeadm-config"]["data"]["ClusterConfiguration"]
    )
    return document


GATES = {
    28: "EtcdLearnerMode PublicKeysECDSA RootlessControlPlane UpgradeAddonsBeforeControlPlane",
    29: "EtcdLearnerMode PublicKeysECDSA RootlessControlPlane UpgradeAddonsBeforeControlPlane",
    30: "EtcdLearnerMode PublicKeysECDSA RootlessControlPlane UpgradeAddonsBeforeControlPlane"
    " WaitForAllControlPlaneComponents",
    31: "ControlPlaneKubeletLocalMode EtcdLearnerMode PublicKeysECDSA RootlessControlPlane"
    " WaitForAllControlPlaneComponents",
    32: "ControlPlaneKubeletLocalMode (EtcdLearnerMode) NodeLocalCRISocket PublicKeysECDSA RootlessControlPlane"
    " WaitForAllControlPlaneComponents",
    33: "ControlPlaneKubeletLocalMode NodeLocalCRISocket PublicKeysECDSA RootlessControlPlane"
    " WaitForAllControlPlaneComponents",
    34: "ControlPlaneKubeletLocalMode NodeLocalCRISocket PublicKeysECDSA RootlessControlPlane"
    " (WaitForAllControlPlaneComponents)",
    35: "(ControlPlaneKubeletLocalMode) NodeLocalCRISocket PublicKeysECDSA RootlessControlPlane",
    36: "(NodeLocalCRISocket)",
    37: "",
}
"""kubeadm's feature gates by minor; those in parentheses are locked to true. Sources in docs/versions.md."""


def test_the_feature_gates_of_each_minor() -> None:
    found = {}
    for minor in versions.supported_minors():
        table = versions.for_minor(minor)
        assert table.locked_gates <= table.feature_gates
        names = sorted(table.feature_gates)
        found[minor] = " ".join(f"({name})" if name in table.locked_gates else name for name in names)
    assert found == GATES


@pytest.mark.parametrize(("version", "on"), [("v1.33.3", True), ("v1.34.2", False)])
def test_where_the_kubelet_s_socket_stands_is_a_gate(version: str, on: bool, make_cluster: MakeCluster) -> None:
    workspace = make_cluster(kubernetesVersion=version, featureGates={"NodeLocalCRISocket": on})
    kubelet = rendered(workspace) / "var/lib/kubelet"
    socket = "unix:///run/containerd/containerd.sock"
    assert (kubelet / "instance-config.yaml").exists() is on
    config = yaml.safe_load((kubelet / "config.yaml").read_text())
    assert config["containerRuntimeEndpoint"] == (socket if on else "")
    assert (f"--container-runtime-endpoint={socket}" in (kubelet / "kubeadm-flags.env").read_text()) is not on
    assert stored_configuration(workspace)["featureGates"] == {"NodeLocalCRISocket": on}


@pytest.mark.parametrize(("version", "on"), [("v1.31.14", True), ("v1.34.2", False)])
def test_whom_the_kubelet_of_a_control_plane_node_asks_is_a_gate(
    version: str, on: bool, make_cluster: MakeCluster
) -> None:
    workspace = make_cluster(
        kubernetesVersion=version,
        controlPlaneEndpoint="api.example.com",
        featureGates={"ControlPlaneKubeletLocalMode": on},
    )
    asked = "https://10.0.0.11:6443" if on else "https://api.example.com:6443"
    assert server(rendered(workspace), "kubelet.conf") == asked


@pytest.mark.parametrize(
    ("version", "spec", "stored", "kind"),
    [
        ("v1.29.0", {"featureGates": {"PublicKeysECDSA": True}}, (None, {"PublicKeysECDSA": True}), "EC"),
        ("v1.29.0", {"algorithm": "ECDSA-P256"}, (None, {"PublicKeysECDSA": True}), "EC"),
        ("v1.29.0", {}, (None, None), "RSA"),
        ("v1.35.3", {"featureGates": {"PublicKeysECDSA": True}}, ("RSA-2048", {"PublicKeysECDSA": True}), "EC"),
        ("v1.35.3", {"algorithm": "ECDSA-P256"}, ("ECDSA-P256", None), "EC"),
    ],
)
def test_the_gate_of_the_older_minors_for_ecdsa_keys(
    version: str,
    spec: dict[str, Any],
    stored: tuple[str | None, dict[str, bool] | None],
    kind: str,
    make_cluster: MakeCluster,
) -> None:
    pki = {"issuedAt": "2026-11-23T00:00:00Z"}
    if "algorithm" in spec:
        pki["encryptionAlgorithm"] = spec.pop("algorithm")
    workspace = make_cluster(kubernetesVersion=version, pki=pki, **spec)
    host = rendered(workspace)
    for name in ("ca", "apiserver", "etcd/server", "sa"):
        begin = (host / f"etc/kubernetes/pki/{name}.key").read_text().partition("\n")[0]
        assert begin == f"-----BEGIN {kind} PRIVATE KEY-----"
    configuration = stored_configuration(workspace)
    assert (configuration.get("encryptionAlgorithm"), configuration.get("featureGates")) == stored


def test_five_control_plane_nodes(make_cluster: MakeCluster) -> None:
    addresses = {f"cp-{number}": f"10.0.0.1{number}" for number in range(1, 6)}
    workspace = make_cluster(
        controlPlaneEndpoint="api.example.com:6443",
        controlPlane={"nodes": [{"name": name, "address": address} for name, address in addresses.items()]},
    )
    workspace.build()
    members = [f"{name}=https://{address}:2380" for name, address in addresses.items()]
    for name, address in addresses.items():
        host = workspace.render(name)
        assert flags(host, "etcd", "name", "initial-cluster", "initial-cluster-state") == {
            "name": name,
            "initial-cluster": ",".join(members),
            "initial-cluster-state": "new",  # all five are founders, where kubeadm would add one to another
        }
        assert flags(host, "kube-apiserver", "advertise-address", "etcd-servers") == {
            "advertise-address": address,
            "etcd-servers": "https://127.0.0.1:2379",
        }
        assert sans(host, "etcd/peer") == [name, "localhost", address, "127.0.0.1", "::1"]
        assert (host / "etc/kubernetes/super-admin.conf").exists() == (name == "cp-1")


def test_a_thousand_workers_in_pools(make_cluster: MakeCluster) -> None:
    """Each has what its pool has and its own name; one that overrides something is the only one that differs."""
    pools = ("big", "small", "issued")
    nodes: dict[str, list[dict[str, Any]]] = {
        pool: [{"name": f"{pool}-{n:03}", "address": f"10.{number}.{n // 250}.{n % 250 + 1}"} for n in range(1, 334)]
        for number, pool in enumerate(pools, 10)
    }
    nodes["big"].append({"name": "odd", "address": "10.20.0.1", "labels": {"gpu": "none"}, "kubelet": {"maxPods": 5}})
    workspace = make_cluster(
        kubelet={"maxPods": 64},
        bootstrapTokens=[{"id": "abcdef"}],
        pki={"issuedAt": "2026-11-23T00:00:00Z", "encryptionAlgorithm": "ECDSA-P256"},
        nodePools=[
            {
                "name": pool,
                "labels": {"pool": pool},
                "kubelet": {"maxPods": 250} if pool == "big" else {},
                "credentials": "issued" if pool == "issued" else "bootstrapToken",
                "nodes": nodes[pool],
            }
            for pool in pools
        ],
    )
    tree = workspace.build()
    names = {pool: [node["name"] for node in nodes[pool]] for pool in pools}
    every = [name for pool in pools for name in names[pool]]
    assert sorted(path.name for path in (tree / "hosts").iterdir()) == sorted(["cp-1", *every])
    assert len(every) == 1000
    of_pool = {"big": 250, "small": 64, "issued": 64}
    found = {}
    for name in every:
        kubelet = tree / "hosts" / name / "rootfs/var/lib/kubelet"
        config = yaml.safe_load((kubelet / "config.yaml").read_bytes()) if name in SAMPLED else None
        found[name] = (kubelet / "kubeadm-flags.env").read_text(), config and config["maxPods"]
    assert found == {
        name: (
            f'KUBELET_KUBEADM_ARGS="--hostname-override={name} --node-labels='
            f'pool={pool}{",gpu=none" if name == "odd" else ""}"\n',
            (5 if name == "odd" else of_pool[pool]) if name in SAMPLED else None,
        )
        for pool in pools
        for name in names[pool]
    }
    same = {(tree / "hosts" / n / "rootfs/var/lib/kubelet/config.yaml").read_bytes() for n in names["big"]}
    assert len(same) == 2  # the odd one's is its own


SAMPLED = ("odd", "big-001", "small-333", "issued-100")


@pytest.mark.parametrize(
    ("version", "tag", "older"),
    [
        ("v1.34.2", "3.5.24-0", True),
        ("v1.35.3", "v3.5.9", True),
        ("v1.34.2", "3.6.5-0", False),
        ("v1.34.2", "v3.6.0", False),
        ("v1.35.3", "3.10.0-rc.1", False),
        ("v1.34.2", "latest", True),
        ("v1.34.2", "3.6", True),
        ("v1.35.3", "3.6.0-rc.1", True),
        ("v1.35.3", "3.6.0-0", True),
        ("v1.35.3", "3.6.01", True),
        ("v1.36.2", "3.6", False),
        ("v1.33.3", "3.6.5-0", True),
    ],
)
def test_etcd_s_flags_are_those_of_the_etcd_that_runs(
    version: str, tag: str, older: bool, make_cluster: MakeCluster
) -> None:
    host = rendered(make_cluster(kubernetesVersion=version, etcd={"local": {"imageTag": tag}}))
    words = {word.partition("=")[0] for word in command(host, "etcd")}
    assert ("--experimental-initial-corrupt-check" in words, "--feature-gates" in words) == (older, not older)


def test_environment_from_the_pod_s_own_fields(make_cluster: MakeCluster) -> None:
    def variables(divisor: dict[str, str]) -> list[dict[str, Any]]:
        host_ip = {"name": "HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}
        limit = {"resource": "limits.memory", **divisor}
        return [host_ip, {"name": "LIMIT", "valueFrom": {"resourceFieldRef": limit}}, {"name": "A", "value": "1"}]

    workspace = make_cluster(
        apiServer={"extraEnvs": variables({"divisor": "1024Ki"})}, etcd={"local": {"extraEnvs": variables({})}}
    )
    host, stored = rendered(workspace), stored_configuration(workspace)
    found = {name: pod(host, name)["spec"]["containers"][0]["env"] for name in ("kube-apiserver", "etcd")}
    # canonical, and zero where there is none; the pod's are sorted
    mebi, zero = variables({"divisor": "1Mi"}), variables({"divisor": "0"})
    assert found == {"kube-apiserver": sorted(mebi, key=name_of), "etcd": sorted(zero, key=name_of)}
    assert (stored["apiServer"]["extraEnvs"], stored["etcd"]["local"]["extraEnvs"]) == (mebi, zero)


def name_of(entry: dict[str, Any]) -> str:
    name: str = entry["name"]
    return name


@pytest.mark.parametrize(
    ("address", "host"), [(None, "127.0.0.1"), ("", None), ("0.0.0.0", None), ("::", None), ("10.0.0.1", "10.0.0.1")]
)
def test_components_are_probed_where_they_listen(
    address: str | None, host: str | None, make_cluster: MakeCluster
) -> None:
    args = {} if address is None else {"extraArgs": {"bind-address": address}}
    manifests = rendered(make_cluster(scheduler=args, controllerManager=args))
    found = {
        (name, probe): pod(manifests, name)["spec"]["containers"][0][probe]["httpGet"].get("host")
        for name, probe in PROBES
    }
    assert found == dict.fromkeys(PROBES, host)


PROBES = [
    ("kube-scheduler", "livenessProbe"),
    ("kube-scheduler", "readinessProbe"),
    ("kube-scheduler", "startupProbe"),
    ("kube-controller-manager", "livenessProbe"),
    ("kube-controller-manager", "startupProbe"),
]


def test_files_of_an_external_etcd_in_the_root_directory(make_cluster: MakeCluster) -> None:
    external = {"endpoints": ["https://10.0.9.1:2379"], "caFile": "/ca.crt", "certFile": "/e/c", "keyFile": "/e/k"}
    spec = pod(rendered(make_cluster(etcd={"external": external})), "kube-apiserver")["spec"]
    volumes = {v["name"]: v["hostPath"]["path"] for v in spec["volumes"] if v["name"].startswith("etcd-certs")}
    mounts = {m["name"]: m["mountPath"] for m in spec["containers"][0]["volumeMounts"] if m["name"] in volumes}
    assert (volumes, mounts) == ({"etcd-certs-0": "/"}, {"etcd-certs-0": "/"})


def test_an_issued_worker_may_bring_its_own_serving_certificate(make_cluster: MakeCluster) -> None:
    own = {"tlsCertFile": "/opt/tls.crt", "tlsPrivateKeyFile": "/opt/tls.key"}
    node = {"name": "s-1", "address": "10.0.2.1"}
    workspace = make_cluster(nodePools=[{"name": "s", "credentials": "issued", "kubelet": own, "nodes": [node]}])
    config = yaml.safe_load((rendered(workspace, "s-1") / "var/lib/kubelet/config.yaml").read_text())
    assert {name: config[name] for name in own} == own
