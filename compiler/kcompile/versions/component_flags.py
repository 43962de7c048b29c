"""The command-line flags of each component, by the minors (and, for etcd, the versions) that know them.

Of a flag without an entry nothing is known but that no source below has it: that is worth a warning, never more.
``since`` and ``until`` stand only where a source gives the minor; ``since=0`` says "in 1.28, or at an unknown time".
A flag that a component has deprecated and still accepts has ``instead`` and no ``until``.

Sources:

- the command-line reference of Kubernetes 1.31 (kubernetes/website, docs/reference/command-line-tools-reference/
  kube-apiserver.md, kube-controller-manager.md and kube-scheduler.md in its zh-cn tree), which leaves out hidden flags;
- cmd/kubelet/app/options/options.go before 1.31, pkg/controlplane/apiserver/options/options.go at 1.32;
- what a kubelet v1.24.9 and a v1.27.1 print of their flags (Azure/AgentBaker, e2e/kubelet);
- the release notes of 1.28, 1.31 and 1.33 to 1.37 (kubernetes/sig-release; most as drafts, those of 1.34 and 1.36
  early ones), and the pull requests named beside a flag;
- etcd: server/etcdmain/help.go of release 3.5, the upgrade and downgrade guides between 3.5 and 3.6
  (etcd-io/website), and CHANGELOG-3.7.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Flag:
    """The minors that have a flag, from ``since`` to before ``until``, and what stands in its place."""

    since: int = 0
    until: int | None = None
    instead: str | None = None


@dataclass(frozen=True)
class EtcdFlag:
    """The versions of etcd that have a flag, from ``since`` to before ``until``, and what stands in its place."""

    since: tuple[int, int] = (3, 5)
    until: tuple[int, int] | None = None
    instead: str | None = None


_KNOWN = Flag()
_ETCD_KNOWN = EtcdFlag()

_LOGGING = """
    help log-flush-frequency log-json-info-buffer-size log-json-split-stream logging-format v version vmodule
"""

# klog's own flags, which every component had.
_GONE_LOGGING = {
    name: Flag(until=26, instead="--logging-format, or the redirection of standard error")  # PR 112120
    for name in """
        add-dir-header alsologtostderr log-backtrace-at log-dir log-file log-file-max-size logtostderr one-output
        skip-headers skip-log-headers stderrthreshold
    """.split()
}

_LATER_LOGGING = {
    "log-text-info-buffer-size": Flag(since=30),  # PR 114672
    "log-text-split-stream": Flag(since=30),
}

_METRICS = "allow-metric-labels allow-metric-labels-manifest disabled-metrics show-hidden-metrics-for-version"

_SECURE_SERVING = """
    bind-address cert-dir disable-http2-serving http2-max-streams-per-connection permit-address-sharing
    permit-port-sharing secure-port tls-cert-file tls-cipher-suites tls-min-version tls-private-key-file
    tls-sni-cert-key
"""

_DELEGATED = """
    authentication-kubeconfig authentication-skip-lookup authentication-token-webhook-cache-ttl
    authentication-tolerate-lookup-failure authorization-always-allow-paths authorization-kubeconfig
    authorization-webhook-cache-authorized-ttl authorization-webhook-cache-unauthorized-ttl client-ca-file
"""

_REQUEST_HEADER = """
    requestheader-allowed-names requestheader-client-ca-file requestheader-extra-headers-prefix
    requestheader-group-headers requestheader-username-headers
"""

_LEADER_ELECTION = """
    leader-elect leader-elect-lease-duration leader-elect-renew-deadline leader-elect-resource-lock
    leader-elect-resource-name leader-elect-resource-namespace leader-elect-retry-period
