"""The feature gates of the components of Kubernetes, by the minors that know them; kubeadm's own are not here.

Sources:

- test/compatibility_lifecycle/reference/feature_list.md (kubernetes/kubernetes) of 1.35 and of early 1.36, with
  versioned_feature_list.yaml of 1.33 and 1.34 while those were made: what exists through 1.35, since when, and from
  which minor on it is locked;
- the gates that a kube-apiserver of 1.31 lists for ``--feature-gates`` (kubernetes/website, kube-apiserver.md);
- pkg/utils/validation/features/featuregates.go (gardener/gardener), kept from the website's two lists of gates:
  what was removed or locked through 1.32;
- docs/reference/command-line-tools-reference/feature-gates/*.md (kubernetes/website) for single gates;
- the release notes of 1.33 to 1.37 (kubernetes/sig-release, most as drafts): removals and locks that they name.

``until`` of a gate that left between two of those lists is the later minor, so it may be late by one, never early.
Lists after 1.35 were not at hand: what 1.36 and 1.37 brought is here only as far as the release notes name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COMPLETE_UP_TO = 35
"""The last minor of which every gate is here; of a later one, an unknown gate says nothing."""


@dataclass(frozen=True)
class Gate:
    """The first minor that knows a gate (0: before 1.28, or unknown), the first without it, the first that locks it."""

    since: int
    until: int | None
    locked: int | None


# Name, since, until and locked; a dash where there is none.
_GATES = """
APIListChunking 0 33 29
APIPriorityAndFairness 0 31 29
APIResponseCompression 0 - -
APISelfSubjectReview 0 30 28
APIServerIdentity 0 - -
APIServerTracing 0 37 34
APIServingWithRoutine 30 - -
AdmissionWebhookMatchConditions 0 33 30
AdvancedAuditing 0 28 27
AggregatedDiscoveryEndpoint 0 33 30
AggregatedDiscoveryRemoveBetaType 33 - 35
AllAlpha 0 - -
AllBeta 0 - -
AllowDNSOnlyNodeCSR 31 - -
AllowInsecureKubeletCertificateSigningRequests 31 - -
AllowOverwriteTerminationGracePeriodSeconds 32 - 35
AllowParsingUserUIDFromCertAuth 33 - -
AllowServiceLBStatusOnNonLB 29 35 32
AllowUnsafeMalformedObjectDeletion 32 - -
AnonymousAuthConfigurableEndpoints 31 - 34
AnyVolumeDataSource 0 37 33
AppArmor 0 33 31
AppArmorFields 30 33 31
AtomicFIFO 36 - -
AuthorizeNodeWithSelectors 31 - 34
AuthorizePodWebsocketUpgradeCreatePermission 35 - -
AuthorizeWithSelectors 31 - 34
BtreeWatchCache 32 37 33
CBORServingAndStorage 32 - -
CPUManager 0 34 26
CPUManagerPolicyAlphaOptions 0 - -
CPUManagerPolicyBetaOptions 0 - -
CPUManagerPolicyOptions 0 - 33
CRDObservedGenerationTracking 35 - -
CRDValidationRatcheting 28 - 33
CSIInlineVolume 0 27 25
CSIMigration 0 27 25
CSIMigrationAWS 0 27 25
CSIMigrationAzureDisk 0 27 25
CSIMigrationAzureFile 0 30 27
CSIMigrationGCE 0 28 25
CSIMigrationOpenStack 0 26 24
CSIMigrationPortworx 0 36 33
CSIMigrationRBD 0 31 -
CSIMigrationvSphere 0 29 27
CSINodeExpandSecret 0 31 29
CSIServiceAccountTokenSecrets 35 - -
CSIStorageCapacity 0 28 24
CSIVolumeHealth 0 - -
CSRDuration 0 26 24
ChangeContainerStatusOnKubeletRestart 35 - -
ClearingNominatedNodeNameAfterBinding 34 - -
ClientsAllowCBOR 32 - -
ClientsPreferCBOR 32 - -
CloudControllerManagerWatchBasedRoutesReconciliation 35 - -
CloudControllerManagerWebhook 0 - -
CloudDualStackNodeIPs 0 32 30
ClusterTrustBundle 0 - -
ClusterTrustBundleProjection 29 - -
ComponentFlagz 32 - -
ComponentSLIs 0 35 32
ComponentStatusz 32 - -
ConcurrentWatchObjectDecode 31 - -
ConsistentHTTPGetHandlers 0 31 30
ConsistentListFromCache 28 37 34
ConsistentListFromCacheSkipTimeoutFallback 37 - -
ConstrainedImpersonation 35 - -
ContainerCheckpoint 0 - -
ContainerRestartRules 34 - -
ContainerStopSignals 33 - -
ContextualLogging 0 - -
ControllerManagerLeaderMigration 0 27 24
CoordinatedLeaderElection 31 - -
CronJobTimeZone 0 29 27
CronJobsScheduledAnnotation 28 35 32
CrossNamespaceVolumeDataSource 0 - -
CustomCPUCFSQuotaPeriod 0 - -
CustomResourceFieldSelectors 30 - 32
CustomResourceValidationExpressions 0 31 29
DRAAdminAccess 32 - -
DRAConsumableCapacity 34 - -
DRAControlPlaneController 0 32 -
DRADeviceBindingConditions 34 - -
DRADeviceTaintRules 35 - -
DRADeviceTaints 33 - -
DRAExtendedResource 34 - -
DRAPartitionableDevices 33 - -
DRAPrioritizedList 33 - -
DRAResourceClaimDeviceStatus 32 - -
DRASchedulerFilterTimeout 34 - -
DaemonSetUpdateSurge 0 27 25
DeclarativeValidation 33 - -
DeclarativeValidationTakeover 33 - 37
DefaultHostNetworkHostPortsInPodTemplates 28 31 -
DefaultPodTopologySpread 0 26 24
DelegateFSGroupToCSIDriver 0 28 26
DeploymentReplicaSetTerminatingReplicas 33 - -
DetectCacheInconsistency 34 - -
DevicePluginCDIDevices 28 34 31
DevicePlugins 0 28 26
DisableAcceleratorUsageMetrics 0 28 25
DisableAllocatorDualWrite 31 - 35
DisableCPUQuotaWithExclusiveCPUs 33 - -
DisableCloudProviders 0 33 31
DisableKubeletCloudCredentialProviders 0 33 31
DisableNodeKubeProxyVersion 29 - 36
DownwardAPIHugePages 0 29 27
DryRun 0 28 26
DynamicKubeletConfig 0 26 -
DynamicResourceAllocation 0 - 35
EfficientWatchResumption 0 33 24
ElasticIndexedJob 0 34 31
EndpointSliceTerminatingCondition 0 28 26
EnvFiles 34 - -
EphemeralContainers 0 27 25
EtcdRangeStream 37 - -
EventedPLEG 0 - -
ExecProbeTimeout 0 - 35
ExpandCSIVolumes 0 27 -
ExpandInUsePersistentVolumes 0 27 -
ExpandPersistentVolumes 0 27 -
ExpandedDNSConfig 0 30 28
ExperimentalHostUserNamespaceDefaulting 0 30 28
ExternalServiceAccountTokenSigner 32 - -
GRPCContainerProbe 0 29 27
GangScheduling 35 37 -
GenericWorkload 35 - -
GitRepoVolumeDriver 33 - -
GracefulNodeShutdown 0 - -
GracefulNodeShutdownBasedOnPodPriority 0 - -
HPAConfigurableTolerance 33 - -
HPAContainerMetrics 0 32 30
HPAScaleToZero 0 - -
HonorPVReclaimPolicy 0 - 33
HostnameOverride 34 - -
HugepageAwareEviction 0 - -
IPTablesOwnershipCleanup 0 30 28
IPv6DualStack 0 27 23
IdentifyPodOS 0 27 25
ImageMaximumGCAge 29 - 35
ImageVolume 31 - -
ImageVolumeWithDigest 35 - -
InOrderInformers 33 - -
InOrderInformersBatchProcess 35 - -
InPlacePodLevelResourcesVerticalScaling 35 - -
InPlacePodVerticalScaling 0 - 35
InPlacePodVerticalScalingAllocatedStatus 32 - -
InPlacePodVerticalScalingExclusiveCPUs 32 - -
InPlacePodVerticalScalingExclusiveMemory 34 - -
InTreePluginAWSUnregister 0 31 -
InTreePluginAzureDiskUnregister 0 31 -
InTreePluginAzureFileUnregister 0 31 -
InTreePluginGCEUnregister 0 31 -
InTreePluginOpenStackUnregister 0 31 -
InTreePluginPortworxUnregister 0 36 -
InTreePluginRBDUnregister 0 31 -
InTreePluginvSphereUnregister 0 31 -
IndexedJob 0 26 24
InformerResourceVersion 30 - -
JobBackoffLimitPerIndex 28 - 33
JobManagedBy 30 - 35
JobMutableNodeSchedulingDirectives 0 29 27
JobPodFailurePolicy 0 33 31
JobPodReplacementPolicy 28 - 34
JobReadyPods 0 31 29
JobSuccessPolicy 30 - 33
JobTrackingWithFinalizers 0 29 26
KMSv1 28 - -
KMSv2 0 32 29
KMSv2KDF 28 32 29
KubeProxyDrainingTerminatingNodes 28 33 31
KubeProxyIPVS 37 - -
KubeletCgroupDriverFromCRI 28 - 34
KubeletCrashLoopBackOffMax 32 - -
KubeletCredentialProviders 0 28 26
KubeletEnsureSecretPulledImages 33 - -
KubeletFineGrainedAuthz 32 - -
KubeletInUserNamespace 0 - -
KubeletPSI 33 - -
KubeletPodResources 0 30 28
KubeletPodResourcesDynamicResources 0 - -
KubeletPodResourcesGet 0 - -
KubeletPodResourcesGetAllocatable 0 30 28
KubeletPodResourcesListUseActivePods 34 - -
KubeletRegistrationGetOnExistsOnly 32 - -
KubeletSeparateDiskGC 29 - -
KubeletServiceAccountTokenForCredentialProviders 33 - -
KubeletTracing 0 - 34
LegacyServiceAccountTokenCleanUp 28 32 30
LegacyServiceAccountTokenNoAutoGeneration 0 29 27
LegacyServiceAccountTokenTracking 0 30 28
LegacySidecarContainers 33 35 -
ListFromCacheSnapshot 33 - -
LoadBalancerIPMode 29 35 32
LocalStorageCapacityIsolation 0 27 25
LocalStorageCapacityIsolationFSQuotaMonitoring 0 - -
LogarithmicScaleDown 0 - 31
LoggingAlphaOptions 0 - -
LoggingBetaOptions 0 - -
MatchLabelKeysInPodAffinity 29 - 33
MatchLabelKeysInPodTopologySpread 0 - -
MatchLabelKeysInPodTopologySpreadSelectorMerge 34 - -
MaxUnavailableStatefulSet 0 - -
MemoryManager 0 - 32
MemoryQoS 0 - -
MinDomainsInPodTopologySpread 0 32 30
MinimizeIPTablesRestore 0 30 28
MixedProtocolLBService 0 28 26
MultiCIDRRangeAllocator 0 29 -
MultiCIDRServiceAllocator 0 - 34
MutableCSINodeAllocatableCount 33 - -
MutablePVNodeAffinity 35 - -
MutablePodResourcesForSuspendedJobs 35 - -
MutableSchedulingDirectivesForSuspendedJobs 35 - -
MutatingAdmissionPolicy 30 - -
NFTablesProxyMode 29 - 33
NetworkPolicyEndPort 0 27 25
NetworkPolicyStatus 0 28 -
NewVolumeManagerReconstruction 0 32 30
NodeDeclaredFeatures 35 - -
NodeInclusionPolicyInPodTopologySpread 0 - 33
NodeLogQuery 0 - -
NodeOutOfServiceVolumeDetach 0 32 28
NodeSwap 0 - 34
NominatedNodeNameForExpectation 34 - -
NonPreemptingPriority 0 26 24
OpenAPIEnums 0 - -
OpenAPIV3 0 29 27
OpportunisticBatching 35 - -
OrderedNamespaceDeletion 30 37 34
PDBUnhealthyPodEvictionPolicy 0 34 31
PersistentVolumeLastPhaseTransitionTime 28 34 31
PodAffinityNamespaceSelector 0 26 24
PodAndContainerStatsFromCRI 0 - -
PodCertificateRequest 34 - -
PodDeletionCost 0 - -
PodDisruptionConditions 0 34 31
PodHasNetworkCondition 0 28 -
PodHostIPs 28 32 30
PodIndexLabel 28 35 32
PodLevelResources 32 - -
PodLifecycleSleepAction 29 - 34
PodLifecycleSleepActionAllowZero 32 - 34
PodLogsQuerySplitStreams 32 - -
PodObservedGenerationTracking 33 - 35
PodOverhead 0 26 24
PodReadyToStartContainersCondition 28 - -
PodSchedulingReadiness 0 - 30
PodSecurity 0 28 25
PodTopologyLabelsAdmission 33 - -
PortForwardWebsockets 30 - -
PreferNominatedNode 0 26 24
PreferSameTrafficDistribution 33 - 35
PreventStaticPodAPIReferences 34 37 -
ProbeTerminationGracePeriod 0 29 28
ProcMountType 0 - -
ProxyTerminatingEndpoints 0 30 28
QOSReserved 0 - -
ReadWriteOncePod 0 31 29
RecoverVolumeExpansionFailure 0 - 34
RecursiveReadOnlyMounts 30 - 33
ReduceDefaultCrashLoopBackOffDecay 33 - -
RelaxedDNSSearchValidation 32 37 34
RelaxedEnvironmentVariableValidation 30 - 34
RelaxedServiceNameValidation 34 - -
ReloadKubeletServerCertificateFile 31 - -
RemainingItemCount 0 34 29
RemoteRequestHeaderUID 32 - -
RemoveSelfLink 0 30 24
ResilientWatchCacheInitialization 31 37 34
ResourceHealthStatus 31 - -
RestartAllContainersOnContainerExits 35 - -
RetroactiveDefaultStorageClass 0 29 28
RetryGenerateName 30 37 32
RotateKubeletServerCertificate 0 - -
RuntimeClassInImageCriApi 29 - -
SELinuxChangePolicy 32 - -
SELinuxMount 30 - -
SELinuxMountReadWriteOncePod 0 - -
SchedulerAsyncAPICalls 34 - -
SchedulerAsyncPreemption 32 - -
SchedulerPopFromBackoffQ 33 - -
SchedulerQueueingHints 28 - 34
SeccompDefault 0 29 27
SecurityContextDeny 0 30 -
SeparateCacheWatchRPC 28 - -
SeparateTaintEvictionController 29 - 34
ServerSideApply 0 32 22
ServerSideFieldValidation 0 32 27
ServiceAccountNodeAudienceRestriction 32 - -
ServiceAccountTokenJTI 29 - 32
ServiceAccountTokenNodeBinding 29 - 33
ServiceAccountTokenNodeBindingValidation 29 - 32
ServiceAccountTokenPodNodeInfo 29 - 32
ServiceIPStaticSubrange 0 28 26
ServiceInternalTrafficPolicy 0 28 26
ServiceLBNodePortControl 0 26 24
ServiceLoadBalancerClass 0 26 24
ServiceNodePortStaticSubrange 0 31 29
ServiceTrafficDistribution 30 - 33
SidecarContainers 28 - 33
SizeBasedListCostEstimate 34 - -
SizeMemoryBackedVolumes 0 35 32
SkipReadOnlyValidationGCE 28 31 -
StableLoadBalancerNodeSet 0 32 30
StatefulSetAutoDeletePVC 0 35 32
StatefulSetMinReadySeconds 0 27 25
StatefulSetSemanticRevisionComparison 34 - -
StatefulSetStartOrdinal 0 34 31
StorageCapacityScoring 33 - -
StorageNamespaceIndex 30 - -
StorageVersionAPI 0 - -
StorageVersionHash 0 - -
StorageVersionMigrator 30 - -
StreamingCollectionEncodingToJSON 33 37 34
StreamingCollectionEncodingToProtobuf 33 37 34
StrictCostEnforcementForVAP 30 35 32
StrictCostEnforcementForWebhooks 30 35 32
StrictIPCIDRValidation 33 - -
StructuredAuthenticationConfiguration 29 - 34
StructuredAuthenticationConfigurationEgressSelector 34 - -
StructuredAuthenticationConfigurationJWKSMetrics 35 - -
StructuredAuthorizationConfiguration 29 36 32
SupplementalGroupsPolicy 31 - 35
SuspendJob 0 26 24
SystemdWatchdog 32 - 35
TaintTolerationComparisonOperators 35 - -
TokenRequestServiceAccountUIDValidation 34 - -
TopologyAwareHints 0 36 33
TopologyManager 0 29 27
TopologyManagerPolicyAlphaOptions 0 - -
TopologyManagerPolicyBetaOptions 0 - -
TopologyManagerPolicyOptions 0 - 36
TranslateStreamCloseWebsocketRequests 29 - -
UnauthenticatedHTTP2DOSMitigation 0 - -
UnknownVersionInteroperabilityProxy 28 - -
UnlockWhileProcessingFIFO 36 - -
UserNamespacesHostNetworkSupport 35 - -
UserNamespacesPodSecurityStandards 29 35 -
UserNamespacesStatelessPodsSupport 0 28 -
UserNamespacesSupport 28 - -
ValidatingAdmissionPolicy 0 34 30
VolumeAttributesClass 29 - 36
VolumeCapacityPriority 0 33 -
VolumeLimitScaling 35 - -
WatchBookmark 0 34 17
WatchCacheInitializationPostStartHook 31 - -
WatchFromStorageWithoutResourceVersion 0 36 33
WatchList 0 - -
WatchListClient 30 - -
WatchListCompression 37 - -
WebhookRoundTripLoadBalancing 37 - -
WinDSR 0 - 34
WinOverlay 0 - 34
WindowsCPUAndMemoryAffinity 32 - -
WindowsGracefulNodeShutdown 32 - -
WindowsHostNetwork 0 - -
WindowsHostProcessContainers 0 28 26
WorkloadAwarePreemption 36 37 -
ZeroLimitedNominalConcurrencyShares 29 32 30
"""


def _gates(table: str) -> dict[str, Gate]:
    """The gates of a table."""
    minors: dict[str, int | None] = {"-": None}
    gates = {}
    for line in table.strip().splitlines():
        name, since, until, locked = line.split()
        for minor in (until, locked):
            if minor not in minors:
                minors[minor] = int(minor)
        gates[name] = Gate(int(since), minors[until], minors[locked])
    return gates


GATES: Mapping[str, Gate] = _gates(_GATES)
