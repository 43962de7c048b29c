#!/bin/sh
# Names the real tools that the tests need and that are not installed. `.ci/run` installs them on Debian.
missing=''
for pair in age:age age-keygen:age openssl:openssl ssh-keygen:openssh-client shellcheck:shellcheck \
    systemd-analyze:systemd git:git curl:curl kubectl:kubernetes-client unshare:util-linux dash:dash \
    etcd:etcd-server etcdctl:etcd-client ip:iproute2 busybox:busybox bsdtar:libarchive-tools cloud-init:cloud-init ignition-validate:ignition; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
if [ -n "$missing" ]; then
    printf 'the tests need:%s\non Debian: apt-get install%s\n' "$missing" "$missing" >&2
    exit 1
fi