"""

# What the three components of the control plane received later, all alike.
_LATER_CONTROL_PLANE = {
    "emulated-version": Flag(since=31),
    "min-compatibility-version": Flag(since=35),  # PR 133980
    "requestheader-uid-headers": Flag(since=32),
    "tls-curve-preferences": Flag(since=36),  # PR 137115
}

_API_SERVER = """
    admission-control-config-file advertise-address aggregator-reject-forwarding-redirect allow-privileged
    anonymous-auth api-audiences
    audit-log-batch-buffer-size audit-log-batch-max-size audit-log-batch-max-wait audit-log-batch-throttle-burst
    audit-log-batch-throttle-enable audit-log-batch-throttle-qps audit-log-compress audit-log-format
    audit-log-maxage audit-log-maxbackup audit-log-maxsize audit-log-mode audit-log-path
    audit-log-truncate-enabled audit-log-truncate-max-batch-size audit-log-truncate-max-event-size
    audit-log-version audit-policy-file
    audit-webhook-batch-buffer-size audit-webhook-batch-max-size audit-webhook-batch-max-wait
    audit-webhook-batch-throttle-burst audit-webhook-batch-throttle-enable audit-webhook-batch-throttle-qps
    audit-webhook-config-file audit-webhook-initial-backoff audit-webhook-mode audit-webhook-truncate-enabled
    audit-webhook-truncate-max-batch-size audit-webhook-truncate-max-event-size audit-webhook-version
    authentication-token-webhook-cache-ttl authentication-token-webhook-config-file
    authentication-token-webhook-version
    authorization-mode authorization-policy-file authorization-webhook-cache-authorized-ttl
    authorization-webhook-cache-unauthorized-ttl authorization-webhook-config-file authorization-webhook-version
    client-ca-file contention-profiling coordinated-leadership-lease-duration
    coordinated-leadership-renew-deadline coordinated-leadership-retry-period cors-allowed-origins
    debug-socket-path default-not-ready-toleration-seconds default-unreachable-toleration-seconds
    default-watch-cache-size delete-collection-workers disable-admission-plugins
    egress-selector-config-file enable-admission-plugins enable-aggregator-routing enable-bootstrap-token-auth
    enable-garbage-collector enable-logs-handler enable-priority-and-fairness encryption-provider-config
    encryption-provider-config-automatic-reload endpoint-reconciler-type
    etcd-cafile etcd-certfile etcd-compaction-interval etcd-count-metric-poll-period etcd-db-metric-poll-interval
    etcd-healthcheck-timeout etcd-keyfile etcd-prefix etcd-readycheck-timeout etcd-servers
    etcd-servers-overrides event-ttl external-hostname feature-gates goaway-chance
    kubelet-certificate-authority kubelet-client-certificate kubelet-client-key kubelet-port
    kubelet-preferred-address-types kubelet-read-only-port kubelet-timeout kubernetes-service-node-port
    lease-reuse-duration-seconds livez-grace-period master-service-namespace max-connection-bytes-per-sec
    max-mutating-requests-inflight max-requests-inflight min-request-timeout
    oidc-ca-file oidc-client-id oidc-groups-claim oidc-groups-prefix oidc-issuer-url oidc-required-claim
    oidc-signing-algs oidc-username-claim oidc-username-prefix
    peer-advertise-ip peer-advertise-port peer-ca-file profiling proxy-client-cert-file proxy-client-key-file
    request-timeout runtime-config
    service-account-extend-token-expiration service-account-issuer service-account-jwks-uri
    service-account-key-file service-account-lookup service-account-max-token-expiration
    service-account-signing-key-file service-cluster-ip-range service-node-port-range shutdown-delay-duration
    shutdown-send-retry-after shutdown-watch-termination-grace-period storage-backend
    storage-initialization-timeout storage-media-type strict-transport-security-directives token-auth-file
    tracing-config-file watch-cache watch-cache-sizes
