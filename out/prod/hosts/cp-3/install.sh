#!/bin/sh
# Puts this host's files where they belong and enforces their modes. Written by kcompile; do not edit.
set -eu
umask 077

usage() {
    cat <<'END'
usage: install.sh [--from DIR] [--root DIR] [--no-start]

Installs the files of this folder's host: those in rootfs/ as they are, those in
sealed/ opened with sops (which needs an age identity on this machine).

  --from DIR   take every file from DIR, where `kcompile render OUT HOST --to DIR` put them
  --root DIR   install below DIR instead of / (an image, a chroot) and start nothing
  --no-start   do not reload systemd or restart the kubelet

Run it as root. Files that are equal already are left alone; what the kubelet
rotates is written only when it is absent.
END
}

from='' root='' start=yes
while [ $# -gt 0 ]; do
    case $1 in
        --from | --root)
            if [ -z "${2:-}" ]; then
                printf '%s needs a directory\n' "$1" >&2
                exit 2
            fi
            case $2 in /*) directory=$2 ;; *) directory=$PWD/$2 ;; esac
            if [ "$1" = --from ]; then from=$directory; else root=$directory start=no; fi
            shift 2
            ;;
        --no-start) start=no; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
changed=0
pending=''
trap '[ -z "$pending" ] || rm -f -- "$pending"' EXIT
trap 'exit 1' HUP INT TERM

# put MODE POLICY STORE PATH TARGET, where STORE says how the file stands in this folder: plain, binary or yaml.
# With a TARGET the bytes go there, and PATH becomes a link to it: what the kubelet rotates has to be one.
put() {
    target=$root${5:-$4}
    if [ "$2" = create ] && [ -e "$root$4" ]; then
        return 0
    fi
    if [ -d "$target" ]; then
        printf '%s is a directory\n' "$target" >&2
        exit 1
    fi
    parent=$(dirname -- "$target")
    [ -d "$parent" ] || (umask 022 && mkdir -p -- "$parent")
    pending=$(mktemp "$parent/.kcompile.XXXXXX")
    if [ -n "$from" ]; then
        cat -- "$from$4" >"$pending"
    elif [ "$3" = plain ]; then
        cat -- "$here/rootfs$4" >"$pending"
    else
        sops decrypt --input-type "$3" --output-type "$3" "$here/sealed$4" >"$pending"
    fi
    chmod "$1" "$pending"
    if [ "$(id -u)" = 0 ]; then
        chown 0:0 "$pending"
    fi
    if [ -f "$target" ] && cmp -s -- "$pending" "$target"; then
        chmod "$1" "$target"
        if [ "$(id -u)" = 0 ]; then
            chown 0:0 "$target"
        fi
        rm -f -- "$pending"
    else
        mv -f -- "$pending" "$target"
        changed=$((changed + 1))
        printf 'installed %s\n' "$target"
    fi
    if [ -n "$5" ]; then
        pending=$(mktemp -u "$parent/.kcompile.XXXXXX")
        ln -s -- "${5##*/}" "$pending"
        mv -f -- "$pending" "$root$4"
    fi
    pending=''
}

target=$root/var/lib/etcd # for its owner alone: the umask sees to it
if [ ! -d "$target" ]; then
    (umask 022 && mkdir -p -- "$(dirname -- "$target")")
    mkdir -- "$target"
fi
put 0600 managed yaml /etc/kubernetes/admin.conf ''
put 0600 managed yaml /etc/kubernetes/controller-manager.conf ''
put 0600 managed plain /etc/kubernetes/kubelet.conf ''
put 0644 managed plain /etc/kubernetes/pki/apiserver-etcd-client.crt ''
put 0600 managed binary /etc/kubernetes/pki/apiserver-etcd-client.key ''
put 0644 managed plain /etc/kubernetes/pki/apiserver-kubelet-client.crt ''
put 0600 managed binary /etc/kubernetes/pki/apiserver-kubelet-client.key ''
put 0644 managed plain /etc/kubernetes/pki/apiserver.crt ''
put 0600 managed binary /etc/kubernetes/pki/apiserver.key ''
put 0644 managed plain /etc/kubernetes/pki/ca.crt ''
put 0600 managed binary /etc/kubernetes/pki/ca.key ''
put 0644 managed plain /etc/kubernetes/pki/etcd/ca.crt ''
put 0600 managed binary /etc/kubernetes/pki/etcd/ca.key ''
put 0644 managed plain /etc/kubernetes/pki/etcd/healthcheck-client.crt ''
put 0600 managed binary /etc/kubernetes/pki/etcd/healthcheck-client.key ''
put 0644 managed plain /etc/kubernetes/pki/etcd/peer.crt ''
put 0600 managed binary /etc/kubernetes/pki/etcd/peer.key ''
put 0644 managed plain /etc/kubernetes/pki/etcd/server.crt ''
put 0600 managed binary /etc/kubernetes/pki/etcd/server.key ''
put 0644 managed plain /etc/kubernetes/pki/front-proxy-ca.crt ''
put 0600 managed binary /etc/kubernetes/pki/front-proxy-ca.key ''
put 0644 managed plain /etc/kubernetes/pki/front-proxy-client.crt ''
put 0600 managed binary /etc/kubernetes/pki/front-proxy-client.key ''
put 0600 managed binary /etc/kubernetes/pki/sa.key ''
put 0600 managed plain /etc/kubernetes/pki/sa.pub ''
put 0600 managed yaml /etc/kubernetes/scheduler.conf ''
put 0644 managed plain /etc/systemd/system/kubelet.service.d/20-kcompile.conf ''
put 0644 managed plain /var/lib/kubelet/config.yaml ''
put 0644 managed plain /var/lib/kubelet/instance-config.yaml ''
put 0644 managed plain /var/lib/kubelet/kubeadm-flags.env ''
put 0600 create binary /var/lib/kubelet/pki/kubelet-client-current.pem /var/lib/kubelet/pki/kubelet-client-2026-11-23-00-00-00.pem
put 0600 managed plain /etc/kubernetes/manifests/etcd.yaml ''
put 0600 managed plain /etc/kubernetes/manifests/kube-apiserver.yaml ''
put 0600 managed plain /etc/kubernetes/manifests/kube-controller-manager.yaml ''
put 0600 managed plain /etc/kubernetes/manifests/kube-scheduler.yaml ''

printf '%s files changed\n' "$changed"
if [ "$start" = yes ] && [ "$changed" -gt 0 ]; then
    systemctl daemon-reload
    systemctl enable kubelet.service
    systemctl restart kubelet.service
fi
