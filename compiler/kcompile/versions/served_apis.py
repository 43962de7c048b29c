"""The built-in APIs that Kubernetes deprecated or stopped serving, for the objects of ``manifests``.

Only kinds that can be written are here: no subresources, no lists. An alpha or beta that is
still served in 1.37 has an entry only where a source gives its deprecation.

Sources:

- the Deprecated API Migration Guide (kubernetes/website, docs/reference/using-api/deprecation-guide.md) for what was
  removed from 1.16 to 1.32;
- the OpenAPI schemas of 1.25 to 1.37 (package kubernetes-validate 1.37.0): ``removed`` is the minor after the last
  schema that has the kind, which agrees with the guide wherever both say something;
- zz_generated.prerelease-lifecycle.go of k8s.io/api (certificates/v1beta1, coordination/v1beta1), and its generator's
  rule for a beta without tags of its own, deprecated three minors after it came and removed three later, where the
  schemas show that removal;
- the descriptions of ComponentStatus (1.19) and Endpoints (1.33) in those schemas.

``instead`` names the group version to write, with the minors that have it where that is not all of 1.28 to 1.37 in
which the entry matters; with another kind, that kind follows it.

``deprecated`` is left out where no source has it; for what was removed before 1.28 it would make no difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Removal:
    """The minor that deprecated an API, the first that no longer serves it, and the API to write instead."""

    deprecated: int | None
    removed: int | None
    instead: str | None


def _removals(
    api_version: str, kinds: str, *, removed: int | None, instead: str | None, deprecated: int | None = None
) -> dict[tuple[str, str], Removal]:
    """The same removal for several kinds of one group version."""
    return {(api_version, kind): Removal(deprecated, removed, instead) for kind in kinds.split()}


_ADMISSION = "admissionregistration.k8s.io/v1"
_FLOW_CONTROL = "flowcontrol.apiserver.k8s.io/v1"
_FLOW_CONTROL_OR_BETA = "flowcontrol.apiserver.k8s.io/v1 from 1.29, v1beta3 before"
_FLOW_CONTROL_KINDS = "FlowSchema PriorityLevelConfiguration"
_RESOURCE = "resource.k8s.io/v1"
_VALIDATING_POLICY_KINDS = "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding"

REMOVED: Mapping[tuple[str, str], Removal] = {
    # 1.16
    **_removals("apps/v1beta1", "Deployment ReplicaSet StatefulSet", removed=16, instead="apps/v1"),
    **_removals("apps/v1beta2", "DaemonSet Deployment ReplicaSet StatefulSet", removed=16, instead="apps/v1"),
    **_removals("extensions/v1beta1", "DaemonSet Deployment ReplicaSet", removed=16, instead="apps/v1"),
    **_removals("extensions/v1beta1", "NetworkPolicy", removed=16, instead="networking.k8s.io/v1"),
    **_removals("extensions/v1beta1", "PodSecurityPolicy", removed=16, instead=None),
    # 1.22
    **_removals(
        "admissionregistration.k8s.io/v1beta1",
        "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
        removed=22,
        instead=_ADMISSION,
    ),
    **_removals(
        "apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", removed=22, instead="apiextensions.k8s.io/v1"
    ),
    **_removals("apiregistration.k8s.io/v1beta1", "APIService", removed=22, instead="apiregistration.k8s.io/v1"),
    **_removals("authentication.k8s.io/v1beta1", "TokenReview", removed=22, instead="authentication.k8s.io/v1"),
    **_removals(
        "authorization.k8s.io/v1beta1",
        "LocalSubjectAccessReview SelfSubjectAccessReview SubjectAccessReview",
        removed=22,
        instead="authorization.k8s.io/v1",
    ),
    **_removals(
        "certificates.k8s.io/v1beta1",
        "CertificateSigningRequest",
        deprecated=19,
        removed=22,
        instead="certificates.k8s.io/v1",
    ),
    **_removals("coordination.k8s.io/v1beta1", "Lease", deprecated=19, removed=22, instead="coordination.k8s.io/v1"),
    **_removals("extensions/v1beta1", "Ingress", removed=22, instead="networking.k8s.io/v1"),
    **_removals("networking.k8s.io/v1beta1", "Ingress IngressClass", removed=22, instead="networking.k8s.io/v1"),
    **_removals(
        "rbac.authorization.k8s.io/v1beta1",
        "ClusterRole ClusterRoleBinding Role RoleBinding",
        removed=22,
        instead="rbac.authorization.k8s.io/v1",
    ),
    **_removals("scheduling.k8s.io/v1beta1", "PriorityClass", removed=22, instead="scheduling.k8s.io/v1"),
    **_removals(
        "storage.k8s.io/v1beta1",
        "CSIDriver CSINode StorageClass VolumeAttachment",
        removed=22,
        instead="storage.k8s.io/v1",
    ),
    # 1.25
    **_removals("autoscaling/v2beta1", "HorizontalPodAutoscaler", removed=25, instead="autoscaling/v2"),
    **_removals("batch/v1beta1", "CronJob", removed=25, instead="batch/v1"),
    **_removals("discovery.k8s.io/v1beta1", "EndpointSlice", removed=25, instead="discovery.k8s.io/v1"),
    **_removals("events.k8s.io/v1beta1", "Event", removed=25, instead="events.k8s.io/v1"),
    **_removals("node.k8s.io/v1beta1", "RuntimeClass", removed=25, instead="node.k8s.io/v1"),
    **_removals("policy/v1beta1", "PodDisruptionBudget", removed=25, instead="policy/v1"),
    **_removals("policy/v1beta1", "PodSecurityPolicy", removed=25, instead=None),
    # 1.26 and 1.27
    **_removals("autoscaling/v2beta2", "HorizontalPodAutoscaler", removed=26, instead="autoscaling/v2"),
    **_removals("flowcontrol.apiserver.k8s.io/v1beta1", _FLOW_CONTROL_KINDS, removed=26, instead=_FLOW_CONTROL_OR_BETA),
    **_removals(
        "resource.k8s.io/v1alpha1",
        "PodScheduling ResourceClaim ResourceClaimTemplate ResourceClass",
        removed=27,
        instead=None,
    ),
    **_removals("storage.k8s.io/v1beta1", "CSIStorageCapacity", removed=27, instead="storage.k8s.io/v1"),
    # 1.29 to 1.31
    **_removals(
        "flowcontrol.apiserver.k8s.io/v1beta2",
        _FLOW_CONTROL_KINDS,
        deprecated=26,
        removed=29,
        instead=_FLOW_CONTROL_OR_BETA,
    ),
    **_removals("networking.k8s.io/v1alpha1", "ClusterCIDR", removed=29, instead=None),
    **_removals(
        "networking.k8s.io/v1alpha1",
        "IPAddress ServiceCIDR",
        removed=31,
        instead="networking.k8s.io/v1 from 1.33, v1beta1 before",
    ),
    **_removals(
        "resource.k8s.io/v1alpha2",
        "PodSchedulingContext ResourceClass ResourceClassParameters ResourceClaimParameters",
        removed=31,
        instead=None,
    ),
    **_removals(
        "resource.k8s.io/v1alpha2",
        "ResourceClaim ResourceClaimTemplate ResourceSlice",
        removed=31,
        instead="resource.k8s.io/v1 from 1.34, v1beta2 in 1.33, v1beta1 in 1.32, v1alpha3 in 1.31",
    ),
    # 1.32 to 1.34
    **_removals("admissionregistration.k8s.io/v1alpha1", _VALIDATING_POLICY_KINDS, removed=32, instead=_ADMISSION),
    **_removals(
        "admissionregistration.k8s.io/v1beta1",
        _VALIDATING_POLICY_KINDS,
        deprecated=31,
        removed=34,
        instead=_ADMISSION,
    ),
    **_removals("authentication.k8s.io/v1alpha1", "SelfSubjectReview", removed=32, instead="authentication.k8s.io/v1"),
    **_removals(
        "authentication.k8s.io/v1beta1",
        "SelfSubjectReview",
        deprecated=30,
        removed=33,
        instead="authentication.k8s.io/v1",
    ),
    **_removals(
        "coordination.k8s.io/v1alpha1",
        "LeaseCandidate",
        removed=32,
        instead="coordination.k8s.io/v1beta1 from 1.33, v1alpha2 in 1.32",
    ),
    **_removals(
        "flowcontrol.apiserver.k8s.io/v1beta3", _FLOW_CONTROL_KINDS, deprecated=29, removed=32, instead=_FLOW_CONTROL
    ),
    **_removals("resource.k8s.io/v1alpha3", "PodSchedulingContext", removed=32, instead=None),
    **_removals(
        "resource.k8s.io/v1alpha3",
        "DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice",
        removed=34,
        instead=_RESOURCE,
    ),
    # 1.35 to 1.37
    **_removals(
        "certificates.k8s.io/v1alpha1", "PodCertificateRequest", removed=35, instead="certificates.k8s.io/v1beta1"
    ),
    **_removals("storage.k8s.io/v1alpha1", "VolumeAttributesClass", removed=35, instead="storage.k8s.io/v1"),
    **_removals(
        "storagemigration.k8s.io/v1alpha1",
        "StorageVersionMigration",
        removed=35,
        instead="storagemigration.k8s.io/v1beta1",
    ),
    **_removals(
        "scheduling.k8s.io/v1alpha1",
        "Workload",
        removed=36,
        instead="scheduling.k8s.io/v1beta1 from 1.37, v1alpha2 in 1.36",
    ),
    **_removals("certificates.k8s.io/v1alpha1", "ClusterTrustBundle", removed=37, instead="certificates.k8s.io/v1"),
    **_removals(
        "networking.k8s.io/v1beta1",
        "IPAddress ServiceCIDR",
        deprecated=34,
        removed=37,
        instead="networking.k8s.io/v1",
    ),
    **_removals("scheduling.k8s.io/v1alpha2", "PodGroup Workload", removed=37, instead="scheduling.k8s.io/v1beta1"),
    **_removals(
        "storage.k8s.io/v1beta1", "VolumeAttributesClass", deprecated=34, removed=37, instead="storage.k8s.io/v1"
    ),
    # Deprecated and still served in 1.37
    **_removals("v1", "ComponentStatus", deprecated=19, removed=None, instead=None),
    **_removals("v1", "Endpoints", deprecated=33, removed=None, instead="discovery.k8s.io/v1 EndpointSlice"),
    **_removals(
        "certificates.k8s.io/v1beta1",
        "ClusterTrustBundle",
        deprecated=36,
        removed=None,
        instead="certificates.k8s.io/v1 from 1.37",
    ),
    **_removals("coordination.k8s.io/v1beta1", "LeaseCandidate", deprecated=36, removed=None, instead=None),
}