"""

# The insecure ports of all three components left with 1.24 (PR 106859 for kube-apiserver, announced for the others).
_API_SERVER_HISTORY = {
    "address": Flag(until=24, instead="--bind-address"),
    "apiserver-count": Flag(instead="--endpoint-reconciler-type=lease"),
    "authentication-config": Flag(since=29),
    "authorization-config": Flag(since=29),
    "cloud-config": Flag(until=33, instead="the external cloud controller manager"),  # PR 130162
    "cloud-provider": Flag(until=33, instead="the external cloud controller manager"),  # PR 130162
    "emulation-forward-compatible": Flag(since=33),
    "insecure-bind-address": Flag(until=24, instead="--bind-address"),
    "insecure-port": Flag(until=24, instead="--secure-port"),
    "port": Flag(until=24, instead="--secure-port"),
    "runtime-config-emulation-forward-compatible": Flag(since=33),
    "service-account-api-audiences": Flag(until=25, instead="--api-audiences"),  # PR 108624
    "service-account-signing-endpoint": Flag(since=32),  # with the gate ExternalServiceAccountTokenSigner
    "target-ram-mb": Flag(until=24),  # PR 108457
}

_CONTROLLER_MANAGER = """
    allocate-node-cidrs attach-detach-reconcile-sync-period cidr-allocator-type cloud-config cloud-provider
    cluster-cidr cluster-name cluster-signing-cert-file cluster-signing-duration cluster-signing-key-file
    cluster-signing-kube-apiserver-client-cert-file cluster-signing-kube-apiserver-client-key-file
    cluster-signing-kubelet-client-cert-file cluster-signing-kubelet-client-key-file
    cluster-signing-kubelet-serving-cert-file cluster-signing-kubelet-serving-key-file
    cluster-signing-legacy-unknown-cert-file cluster-signing-legacy-unknown-key-file
    concurrent-cron-job-syncs concurrent-deployment-syncs concurrent-device-taint-eviction-syncs
    concurrent-endpoint-syncs concurrent-ephemeralvolume-syncs concurrent-gc-syncs
    concurrent-horizontal-pod-autoscaler-syncs concurrent-job-syncs concurrent-namespace-syncs
    concurrent-rc-syncs concurrent-replicaset-syncs concurrent-resource-quota-syncs
    concurrent-service-endpoint-syncs concurrent-serviceaccount-token-syncs concurrent-statefulset-syncs
    concurrent-ttl-after-finished-syncs concurrent-validating-admission-policy-status-syncs
    configure-cloud-routes contention-profiling controller-start-interval controllers
    disable-attach-detach-reconcile-sync disable-force-detach-on-timeout enable-dynamic-provisioning
    enable-garbage-collector enable-hostpath-provisioner enable-leader-migration
    endpoint-updates-batch-period endpointslice-updates-batch-period external-cloud-volume-plugin feature-gates
    flex-volume-plugin-dir horizontal-pod-autoscaler-cpu-initialization-period
    horizontal-pod-autoscaler-downscale-stabilization horizontal-pod-autoscaler-initial-readiness-delay
    horizontal-pod-autoscaler-sync-period horizontal-pod-autoscaler-tolerance kube-api-burst
    kube-api-content-type kube-api-qps kubeconfig large-cluster-size-threshold leader-migration-config
    legacy-service-account-token-clean-up-period master max-endpoints-per-slice min-resync-period
    mirroring-concurrent-service-endpoint-syncs mirroring-endpointslice-updates-batch-period
    mirroring-max-endpoints-per-subset namespace-sync-period node-cidr-mask-size node-cidr-mask-size-ipv4
    node-cidr-mask-size-ipv6 node-eviction-rate node-monitor-grace-period node-monitor-period
    node-startup-grace-period profiling pv-recycler-increment-timeout-nfs
    pv-recycler-minimum-timeout-hostpath pv-recycler-minimum-timeout-nfs
    pv-recycler-pod-template-filepath-hostpath pv-recycler-pod-template-filepath-nfs
    pv-recycler-timeout-increment-hostpath pvclaimbinder-sync-period resource-quota-sync-period root-ca-file
    route-reconciliation-period secondary-node-eviction-rate service-account-private-key-file
    service-cluster-ip-range terminated-pod-gc-threshold unhealthy-zone-threshold
    use-service-account-credentials
