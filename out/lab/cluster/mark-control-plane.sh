#!/bin/sh
# Marks the control-plane nodes as kubeadm does: labels, taints, and the CRI socket where its later runs read it there.
# Written by kcompile; do not edit.
# Run it with an admin kubeconfig once the nodes have registered; arguments are passed to kubectl.
set -eu

kubectl "$@" label --overwrite node k8s-master node-role.kubernetes.io/control-plane= node.kubernetes.io/exclude-from-external-load-balancers=
kubectl "$@" annotate --overwrite node k8s-master kubeadm.alpha.kubernetes.io/cri-socket=unix:///run/containerd/containerd.sock
