"""A spec with three control-plane nodes and many workers, for measuring."""

from __future__ import annotations


def spec(name: str, workers: int, recipient: str, *, control_plane: int = 3) -> str:
    """The spec's YAML text."""
    lines = [
        "apiVersion: kcompile.dev/v1alpha1",
        "kind: Cluster",
        f"metadata: {{name: {name}}}",
        "spec:",
        "  kubernetesVersion: v1.36.2",
        "  controlPlaneEndpoint: api.example.com:6443",
        "  networking: {podSubnet: 10.128.0.0/10, serviceSubnet: 172.20.0.0/16}",
        '  pki: {issuedAt: "2026-11-23T00:00:00Z", encryptionAlgorithm: ECDSA-P256}',
        f"  secrets: {{recipients: [{recipient}]}}",
        "  bootstrapTokens:",
        "  - {id: abcdef, expires: 2999-01-01T00:00:00Z}",
        "  controlPlane:",
        "    nodes:",
        *(f"    - {{name: cp-{i}, address: 10.0.0.{10 + i}}}" for i in range(control_plane)),
    ]
    if workers:
        lines += ["  nodePools:", "  - name: general", "    labels: {tier: general}", "    nodes:"]
        lines += (f"    - {{name: w-{i}, address: 10.{1 + i // 250}.{i % 250}.1}}" for i in range(workers))
    return "\n".join(lines) + "\n"