"""

_CONTROLLER_MANAGER_HISTORY = {
    "address": Flag(until=24, instead="--bind-address"),
    "concurrent-daemonset-syncs": Flag(since=32),
    "concurrent-resourceclaim-syncs": Flag(since=36),  # PR 134701
    "concurrent-service-syncs": Flag(until=37, instead="the external cloud controller manager"),  # PR 138002
    "enable-taint-manager": Flag(until=27, instead="--controllers=-taint-eviction-controller from 1.29"),  # PR 115840
    "horizontal-pod-autoscaler-downscale-delay": Flag(
        until=31, instead="--horizontal-pod-autoscaler-downscale-stabilization"
    ),  # PR 124948
    "horizontal-pod-autoscaler-upscale-delay": Flag(until=31),  # PR 124948
    "pod-eviction-timeout": Flag(until=27, instead="kube-apiserver's --default-*-toleration-seconds"),  # PR 115840
    "port": Flag(until=24, instead="--secure-port"),
    "volume-host-allow-local-loopback": Flag(until=31),  # PR 124017
    "volume-host-cidr-denylist": Flag(until=31),  # PR 124017
}

_SCHEDULER = """
    config contention-profiling feature-gates kube-api-burst kube-api-content-type kube-api-qps kubeconfig master
    pod-max-in-unschedulable-pods-duration profiling write-config-to
"""

_SCHEDULER_HISTORY = {
    "address": Flag(until=24, instead="--bind-address"),
    "lock-object-name": Flag(until=28, instead="--leader-elect-resource-name"),
    "lock-object-namespace": Flag(until=28, instead="--leader-elect-resource-namespace"),
    "port": Flag(until=24, instead="--secure-port"),
}

_KUBELET = """
    address allowed-unsafe-sysctls anonymous-auth authentication-token-webhook
    authentication-token-webhook-cache-ttl authorization-mode authorization-webhook-cache-authorized-ttl
    authorization-webhook-cache-unauthorized-ttl azure-container-registry-config bootstrap-kubeconfig cert-dir
    cgroup-driver cgroup-root cgroups-per-qos client-ca-file cloud-provider cluster-dns cluster-domain config
    container-log-max-files container-log-max-size container-runtime-endpoint contention-profiling
    cpu-cfs-quota cpu-cfs-quota-period cpu-manager-policy cpu-manager-policy-options
    cpu-manager-reconcile-period enable-controller-attach-detach enable-debugging-handlers enable-server
    enforce-node-allocatable event-burst event-qps eviction-hard eviction-max-pod-grace-period
    eviction-minimum-reclaim eviction-pressure-transition-period eviction-soft eviction-soft-grace-period
    exit-on-lock-contention experimental-allocatable-ignore-eviction experimental-mounter-path fail-swap-on
    feature-gates file-check-frequency hairpin-mode healthz-bind-address healthz-port hostname-override
    housekeeping-interval http-check-frequency image-credential-provider-bin-dir
    image-credential-provider-config image-gc-high-threshold image-gc-low-threshold image-service-endpoint
    kernel-memcg-notification kube-api-burst kube-api-content-type kube-api-qps kube-reserved
    kube-reserved-cgroup kubeconfig kubelet-cgroups local-storage-capacity-isolation lock-file
    make-iptables-util-chains manifest-url manifest-url-header max-open-files max-pods
    memory-manager-policy minimum-image-ttl-duration node-ip node-labels node-status-max-images
    node-status-update-frequency oom-score-adj pod-cidr pod-manifest-path pod-max-pids pods-per-core port
    protect-kernel-defaults provider-id qos-reserved read-only-port register-node register-with-taints
    registry-burst registry-qps reserved-cpus reserved-memory resolv-conf root-dir rotate-certificates
    rotate-server-certificates runonce runtime-cgroups runtime-request-timeout seccomp-default
    serialize-image-pulls streaming-connection-idle-timeout sync-frequency system-cgroups system-reserved
    system-reserved-cgroup tls-cert-file tls-cipher-suites tls-min-version tls-private-key-file
    topology-manager-policy topology-manager-policy-options topology-manager-scope volume-plugin-dir
    volume-stats-agg-period
