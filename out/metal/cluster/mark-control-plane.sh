#!/bin/sh
# Marks the control-plane nodes as kubeadm does: labels, taints, and the CRI socket where its later runs read it there.
# Written by kcompile; do not edit.
# Run it with an admin kubeconfig once the nodes have registered; arguments are passed to kubectl.
set -eu

kubectl "$@" label --overwrite node m-1 node-role.kubernetes.io/control-plane= node.kubernetes.io/exclude-from-external-load-balancers=
kubectl "$@" taint --overwrite node m-1 node-role.kubernetes.io/control-plane:NoSchedule
kubectl "$@" label --overwrite node m-2 node-role.kubernetes.io/control-plane= node.kubernetes.io/exclude-from-external-load-balancers=
kubectl "$@" taint --overwrite node m-2 node-role.kubernetes.io/control-plane:NoSchedule
kubectl "$@" label --overwrite node m-3 node-role.kubernetes.io/control-plane= node.kubernetes.io/exclude-from-external-load-balancers=
kubectl "$@" taint --overwrite node m-3 node-role.kubernetes.io/control-plane:NoSchedule
