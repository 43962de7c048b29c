"""The fields of a Pod, a Deployment and a DaemonSet, and what is wrong with a document of one for Go.

Sources: ``types.go`` of k8s.io/api ``core/v1`` and ``apps/v1`` and of k8s.io/apimachinery ``meta/v1``. Free-form, so
that any mapping is taken: ``status``, which is not the user's to say, and ``fieldsV1`` of managedFields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kcompile import go_fields
from kcompile.go_fields import Fault

_TABLE: dict[str, dict[str, str]] = {
    "Pod": {
        "string": "apiVersion kind",
        "ObjectMeta": "metadata",
        "PodSpec": "spec",
        "map[string]any": "status",
    },
    "Deployment": {
        "string": "apiVersion kind",
        "ObjectMeta": "metadata",
        "DeploymentSpec": "spec",
        "map[string]any": "status",
    },
    "DaemonSet": {
        "string": "apiVersion kind",
        "ObjectMeta": "metadata",
        "DaemonSetSpec": "spec",
        "map[string]any": "status",
    },
    "DeploymentSpec": {
        "bool": "paused",
        "int32": "minReadySeconds progressDeadlineSeconds replicas revisionHistoryLimit",
        "LabelSelector": "selector",
        "DeploymentStrategy": "strategy",
        "PodTemplateSpec": "template",
    },
    "DaemonSetSpec": {
        "int32": "minReadySeconds revisionHistoryLimit",
        "LabelSelector": "selector",
        "PodTemplateSpec": "template",
        "DaemonSetUpdateStrategy": "updateStrategy",
    },
    "DeploymentStrategy": {"string": "type", "RollingUpdate": "rollingUpdate"},
    "DaemonSetUpdateStrategy": {"string": "type", "RollingUpdate": "rollingUpdate"},
    "RollingUpdate": {"IntOrString": "maxSurge maxUnavailable"},
    "PodTemplateSpec": {"ObjectMeta": "metadata", "PodSpec": "spec"},
    # what every object has
    "ObjectMeta": {
        "string": "generateName name namespace resourceVersion selfLink uid",
        "int64": "deletionGracePeriodSeconds generation",
        "Time": "creationTimestamp deletionTimestamp",
        "[]string": "finalizers",
        "map[string]string": "annotations labels",
        "[]ManagedFieldsEntry": "managedFields",
        "[]OwnerReference": "ownerReferences",
    },
    "ManagedFieldsEntry": {
        "string": "apiVersion fieldsType manager operation subresource",
        "Time": "time",
        "map[string]any": "fieldsV1",
    },
    "OwnerReference": {"string": "apiVersion kind name uid", "bool": "blockOwnerDeletion controller"},
    "LabelSelector": {"map[string]string": "matchLabels", "[]Requirement": "matchExpressions"},
    "Requirement": {"string": "key operator", "[]string": "values"},
    "LocalObjectReference": {"string": "name"},
    # pods
    "PodSpec": {
        "string": """
            dnsPolicy hostname hostnameOverride nodeName preemptionPolicy priorityClassName restartPolicy
            runtimeClassName schedulerName serviceAccount serviceAccountName subdomain
            """,
        "bool": """
            automountServiceAccountToken enableServiceLinks hostIPC hostNetwork hostPID hostUsers setHostnameAsFQDN
            shareProcessNamespace
            """,
        "int32": "priority",
        "int64": "activeDeadlineSeconds terminationGracePeriodSeconds",
        "map[string]string": "nodeSelector",
        "map[string]Quantity": "overhead",
        "Affinity": "affinity",
        "PodDNSConfig": "dnsConfig",
        "PodOS": "os",
        "PodSchedulingGroup": "schedulingGroup",
        "PodSecurityContext": "securityContext",
        "ResourceRequirements": "resources",
        "WorkloadReference": "workloadRef",
        "[]Container": "containers initContainers",
        "[]EphemeralContainer": "ephemeralContainers",
        "[]EvictionResponder": "evictionResponders",
        "[]HostAlias": "hostAliases",
        "[]LocalObjectReference": "imagePullSecrets",
        "[]PodReadinessGate": "readinessGates",
        "[]PodResourceClaim": "resourceClaims",
        "[]PodSchedulingGate": "schedulingGates",
        "[]Toleration": "tolerations",
        "[]TopologySpreadConstraint": "topologySpreadConstraints",
        "[]Volume": "volumes",
    },
    "EvictionResponder": {"string": "name", "int32": "priority"},
    "HostAlias": {"string": "ip", "[]string": "hostnames"},
    "PodDNSConfig": {"[]string": "nameservers searches", "[]PodDNSConfigOption": "options"},
    "PodDNSConfigOption": {"string": "name value"},
    "PodOS": {"string": "name"},
    "PodReadinessGate": {"string": "conditionType"},
    "PodResourceClaim": {
        "string": "name resourceClaimName resourceClaimTemplateName",
        "ClaimSource": "source",
    },
    "ClaimSource": {"string": "resourceClaimName resourceClaimTemplateName"},
    "PodSchedulingGate": {"string": "name"},
    "PodSchedulingGroup": {"string": "podGroupName"},
    "Toleration": {"string": "effect key operator value", "int64": "tolerationSeconds"},
    "TopologySpreadConstraint": {
        "string": "nodeAffinityPolicy nodeTaintsPolicy topologyKey whenUnsatisfiable",
        "int32": "maxSkew minDomains",
        "[]string": "matchLabelKeys",
        "LabelSelector": "labelSelector",
    },
    "WorkloadReference": {"string": "name podGroup podGroupReplicaKey"},
    "Affinity": {
        "NodeAffinity": "nodeAffinity",
        "PodAffinity": "podAffinity podAntiAffinity",
    },
    "NodeAffinity": {
        "NodeSelector": "requiredDuringSchedulingIgnoredDuringExecution",
        "[]PreferredSchedulingTerm": "preferredDuringSchedulingIgnoredDuringExecution",
    },
    "NodeSelector": {"[]NodeSelectorTerm": "nodeSelectorTerms"},
    "NodeSelectorTerm": {"[]Requirement": "matchExpressions matchFields"},
    "PreferredSchedulingTerm": {"int32": "weight", "NodeSelectorTerm": "preference"},
    "PodAffinity": {
        "[]PodAffinityTerm": "requiredDuringSchedulingIgnoredDuringExecution",
        "[]WeightedPodAffinityTerm": "preferredDuringSchedulingIgnoredDuringExecution",
    },
    "PodAffinityTerm": {
        "string": "topologyKey",
        "[]string": "matchLabelKeys mismatchLabelKeys namespaces",
        "LabelSelector": "labelSelector namespaceSelector",
    },
    "WeightedPodAffinityTerm": {"int32": "weight", "PodAffinityTerm": "podAffinityTerm"},
    # containers
    "Container": {
        "string": """
            image imagePullPolicy name restartPolicy terminationMessagePath terminationMessagePolicy workingDir
            """,
        "bool": "stdin stdinOnce tty",
        "[]string": "args command",
        "Lifecycle": "lifecycle",
        "Probe": "livenessProbe readinessProbe startupProbe",
        "ResourceRequirements": "resources",
        "SecurityContext": "securityContext",
        "[]ContainerPort": "ports",
        "[]ContainerResizePolicy": "resizePolicy",
        "[]ContainerRestartRule": "restartPolicyRules",
        "[]EnvFromSource": "envFrom",
        "[]EnvVar": "env",
        "[]VolumeDevice": "volumeDevices",
        "[]VolumeMount": "volumeMounts",
    },
    "ContainerPort": {"string": "hostIP name protocol", "int32": "containerPort hostPort"},
    "ContainerResizePolicy": {"string": "resourceName restartPolicy"},
    "ContainerRestartRule": {"string": "action", "ContainerRestartRuleOnExitCodes": "exitCodes"},
    "ContainerRestartRuleOnExitCodes": {"string": "operator", "[]int32": "values"},
    "EnvFromSource": {"string": "prefix", "EnvSource": "configMapRef secretRef"},
    "EnvSource": {"string": "name", "bool": "optional"},
    "EnvVar": {"string": "name value", "EnvVarSource": "valueFrom"},
    "EnvVarSource": {
        "FileKeySelector": "fileKeyRef",
        "KeySelector": "configMapKeyRef secretKeyRef",
        "ObjectFieldSelector": "fieldRef",
        "ResourceFieldSelector": "resourceFieldRef",
    },
    "FileKeySelector": {"string": "key path volumeName", "bool": "optional"},
    "KeySelector": {"string": "key name", "bool": "optional"},
    "ObjectFieldSelector": {"string": "apiVersion fieldPath"},
    "ResourceFieldSelector": {"string": "containerName resource", "Quantity": "divisor"},
    "ResourceRequirements": {"map[string]Quantity": "limits requests", "[]ResourceClaim": "claims"},
    "ResourceClaim": {"string": "name request"},
    "VolumeDevice": {"string": "devicePath name"},
    "VolumeMount": {
        "string": "mountPath mountPropagation name recursiveReadOnly subPath subPathExpr",
        "bool": "readOnly",
        "[]string": "bindMountOptions",
    },
    # probes and handlers
    "Lifecycle": {"string": "stopSignal", "LifecycleHandler": "postStart preStop"},
    "LifecycleHandler": {
        "ExecAction": "exec",
        "HTTPGetAction": "httpGet",
        "SleepAction": "sleep",
        "TCPSocketAction": "tcpSocket",
    },
    "Probe": {
        "int32": "failureThreshold initialDelaySeconds periodSeconds successThreshold timeoutSeconds",
        "int64": "terminationGracePeriodSeconds",
        "ExecAction": "exec",
        "GRPCAction": "grpc",
        "HTTPGetAction": "httpGet",
        "TCPSocketAction": "tcpSocket",
    },
    "ExecAction": {"[]string": "command"},
    "GRPCAction": {"string": "mode service", "int32": "port"},
    "HTTPGetAction": {
        "string": "host path protocol scheme",
        "IntOrString": "port",
        "[]HTTPHeader": "httpHeaders",
    },
    "HTTPHeader": {"string": "name value"},
    "SleepAction": {"int64": "seconds"},
    "TCPSocketAction": {"string": "host", "IntOrString": "port"},
    # security
    "PodSecurityContext": {
        "string": "fsGroupChangePolicy seLinuxChangePolicy supplementalGroupsPolicy",
        "bool": "runAsNonRoot",
        "int64": "fsGroup runAsGroup runAsUser",
        "[]int64": "supplementalGroups",
        "Profile": "appArmorProfile seccompProfile",
        "SELinuxOptions": "seLinuxOptions",
        "WindowsSecurityContextOptions": "windowsOptions",
        "[]Sysctl": "sysctls",
    },
    "SecurityContext": {
        "string": "procMount",
        "bool": "allowPrivilegeEscalation privileged readOnlyRootFilesystem runAsNonRoot",
        "int64": "runAsGroup runAsUser",
        "Capabilities": "capabilities",
        "Profile": "appArmorProfile seccompProfile",
        "SELinuxOptions": "seLinuxOptions",
        "WindowsSecurityContextOptions": "windowsOptions",
    },
    "Capabilities": {"[]string": "add drop"},
    "Profile": {"string": "localhostProfile type"},
    "SELinuxOptions": {"string": "level role type user"},
    "Sysctl": {"string": "name value"},
    "WindowsSecurityContextOptions": {
        "string": "gmsaCredentialSpec gmsaCredentialSpecName runAsUserName",
        "bool": "hostProcess",
    },
    # volumes
    "Volume": {
        "string": "name",
        "AWSElasticBlockStoreVolumeSource": "awsElasticBlockStore",
        "AzureDiskVolumeSource": "azureDisk",
        "AzureFileVolumeSource": "azureFile",
        "CSIVolumeSource": "csi",
        "CephFSVolumeSource": "cephfs",
        "CinderVolumeSource": "cinder",
        "ConfigMapVolumeSource": "configMap",
        "DownwardAPIVolumeSource": "downwardAPI",
        "EmptyDirVolumeSource": "emptyDir",
        "EphemeralVolumeSource": "ephemeral",
        "FCVolumeSource": "fc",
        "FlexVolumeSource": "flexVolume",
        "FlockerVolumeSource": "flocker",
        "GCEPersistentDiskVolumeSource": "gcePersistentDisk",
        "GitRepoVolumeSource": "gitRepo",
        "GlusterfsVolumeSource": "glusterfs",
        "HostPathVolumeSource": "hostPath",
        "ISCSIVolumeSource": "iscsi",
        "ImageVolumeSource": "image",
        "NFSVolumeSource": "nfs",
        "PersistentVolumeClaimVolumeSource": "persistentVolumeClaim",
        "PhotonPersistentDiskVolumeSource": "photonPersistentDisk",
        "PortworxVolumeSource": "portworxVolume",
        "ProjectedVolumeSource": "projected",
        "QuobyteVolumeSource": "quobyte",
        "RBDVolumeSource": "rbd",
        "ScaleIOVolumeSource": "scaleIO",
        "SecretVolumeSource": "secret",
        "StorageOSVolumeSource": "storageos",
        "VsphereVirtualDiskVolumeSource": "vsphereVolume",
    },
    "AWSElasticBlockStoreVolumeSource": {"string": "fsType volumeID", "bool": "readOnly", "int32": "partition"},
    "AzureDiskVolumeSource": {"string": "cachingMode diskName diskURI fsType kind", "bool": "readOnly"},
    "AzureFileVolumeSource": {"string": "secretName shareName", "bool": "readOnly"},
    "CSIVolumeSource": {
        "string": "driver fsType",
        "bool": "readOnly",
        "map[string]string": "volumeAttributes",
        "LocalObjectReference": "nodePublishSecretRef",
    },
    "CephFSVolumeSource": {
        "string": "path secretFile user",
        "bool": "readOnly",
        "[]string": "monitors",
        "LocalObjectReference": "secretRef",
    },
    "CinderVolumeSource": {"string": "fsType volumeID", "bool": "readOnly", "LocalObjectReference": "secretRef"},
    "ConfigMapVolumeSource": {
        "string": "name",
        "bool": "optional",
        "int32": "defaultMode",
        "int64": "defaultUser",
        "[]KeyToPath": "items",
    },
    "DownwardAPIVolumeSource": {
        "int32": "defaultMode",
        "int64": "defaultUser",
        "[]DownwardAPIVolumeFile": "items",
    },
    "DownwardAPIVolumeFile": {
        "string": "path",
        "int32": "mode",
        "int64": "user",
        "ObjectFieldSelector": "fieldRef",
        "ResourceFieldSelector": "resourceFieldRef",
    },
    "EmptyDirVolumeSource": {"string": "medium", "int32": "mode", "Quantity": "sizeLimit"},
    "EphemeralVolumeSource": {"PersistentVolumeClaimTemplate": "volumeClaimTemplate"},
    "FCVolumeSource": {"string": "fsType", "bool": "readOnly", "int32": "lun", "[]string": "targetWWNs wwids"},
    "FlexVolumeSource": {
        "string": "driver fsType",
        "bool": "readOnly",
        "map[string]string": "options",
        "LocalObjectReference": "secretRef",
    },
    "FlockerVolumeSource": {"string": "datasetName datasetUUID"},
    "GCEPersistentDiskVolumeSource": {"string": "fsType pdName", "bool": "readOnly", "int32": "partition"},
    "GitRepoVolumeSource": {"string": "directory repository revision"},
    "GlusterfsVolumeSource": {"string": "endpoints path", "bool": "readOnly"},
    "HostPathVolumeSource": {"string": "path type"},
    "ISCSIVolumeSource": {
        "string": "fsType initiatorName iqn iscsiInterface targetPortal",
        "bool": "chapAuthDiscovery chapAuthSession readOnly",
        "int32": "lun",
        "[]string": "portals",
        "LocalObjectReference": "secretRef",
    },
    "ImageVolumeSource": {"string": "pullPolicy reference"},
    "KeyToPath": {"string": "key path", "int32": "mode", "int64": "user"},
    "NFSVolumeSource": {"string": "path server", "bool": "readOnly"},
    "PersistentVolumeClaimVolumeSource": {"string": "claimName", "bool": "readOnly"},
    "PersistentVolumeClaimTemplate": {"ObjectMeta": "metadata", "PersistentVolumeClaimSpec": "spec"},
    "PersistentVolumeClaimSpec": {
        "string": "storageClassName volumeAttributesClassName volumeMode volumeName",
        "[]string": "accessModes",
        "LabelSelector": "selector",
        "VolumeResourceRequirements": "resources",
        "TypedLocalObjectReference": "dataSource",
        "TypedObjectReference": "dataSourceRef",
    },
    "TypedLocalObjectReference": {"string": "apiGroup kind name"},
    "TypedObjectReference": {"string": "apiGroup kind name namespace"},
    "PhotonPersistentDiskVolumeSource": {"string": "fsType pdID"},
    "PortworxVolumeSource": {"string": "fsType volumeID", "bool": "readOnly"},
    "ProjectedVolumeSource": {"int32": "defaultMode", "int64": "defaultUser", "[]VolumeProjection": "sources"},
    "VolumeProjection": {
        "ClusterTrustBundleProjection": "clusterTrustBundle",
        "DownwardAPIProjection": "downwardAPI",
        "KeysProjection": "configMap secret",
        "PodCertificateProjection": "podCertificate",
        "ServiceAccountTokenProjection": "serviceAccountToken",
    },
    "ClusterTrustBundleProjection": {
        "string": "name path signerName",
        "bool": "optional",
        "int64": "user",
        "LabelSelector": "labelSelector",
    },
    "DownwardAPIProjection": {"[]DownwardAPIVolumeFile": "items"},
    "KeysProjection": {"string": "name", "bool": "optional", "[]KeyToPath": "items"},
    "PodCertificateProjection": {
        "string": "certificateChainPath credentialBundlePath keyPath keyType signerName",
        "int32": "maxExpirationSeconds",
        "int64": "user",
        "map[string]string": "userAnnotations",
    },
    "ServiceAccountTokenProjection": {"string": "audience path", "int64": "expirationSeconds user"},
    "QuobyteVolumeSource": {"string": "group registry tenant user volume", "bool": "readOnly"},
    "RBDVolumeSource": {
        "string": "fsType image keyring pool user",
        "bool": "readOnly",
        "[]string": "monitors",
        "LocalObjectReference": "secretRef",
    },
    "ScaleIOVolumeSource": {
        "string": "fsType gateway protectionDomain storageMode storagePool system volumeName",
        "bool": "readOnly sslEnabled",
        "LocalObjectReference": "secretRef",
    },
    "SecretVolumeSource": {
        "string": "secretName",
        "bool": "optional",
        "int32": "defaultMode",
        "int64": "defaultUser",
        "[]KeyToPath": "items",
    },
    "StorageOSVolumeSource": {
        "string": "fsType volumeName volumeNamespace",
        "bool": "readOnly",
        "LocalObjectReference": "secretRef",
    },
    "VolumeResourceRequirements": {"map[string]Quantity": "limits requests", "[]LocalObjectReference": "claims"},
    "VsphereVirtualDiskVolumeSource": {"string": "fsType storagePolicyID storagePolicyName volumePath"},
}
"""The fields of each Go struct, by their Go types: all that the minors 1.28 to 1.37 know together.

Structs whose fields are the same stand here once.
"""

_STRUCTS = go_fields.structs(_TABLE)
_STRUCTS["EphemeralContainer"] = {**_STRUCTS["Container"], "targetContainerName": "string"}


def check(document: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with a Pod, a Deployment or a DaemonSet, whose ``kind`` says which, in the document's order.

    null is a field left unset. Whether a value makes sense is for Kubernetes to say.
    """
    return go_fields.check(_STRUCTS, document["kind"], document)