"""

_KUBELET_HISTORY = {
    "cloud-config": Flag(until=34, instead="the external cloud controller manager"),  # PR 130161
    "config-dir": Flag(since=28),
    "container-runtime": Flag(until=27, instead="--container-runtime-endpoint"),
    "iptables-drop-bit": Flag(until=31),  # PR 122363
    "iptables-masquerade-bit": Flag(until=31),  # PR 122363
    "keep-terminated-pod-volumes": Flag(until=31),  # PR 122082
    "master-service-namespace": Flag(until=27),  # PR 116015
    "maximum-dead-containers": Flag(instead="evictionHard or evictionSoft of the KubeletConfiguration"),
    "maximum-dead-containers-per-container": Flag(instead="evictionHard or evictionSoft of the KubeletConfiguration"),
    "minimum-container-ttl-duration": Flag(instead="evictionHard or evictionSoft of the KubeletConfiguration"),
    "pod-infra-container-image": Flag(until=35, instead="the sandbox image of the container runtime"),  # PR 133779
    "register-schedulable": Flag(until=34, instead="--register-with-taints"),  # PR 122384
}

# cAdvisor's flags, which it lost with the embedded library of 1.37 (PR 139870).
_CADVISOR = """
    application-metrics-count-limit boot-id-file container-hints containerd containerd-namespace
    enable-load-reader event-storage-age-limit event-storage-event-limit global-housekeeping-interval
    log-cadvisor-usage machine-id-file storage-driver-buffer-duration storage-driver-db storage-driver-host
    storage-driver-password storage-driver-secure storage-driver-table storage-driver-user
"""

# What only dockershim read; it left with 1.24.
_DOCKERSHIM = """
    cni-bin-dir cni-cache-dir cni-conf-dir docker-endpoint experimental-dockershim-root-directory
    image-pull-progress-deadline network-plugin network-plugin-mtu
"""


def _flags(*names: str, history: dict[str, Flag]) -> dict[str, Flag]:
    """The flags of a component: those without history, as texts of names, and those with one."""
    return dict.fromkeys(" ".join(names).split(), _KNOWN) | _GONE_LOGGING | _LATER_LOGGING | history


FLAGS: Mapping[str, Mapping[str, Flag]] = {
    "kube-apiserver": _flags(
        _API_SERVER,
        _LOGGING,
        _METRICS,
        _REQUEST_HEADER,
        _SECURE_SERVING,
        history=_LATER_CONTROL_PLANE | _API_SERVER_HISTORY,
    ),
    "kube-controller-manager": _flags(
        _CONTROLLER_MANAGER,
        _DELEGATED,
        _LEADER_ELECTION,
        _LOGGING,
        _METRICS,
        _REQUEST_HEADER,
        _SECURE_SERVING,
        history=_LATER_CONTROL_PLANE | _CONTROLLER_MANAGER_HISTORY,
    ),
    "kube-scheduler": _flags(
        _SCHEDULER,
        _DELEGATED,
        _LEADER_ELECTION,
        _LOGGING,
        _METRICS,
        _REQUEST_HEADER,
        _SECURE_SERVING,
        history=_LATER_CONTROL_PLANE | _SCHEDULER_HISTORY,
    ),
    "kubelet": _flags(
        _KUBELET,
        _LOGGING,
        history=dict.fromkeys(_CADVISOR.split(), Flag(until=37))
        | dict.fromkeys(_DOCKERSHIM.split(), Flag(until=24, instead="the settings of the container runtime"))
        | _KUBELET_HISTORY,
    ),
}

_ETCD = """
    advertise-client-urls auth-token auth-token-ttl auto-compaction-mode auto-compaction-retention auto-tls
    backend-batch-interval backend-batch-limit backend-bbolt-freelist-type bcrypt-cost cert-file cipher-suites
    client-cert-allowed-hostname client-cert-auth client-cert-file client-crl-file client-key-file config-file
    cors data-dir discovery discovery-fallback discovery-proxy discovery-srv discovery-srv-name
    election-timeout enable-grpc-gateway enable-log-rotation enable-pprof force-new-cluster
    grpc-keepalive-interval grpc-keepalive-min-time grpc-keepalive-timeout heartbeat-interval help
    host-whitelist initial-advertise-peer-urls initial-cluster initial-cluster-state initial-cluster-token
    initial-election-tick-advance key-file listen-client-http-urls listen-client-urls listen-metrics-urls
    listen-peer-urls log-level log-outputs log-rotation-config-json logger max-concurrent-streams
    max-request-bytes max-snapshots max-txn-ops max-wals metrics name peer-auto-tls peer-cert-allowed-cn
    peer-cert-allowed-hostname peer-cert-file peer-client-cert-auth peer-client-cert-file
    peer-client-key-file peer-crl-file peer-key-file peer-trusted-ca-file pre-vote quota-backend-bytes
    raft-read-timeout raft-write-timeout self-signed-cert-validity snapshot-count socket-reuse-address
    socket-reuse-port strict-reconfig-check tls-max-version tls-min-version trusted-ca-file unsafe-no-fsync
    v2-deprecation version wal-dir
