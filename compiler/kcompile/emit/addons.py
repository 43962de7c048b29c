"""CoreDNS and kube-proxy.

Source: kubeadm, ``cmd/kubeadm/app/phases/addons/dns`` and ``addons/proxy``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kcompile import component_config, images, kubeobjects, patching, yamlfmt
from kcompile.artifact import Artifact
from kcompile.errors import Problem, SpecError, gathered
from kcompile.hosts import ResolvedCluster
from kcompile.kubeobjects import binding, config_map, group, role, service_account, service_account_subject

_NAMESPACE = "kube-system"
_DNS_LABELS = {"k8s-app": "kube-dns"}
_PROXY_LABELS = {"k8s-app": "kube-proxy"}


def _corefile(cluster: ResolvedCluster) -> str:
    domain = cluster.cluster.spec.networking.dns_domain
    cache = "    cache 30\n"
    if cluster.version.corefile_skips_cluster_cache:
        cache = f"    cache 30 {{\n       disable success {domain}\n       disable denial {domain}\n    }}\n"
    return f""".:53 {{
    errors
    health {{
       lameduck 5s
    }}
    ready
    kubernetes {domain} in-addr.arpa ip6.arpa {{
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }}
    prometheus :9153
    forward . /etc/resolv.conf {{
       max_concurrent 1000
    }}
{cache}    loop
    reload
    loadbalance
}}
"""


def _port(number: int, name: str, protocol: str = "TCP") -> dict[str, Any]:
    return {"containerPort": number, "name": name, "protocol": protocol}


def _coredns_deployment(cluster: ResolvedCluster) -> dict[str, Any]:
    named = cluster.version.names_probe_ports
    ports = [_port(53, "dns", "UDP"), _port(53, "dns-tcp"), _port(9153, "metrics")]
    if named:
        ports += [_port(8080, "liveness-probe"), _port(8181, "readiness-probe")]
    container = {
        "args": ["-conf", "/etc/coredns/Corefile"],
        "image": images.coredns(cluster),
        "imagePullPolicy": "IfNotPresent",
        "livenessProbe": {
            "failureThreshold": 5,
            "httpGet": {"path": "/health", "port": "liveness-probe" if named else 8080, "scheme": "HTTP"},
            "initialDelaySeconds": 60,
            "successThreshold": 1,
            "timeoutSeconds": 5,
        },
        "name": "coredns",
        "ports": ports,
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "readiness-probe" if named else 8181, "scheme": "HTTP"}
        },
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": [cluster.version.coredns_drops]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"mountPath": "/etc/coredns", "name": "config-volume", "readOnly": True}],
    }
    anti_affinity = {
        "podAffinityTerm": {
            "labelSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
            "topologyKey": "kubernetes.io/hostname",
        },
        "weight": 100,
    }
    pod = {
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [anti_affinity]}},
        "containers": [container],
        "dnsPolicy": "Default",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": "coredns",
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"effect": "NoSchedule", "key": "node-role.kubernetes.io/control-plane"},
        ],
        "volumes": [
            {
                "configMap": {"items": [{"key": "Corefile", "path": "Corefile"}], "name": "coredns"},
                "name": "config-volume",
            }
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"labels": _DNS_LABELS, "name": "coredns", "namespace": _NAMESPACE},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": _DNS_LABELS},
            "strategy": {"rollingUpdate": {"maxUnavailable": 1}, "type": "RollingUpdate"},
            "template": {"metadata": {"labels": _DNS_LABELS}, "spec": pod},
        },
    }


def _coredns(cluster: ResolvedCluster) -> list[dict[str, Any]]:
    def service_port(name: str, number: int, protocol: str = "TCP") -> dict[str, Any]:
        return {"name": name, "port": number, "protocol": protocol, "targetPort": number}

    core = {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]}
    slices = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "annotations": {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
            "labels": {
                "k8s-app": "kube-dns",
                "kubernetes.io/cluster-service": "true",
                "kubernetes.io/name": "CoreDNS",
            },
            "name": "kube-dns",
            "namespace": _NAMESPACE,
        },
        "spec": {
            "clusterIP": cluster.dns_address,
            "ports": [service_port("dns", 53, "UDP"), service_port("dns-tcp", 53), service_port("metrics", 9153)],
            "selector": _DNS_LABELS,
        },
    }
    return [
        config_map("coredns", _NAMESPACE, {"Corefile": _corefile(cluster)}),
        role("system:coredns", [core, slices]),
        binding("system:coredns", "ClusterRole", "system:coredns", [service_account_subject("coredns")]),
        service_account("coredns"),
        patching.apply_all(_coredns_deployment(cluster), cluster.cluster.spec.patches, "corednsdeployment"),
        service,
    ]


def _proxy_kubeconfig(cluster: ResolvedCluster) -> str:
    """Kubeadm writes this one from a text template of its own, so its keys are not sorted."""
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    return f"""apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority: {account}/ca.crt
    server: https://{cluster.endpoint}
  name: default
