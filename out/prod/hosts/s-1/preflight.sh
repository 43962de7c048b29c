#!/bin/sh
# Says whether this machine is ready for the files of its host. Changes nothing. Written by kcompile; do not edit.
set -u

failures=0
fail() {
    printf 'FAIL %s\n' "$1" >&2
    failures=$((failures + 1))
}
pass() { printf 'ok   %s\n' "$1"; }

if [ "$(id -u)" = 0 ]; then pass 'running as root'; else fail 'run this as root'; fi

for tool in kubelet systemctl mount iptables ip; do
    if command -v "$tool" >/dev/null 2>&1; then pass "$tool is installed"; else fail "$tool is not on the PATH"; fi
done

wanted=v1.36.2
if command -v kubelet >/dev/null 2>&1; then
    found=$(kubelet --version 2>/dev/null | cut -d' ' -f2)
    if [ "$found" = "$wanted" ]; then
        pass "kubelet is $wanted"
    else
        fail "kubelet is ${found:-unknown}, the tree is for $wanted"
    fi
fi

socket=/run/containerd/containerd.sock
if [ -S "$socket" ]; then pass "the container runtime listens at $socket"; else fail "no container runtime at $socket"; fi

if [ "$(cat /proc/sys/net/ipv4/ip_forward 2>/dev/null)" = 1 ]; then
    pass 'net.ipv4.ip_forward is 1'
else
    fail 'net.ipv4.ip_forward is not 1'
fi

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if ! grep -q '^/' /proc/swaps 2>/dev/null; then
    pass 'swap is off'
elif grep -qx 'failSwapOn: false' "$here/rootfs/var/lib/kubelet/config.yaml" 2>/dev/null; then
    pass 'swap is on, and the kubelet is configured to run with it'
else
    fail 'swap is on: turn it off, or set failSwapOn: false under kubelet in the spec'
fi

if systemctl is-active --quiet systemd-resolved 2>/dev/null; then
    if grep -q '^resolvConf: ' "$here/rootfs/var/lib/kubelet/config.yaml" 2>/dev/null; then
        pass 'systemd-resolved runs, and the kubelet is told which resolv.conf pods get'
    else
        fail 'systemd-resolved runs: set resolvConf: /run/systemd/resolve/resolv.conf under kubelet in the spec'
    fi
fi

has_address() {
    if ip -o addr show 2>/dev/null | grep -qF " $1/"; then
        pass "this machine has the address $1"
    else
        fail "this machine does not have the address $1"
    fi
}
has_address 10.0.2.1

is_free() {
    if ss -Hltn "sport = :$1" 2>/dev/null | grep -q .; then
        fail "port $1 is in use"
    else
        pass "port $1 is free"
    fi
}
if [ ! -e /etc/kubernetes/kubelet.conf ] && command -v ss >/dev/null 2>&1; then
    is_free 10250
fi

if [ "$failures" -gt 0 ]; then
    printf '%s checks failed\n' "$failures" >&2
    exit 1
fi