"""

_ETCD_NEW_IN_3_6 = """
    discovery-cacert discovery-cert discovery-dial-timeout discovery-endpoints
    discovery-insecure-skip-tls-verify discovery-insecure-transport discovery-keepalive-time
    discovery-keepalive-timeout discovery-key discovery-password discovery-request-timeout discovery-token
    discovery-user feature-gates log-format
"""

_ETCD_GONE_IN_3_6 = """
    enable-v2 experimental-enable-v2v3 proxy proxy-dial-timeout proxy-failure-wait proxy-read-timeout
    proxy-refresh-interval proxy-write-timeout
"""

# Flags that lost the prefix "experimental-" in 3.6, which kept both names; 3.7 has the new one only.
_ETCD_GRADUATED = """
    bootstrap-defrag-threshold-megabytes compact-hash-check-time compaction-batch-limit
    compaction-sleep-interval corrupt-check-time distributed-tracing-address distributed-tracing-instance-id
    distributed-tracing-sampling-rate distributed-tracing-service-name downgrade-check-time
    enable-distributed-tracing max-learners memory-mlock peer-skip-client-san-verification
    snapshot-catchup-entries warning-apply-duration warning-unary-request-duration
    watch-progress-notify-interval
"""

# Flags of 3.5 and 3.6 that became feature gates of etcd.
_ETCD_GATES = {
    "experimental-compact-hash-check-enabled": "CompactHashCheck",
    "experimental-enable-lease-checkpoint": "LeaseCheckpoint",
    "experimental-enable-lease-checkpoint-persist": "LeaseCheckpointPersist",
    "experimental-initial-corrupt-check": "InitialCorruptCheck",
    "experimental-stop-grpc-service-on-defrag": "StopGRPCServiceOnDefrag",
    "experimental-txn-mode-write-with-shared-buffer": "TxnModeWriteWithSharedBuffer",
}

ETCD_FLAGS: Mapping[str, EtcdFlag] = {
    **dict.fromkeys(_ETCD.split(), _ETCD_KNOWN),
    **dict.fromkeys(_ETCD_NEW_IN_3_6.split(), EtcdFlag(since=(3, 6))),
    **dict.fromkeys(_ETCD_GONE_IN_3_6.split(), EtcdFlag(until=(3, 6))),
    **dict.fromkeys(_ETCD_GRADUATED.split(), EtcdFlag(since=(3, 6))),
    **{
        f"experimental-{name}": EtcdFlag(until=(3, 7), instead=f"--{name}")  # etcd PR 19959
        for name in _ETCD_GRADUATED.split()
    },
    **{
        name: EtcdFlag(until=(3, 7), instead=f"--feature-gates={gate}=true")  # etcd PR 19959
        for name, gate in _ETCD_GATES.items()
    },
}