contexts:
- context:
    cluster: default
    namespace: default
    user: default
  name: default
current-context: default
users:
- name: default
  user:
    tokenFile: {account}/token"""


def _kube_proxy_daemon_set(cluster: ResolvedCluster) -> dict[str, Any]:
    container = {
        "command": [
            "/usr/local/bin/kube-proxy",
            "--config=/var/lib/kube-proxy/config.conf",
            "--hostname-override=$(NODE_NAME)",
        ],
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "image": images.component(cluster, "kube-proxy"),
        "imagePullPolicy": "IfNotPresent",
        "name": "kube-proxy",
        "resources": {},
        "securityContext": {"privileged": True},
        "volumeMounts": [
            {"mountPath": "/var/lib/kube-proxy", "name": "kube-proxy"},
            {"mountPath": "/run/xtables.lock", "name": "xtables-lock"},
            {"mountPath": "/lib/modules", "name": "lib-modules", "readOnly": True},
        ],
    }
    pod = {
        "containers": [container],
        "hostNetwork": True,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "priorityClassName": "system-node-critical",
        "serviceAccountName": "kube-proxy",
        "tolerations": [{"operator": "Exists"}],
        "volumes": [
            {"configMap": {"name": "kube-proxy"}, "name": "kube-proxy"},
            {"hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}, "name": "xtables-lock"},
            {"hostPath": {"path": "/lib/modules"}, "name": "lib-modules"},
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"labels": _PROXY_LABELS, "name": "kube-proxy", "namespace": _NAMESPACE},
        "spec": {
            "selector": {"matchLabels": _PROXY_LABELS},
            "template": {"metadata": {"labels": _PROXY_LABELS}, "spec": pod},
            "updateStrategy": {"type": "RollingUpdate"},
        },
    }


def _kube_proxy(cluster: ResolvedCluster) -> list[dict[str, Any]]:
    data = {
        # kubeadm puts the configuration into a template, which leaves it without a final newline
        "config.conf": yamlfmt.dump(component_config.kube_proxy(cluster)).decode().removesuffix("\n"),
        "kubeconfig.conf": _proxy_kubeconfig(cluster),
    }
    configuration = config_map("kube-proxy", _NAMESPACE, data, signed=not cluster.cluster.spec.kube_proxy)
    configuration["metadata"]["labels"] = {"app": "kube-proxy"}
    reader = {"apiGroups": [""], "resourceNames": ["kube-proxy"], "resources": ["configmaps"], "verbs": ["get"]}
    bootstrappers = group("system:bootstrappers:kubeadm:default-node-token")
    return [
        configuration,
        patching.apply_all(_kube_proxy_daemon_set(cluster), cluster.cluster.spec.patches, "kube-proxy"),
        service_account("kube-proxy"),
        binding("kubeadm:node-proxier", "ClusterRole", "system:node-proxier", [service_account_subject("kube-proxy")]),
        role("kube-proxy", [reader], _NAMESPACE),
        binding("kube-proxy", "Role", "kube-proxy", [bootstrappers], _NAMESPACE),
    ]


def emit(cluster: ResolvedCluster) -> Iterator[Artifact]:
    """The add-ons that the spec does not disable. Raises SpecError at the end, with what does not apply."""
    spec, problems = cluster.cluster.spec, list[Problem]()
    if not spec.dns.disabled:
        with gathered(problems):
            yield Artifact("cluster/50-coredns.yaml", kubeobjects.dump(_coredns(cluster), cluster.version))
    if not spec.proxy.disabled:
        with gathered(problems):
            yield Artifact("cluster/60-kube-proxy.yaml", kubeobjects.dump(_kube_proxy(cluster), cluster.version))
    if problems:
        raise SpecError(problems)
