#!/bin/sh
# Brings the files of this folder's host to where they belong. Written by kcompile; do not edit.
set -euf
umask 077
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
IFS='
'
newline=$IFS

usage() {
    cat <<'END'
usage: install.sh [--check] [--from DIR] [--root DIR] [--no-start] [--new-authority]

Brings the files of this folder's host to where they belong, once every one of
them has the digest it was built with: those in rootfs/ as they are, those in
sealed/ opened with sops, which needs an identity on this machine.

  --check      say what would change, and change nothing
  --from DIR   take every file from DIR, where `kcompile render OUT HOST --to DIR` put them
  --root DIR   install below DIR instead of / (an image, a chroot) and start nothing
  --no-start   start nothing: the next run without it does
  --new-authority
               take a folder whose cluster authority is another than this machine's,
               once what the old one signed for the kubelet was removed

Run it as root. What is right already is left alone, what the kubelet rotates is
written only when it is absent, and what an earlier run put there and this folder
has not is removed.

The exit status is 0 when all is as it should be; with --check, 1 when something
would change; 2 when it was refused and nothing was changed; 3 when it could not
be finished, which running it again does.
END
}

# --- how it ends -----------------------------------------------------------------------------------

check='' changing='' ended='' staged='' locked='' scratch=''

leave() { # STATUS
    ended=yes
    exit "$1"
}
refuse() { # MESSAGE [MEND]
    printf '%s\n' "$1" >&2
    if [ -n "${2:-}" ]; then printf 'mend: %s\n' "$2" >&2; fi
    printf 'nothing was changed\n' >&2
    leave 2
}
stop() { # MESSAGE
    printf '%s\nthis was not finished: run it again\n' "$1" >&2
    leave 3
}
at_the_end() {
    status=$?
    trap - EXIT
    if [ -n "$staged" ]; then rm -f -- "$staged"; fi
    if [ -n "$scratch" ]; then rm -rf -- "$scratch"; fi
    if [ -n "$locked" ]; then rm -f -- "$locked"; fi
    if [ -n "$ended" ]; then exit "$status"; fi
    if [ -n "$changing" ]; then exit 3; fi
    exit 2
}
trap at_the_end EXIT
trap 'leave 129' HUP
trap 'leave 130' INT
trap 'leave 143' TERM

# --- what was asked for ----------------------------------------------------------------------------

from='' root='' start=yes new_authority=''
while [ $# -gt 0 ]; do
    case $1 in
        --from | --root)
            if [ -z "${2:-}" ]; then
                printf '%s needs a directory\n' "$1" >&2
                leave 2
            fi
            case $2 in /*) directory=$2 ;; *) directory=$PWD/$2 ;; esac
            if [ ! -d "$directory" ]; then
                printf '%s is no directory\n' "$2" >&2
                leave 2
            fi
            while [ "${directory%/}" != "$directory" ]; do directory=${directory%/}; done
            if [ "$1" = --from ]; then from=${directory:-/.}; else root=$directory start=''; fi
            shift 2
            ;;
        --check) check=yes; shift ;;
        --no-start) start=''; shift ;;
        --new-authority) new_authority=yes; shift ;;
        -h | --help) usage; leave 0 ;;
        *) usage >&2; leave 2 ;;
    esac
done
case $0 in
    /*) here=${0%/*} ;;
    */*) here=./${0%/*} ;;
    *) here=. ;;
esac
host=w-1 identity=prod/w-1
state=$root/var/lib/kcompile
owner=''
if [ "$(id -u)" = 0 ]; then
    owner=0
elif [ -z "$root" ]; then
    refuse 'only root can install a host'
fi
if [ -n "$start" ] && ! command -v systemctl >/dev/null 2>&1; then
    refuse 'there is no systemctl on this machine: with --no-start, files are put in place and nothing is started'
fi

# --- the files of this host ------------------------------------------------------------------------

put() { # MODE POLICY STORE EFFECT DIGEST PATH TARGET
    case $step in
        verify) verify "$@" ;;
        plan) plan "$@" ;;
        apply) apply "$@" ;;
        clear) clear_beside "${7:-$6}" ;;
    esac
}
beside() { # DIGEST NAME
    if [ "$step" = verify ] && [ -e "$here/$2" ]; then is_as_built "$1" "$here/$2"; fi
}
directory() { # PATH, which is for its owner alone
    case $step in
        plan)
            if [ ! -d "$root$1" ]; then
                is_way_to "$1/." || refuse "$obstacle"
                dirty=yes
            fi
            ;;
        apply) make_directory "$1" ;;
    esac
}

# STORE says how a file stands in this folder: plain, or sealed as sops's binary or yaml. With a TARGET the bytes go
# there, and PATH becomes a link to it: what the kubelet rotates has to be one. EFFECT is what has to be done then.
each() {
beside 06791146648570916e10f51fed5dca7c5be3ea0d50fbc772a30420cd688a0c37 preflight.sh
beside 07ba266b4319439ec72ae2f38b6221724b6e74a3aa9ae95d809297a72c8e745f join.sh
beside 3ee73fbbe6001f6f8402495f621fc0900c661783b159c9aa328f18d0ac743d79 host.json
directory /etc/kubernetes/manifests
directory /var/lib/kubelet
put 0600 managed yaml bootstrap 58c6e701fe90e66d5bf57df514fbd2508a3439a45c003c73ce36beebc3408667 /etc/kubernetes/bootstrap-kubelet.conf ''
put 0700 managed binary none faaede39eeb502845107a6160a475784e20ff5f7ca39db937fe589dd47ee1063 /etc/kubernetes/join.sh ''
put 0600 managed plain none fdd42e620e1b493caebae88ce4616e04265a5f0979bc3b381a5197bad4019014 /etc/kubernetes/kubeadm-discovery.yaml ''
put 0600 managed yaml none 0698962aa4a2561cafd585cf6897cdebf5229af1ebe2735701e11a6739d03a2c /etc/kubernetes/kubeadm-join.yaml ''
put 0644 managed plain kubelet 7636a9aa37b251f2e49b48337ca01d88c7e2d208db3a7205c9bcc55f5da1dc9f /etc/kubernetes/pki/ca.crt ''
put 0644 managed plain modules 43e163124dfe446aef201391dede5d4f91d940090cc98e46c5cbfea6003519fa /etc/modules-load.d/kcompile.conf ''
put 0644 managed plain parameters debb5bc0a5d310fe96d20bfee8cc04456e4357b3cae0c41f7a5338f2fbff8e73 /etc/sysctl.d/90-kcompile.conf ''
put 0644 managed plain unit b58d626e7f86ae4e974b17753d6e54a29d20ebc4c958c3936803b349fc499d18 /etc/systemd/system/kubelet.service ''
put 0644 managed plain drop-in 6b5cbd2cfcfb93f6157e44d7ad6cbd3f1213f959f687de8c6380ba3b7c4d6418 /etc/systemd/system/kubelet.service.d/20-kcompile.conf ''
put 0644 managed plain kubelet 89a18b5ef95ed245426aef62da295376ed8d64a2d02167fcc8385987fbf6ca53 /var/lib/kubelet/config.yaml ''
put 0644 managed plain none 4e8222aebfcb852bb4febb293c89ce9738146eac46735fa1e4b722a660f51439 /var/lib/kubelet/instance-config.yaml ''
put 0644 managed plain kubelet fde80d6defea24153ffc35b4dd6c04c80dbff50a44e920d77fdbafc4e4cad735 /var/lib/kubelet/kubeadm-flags.env ''
}

# --- digests and the signature ---------------------------------------------------------------------

for digester in sha256sum shasum openssl ''; do
    if command -v "$digester" >/dev/null 2>&1; then break; fi
done
if [ -z "$digester" ]; then refuse 'there is no sha256sum, shasum or openssl to verify digests with'; fi

digest() { # of what is read
    case $digester in
        sha256sum) sum=$(sha256sum) ;;
        shasum) sum=$(shasum -a 256) ;;
        openssl) sum=$(openssl dgst -sha256 -r) ;;
    esac
    printf '%s\n' "${sum%% *}"
}

wrong=''
is_as_built() { # DIGEST FILE
    if [ ! -f "$2" ]; then
        printf '%s is not there\n' "$2" >&2
        wrong=yes
    elif [ "$(digest <"$2")" != "$1" ]; then
        printf '%s is not as it was built: its digest is another\n' "$2" >&2
        wrong=yes
    fi
}

verify() { # MODE POLICY STORE EFFECT DIGEST PATH TARGET
    if [ -z "$from" ]; then
        if [ "$3" = plain ]; then is_as_built "$5" "$here/rootfs$6"; else is_as_built "$5" "$here/sealed$6"; fi
    elif [ "$3" = plain ]; then
        is_as_built "$5" "$from$6"
    else
        look_into "$from$6"
    fi
}

# The digest of a file that was opened elsewhere is not known. It can be known to be none: empty, sealed still, or a key
# of another certificate.
look_into() { # FILE
    what=''
    if [ ! -f "$1" ]; then
        what='is not there'
    elif [ ! -s "$1" ]; then
        what='is empty'
    elif grep -q -e '^[[:space:]]*"sops":' -e 'ENC\[AES256_GCM,' "$1"; then
        what='is still sealed: kcompile render opens it'
    else
        case $1 in
            *.pem) is_pair "$1" "$1" CERTIFICATE || what='has a key and a certificate that do not belong together' ;;
            */sa.key) is_pair "$1" "${1%.key}.pub" 'PUBLIC KEY' || what="does not belong to ${1%.key}.pub" ;;
            *.key) is_pair "$1" "${1%.key}.crt" CERTIFICATE || what="does not belong to ${1%.key}.crt" ;;
        esac
    fi
    if [ -n "$what" ]; then
        printf '%s %s\n' "$1" "$what" >&2
        wrong=yes
    fi
}

is_pair() { # FILE PARTNER KIND: the private key in FILE is that of one of the blocks of KIND in PARTNER
    if [ ! -f "$2" ] || ! command -v openssl >/dev/null 2>&1; then return 0; fi
    public=$(openssl pkey -pubout -passin pass: <"$1" 2>/dev/null) || return 1
    number=1
    while block=$(pem_block "$2" "$3" "$number") && [ -n "$block" ]; do
        if [ "$3" = CERTIFICATE ]; then block=$(printf '%s\n' "$block" | openssl x509 -noout -pubkey 2>/dev/null) || :; fi
        if [ "$block" = "$public" ]; then return 0; fi
        number=$((number + 1))
    done
    return 1
}

pem_block() { # FILE KIND NUMBER
    awk -v edge=" $2-----" -v number="$3" '
        $0 == "-----BEGIN" edge { count++; inside = 1 }
        inside && count == number { print }
        $0 == "-----END" edge { inside = 0 }
    ' <"$1"
}

# The tree's manifest, where the folder still stands in its tree, in hosts/, is signed; its signature stands beside it, in base64.
# It has the digest of this script, which has those of the other files.
signer=MCowBQYDK2VwAyEArOEOuoysiRHNyZpiLSk4aDMl2kZC+QvrZM6L+oTcLxM=
verify_signature() {
    manifest=$here/../../kcompile.json
    case $(CDPATH='' cd -P -- "$here/.." && pwd -P) in */hosts) ;; *) return 0 ;; esac
    if [ ! -f "$manifest" ]; then return 0; fi
    if ! openssl pkeyutl -help 2>&1 | grep -q -e -rawin; then
        printf 'the signature of %s was not verified: that needs openssl 3\n' "$manifest" >&2
        return 0
    fi
    scratch=$(mktemp -d) || refuse 'there is no place for temporary files'
    printf '%s\n' '-----BEGIN PUBLIC KEY-----' "$signer" '-----END PUBLIC KEY-----' >"$scratch/key"
    if [ -f "$manifest.sig" ]; then openssl base64 -d -A <"$manifest.sig" >"$scratch/signature"; fi
    if ! openssl pkeyutl -verify -rawin -pubin -inkey "$scratch/key" -in "$manifest" \
        -sigfile "$scratch/signature" >/dev/null 2>&1; then
        printf '%s is not signed by the key of this cluster\n' "$manifest" >&2
        wrong=yes
    elif ! grep -q -F '{"path": "hosts/w-1/install.sh", "sha256": "'"$(digest <"$0")" "$manifest"; then
        printf '%s is not the script that %s lists for %s\n' "$0" "$manifest" "$host" >&2
        wrong=yes
    fi
    rm -rf -- "$scratch"
    scratch=''
}

step=verify
verify_signature
each
if [ -n "$wrong" ]; then
    refuse "the files of $host are not as they were built" \
        "bring this folder here anew, as it is in the committed tree${from:+, and render that one for $from}"
fi

# --- what is known of earlier runs -----------------------------------------------------------------

# A line of the record is the digest, the effect and the path of a file that was installed and is kept equal to the tree.
# While files are put in place it has the lines of before, too: an interrupted run owns what stood and what was to come.
# What still has to be done stands in `pending`, until it was done: `files`, and words of `carry_out`.
record='' pending='' interrupted=''

is_way_to() { # PATH: nothing but directories leads there, no symbolic link
    way=${1#/} place=$root
    while [ "${way#*/}" != "$way" ]; do
        place=$place/${way%%/*} way=${way#*/}
        if [ -h "$place" ]; then
            obstacle="$place is a symbolic link, and files are not put through one: mount the directory there instead"
            return 1
        elif [ -e "$place" ] && [ ! -d "$place" ]; then
            obstacle="$place is no directory"
            return 1
        fi
    done
}

is_running() { # PROCESS: and it is an install.sh, as far as that can be seen
    kill -0 "$1" 2>/dev/null || return 1
    [ ! -r "/proc/$1/cmdline" ] || grep -q -F install.sh "/proc/$1/cmdline"
}

read_state() {
    is_way_to "/var/lib/kcompile/." || refuse "$obstacle"
    record='' pending=''
    if [ -f "$state/installed" ]; then record=$(cat -- "$state/installed") || refuse "cannot read $state/installed"; fi
    if [ -f "$state/pending" ]; then pending=$(cat -- "$state/pending") || refuse "cannot read $state/pending"; fi
}
read_state
was='' clearing="to make it another host, clear it first: 'Clearing a machine' in kcompile's docs/install.md"
if [ -s "$state/host" ]; then was=$(cat -- "$state/host") || refuse "cannot read $state/host"; fi
if [ -n "$was" ] && [ "$was" != "$identity" ]; then
    refuse "this machine was installed as $was, and this is the folder of $identity" "$clearing"
fi
if [ -h "$state/lock" ]; then
    process=$(readlink "$state/lock")
    if is_running "$process"; then refuse "another install.sh is at work: process $process"; fi
    interrupted=yes
fi
case $newline$pending$newline in *"${newline}files$newline"*) interrupted=yes ;; esac
if [ -e "$state/.kcompile.new" ]; then interrupted=yes; fi

recorded() { # PATH: the digests it was installed with
    for line in $record; do
        entry=${line#* }
        if [ "${entry#* }" = "$1" ]; then printf '%s\n' "${line%% *}"; fi
    done
}
was_installed() { # PATH DIGEST
    case $newline$(recorded "$1")$newline in *"$newline$2$newline"*) return 0 ;; esac
    return 1
}

# Clusters of one name are told apart by the keys of their authority, of which each replacement leaves one for a while.
authority=/etc/kubernetes/pki/ca.crt
public_keys() { # FILE: those of its certificates, a line each; without openssl, the certificates
    number=1
    while block=$(pem_block "$1" CERTIFICATE "$number") && [ -n "$block" ]; do
        printf '%s\n' "$block" | openssl x509 -noout -pubkey 2>/dev/null | grep . || printf '%s\n' "$block"
        number=$((number + 1))
    done | tr -d '\n' | sed 's/-----END [A-Z ]*-----/&\
/g'
}
share_key() { # FILE FILE
    theirs=$newline$(public_keys "$2")$newline
    for key in $(public_keys "$1"); do
        case $theirs in *"$newline$key$newline"*) return 0 ;; esac
    done
    return 1
}
if [ -n "$was" ] && [ -z "$new_authority" ] && [ -f "$root$authority" ] &&
    was_installed "$authority" "$(digest <"$root$authority")" &&
    ! share_key "$root$authority" "${from:-$here/rootfs}$authority"; then
    refuse "this folder has none of the authorities in $root$authority:
it is of another cluster called ${identity%/*}, or they were replaced without this machine" \
        "for the latter, remove /var/lib/kubelet/pki and /etc/kubernetes/kubelet.conf here, which the old ones signed,
and run install.sh --new-authority once; $clearing"
fi

# --- what is to change -----------------------------------------------------------------------------

content() { # STORE PATH
    if [ -n "$from" ]; then
        cat -- "$from$2"
    elif [ "$1" = plain ]; then
        cat -- "$here/rootfs$2"
    else
        sops --decrypt --input-type "$1" --output-type "$1" "$here/sealed$2"
    fi
}

# sops takes an SSH key for an identity: this machine's own, unless another one is named.
if [ -z "${SOPS_AGE_SSH_PRIVATE_KEY_FILE:-}" ] && [ -r "$root/etc/ssh/ssh_host_ed25519_key" ]; then
    SOPS_AGE_SSH_PRIVATE_KEY_FILE=$root/etc/ssh/ssh_host_ed25519_key
    export SOPS_AGE_SSH_PRIVATE_KEY_FILE
fi

digest_of_content() { # STORE PATH: never in a file; fails when the content cannot be had
    { failed=$({ { content "$@" || echo failed >&3; } | digest >&4; } 3>&1); } 4>&1
    [ -z "$failed" ]
}

is_packaged() { # whether a package has a unit for the kubelet
    for units in /usr/lib /lib /usr/local/lib; do
        if [ -e "$root$units/systemd/system/kubelet.service" ]; then return 0; fi
    done
    return 1
}

has_mode() { # FILE MODE
    if [ -n "$owner" ]; then
        [ -n "$(find "$1" -type f -perm "$2" -user 0 -group 0)" ]
    else
        [ -n "$(find "$1" -type f -perm "$2")" ]
    fi
}

changes=0 needs=''
need() { # WORD
    case $newline$needs in *"$newline$1$newline"*) ;; *) needs=$needs$1$newline ;; esac
}
need_effect() { # EFFECT
    case $1 in
        unit | drop-in) need reload; need kubelet ;;
        kubelet) need kubelet ;;
        bootstrap) if [ ! -e "$root"/etc/kubernetes/kubelet.conf ]; then need kubelet; fi ;;
        modules | parameters) need "$1" ;;
    esac
}

dirty='' queue='' paths='' installed='' gone=''
if [ -n "$from" ]; then
    opening="see that it can be read below $from"
else
    opening='SOPS_AGE_KEY_FILE=FILE, with an identity that it is sealed for; or open the files elsewhere with kcompile
render, and name that directory with --from'
fi
no_sops='sealed files are opened with sops, and there is none on this machine (age alone cannot: their values are
encrypted with AES-GCM); open them elsewhere with kcompile render, and name that directory with --from'
plan() { # MODE POLICY STORE EFFECT DIGEST PATH TARGET
    at=$root${7:-$6} what=same wanted=$5
    if [ "$4" = unit ] && is_packaged; then # whose own unit is the better one there
        queue=${queue}same$newline
        return 0
    fi
    paths=$paths$6$newline
    is_way_to "${7:-$6}" || refuse "$obstacle"
    if [ -d "$at" ] && [ ! -h "$at" ]; then refuse "$at is a directory"; fi
    if [ "$2" = create ] && [ -e "$root$6" ]; then # the host's own
        queue=${queue}same$newline
        return 0
    fi
    if [ "$3" != plain ]; then
        if [ -z "$from" ] && ! command -v sops >/dev/null 2>&1; then refuse "$no_sops"; fi
        wanted=$(digest_of_content "$3" "$6") ||
            refuse "cannot open the file that is to be $6" "$opening"
    fi
    if [ -f "$at" ] && [ ! -h "$at" ]; then
        found=$(digest <"$at")
        if [ "$found" = "$wanted" ]; then
            has_mode "$at" "$1" || what=mode
        elif [ -z "$(recorded "$6")" ] || was_installed "$6" "$found"; then
            what=update
        else
            what=restore
        fi
    elif [ -e "$at" ] || [ -h "$at" ]; then
        if [ -z "$(recorded "$6")" ]; then what=update; else what=restore; fi
    else
        what=install
    fi
    if [ -n "$7" ] && [ "$(readlink "$root$6" || :)" != "${7##*/}" ]; then what=install; fi
    if [ "$2" = managed ]; then installed="$installed$wanted $4 $6$newline"; fi
    queue="$queue$what $wanted$newline"
    if [ "$what" != same ]; then dirty=yes; fi
    case $what in same | mode) ;; *) need_effect "$4" ;; esac
}

# What an earlier run installed and this folder has not, each after `remove` or `leave`; manifests first, since their
# pods use the rest.
plan_gone() {
    done=$newline$paths
    for line in $record; do
        entry=${line#* }
        path=${entry#* }
        case $done in *"$newline$path$newline"*) continue ;; esac
        case $path in /*) ;; *) continue ;; esac
        done=$done$path$newline
        at=$root$path
        if [ ! -e "$at" ] && [ ! -h "$at" ]; then continue; fi
        what=leave
        if is_way_to "$path" && [ -f "$at" ] && [ ! -h "$at" ] && was_installed "$path" "$(digest <"$at")"; then
            what=remove
            need_effect "${entry%% *}"
        fi
        case $path in
            /etc/kubernetes/manifests/*) gone="$what $path$newline$gone" ;;
            *) gone="$gone$what $path$newline" ;;
        esac
    done
}

# --- doing it, or with --check saying it -----------------------------------------------------------

tell() { # INFINITIVE PAST WHAT
    changes=$((changes + 1))
    if [ -n "$check" ]; then printf 'would %s %s\n' "$1" "$3"; else printf '%s %s\n' "$2" "$3"; fi
}

# Not in the folder of the static pods: the kubelet starts what it finds there.
stage_for() { # FILE: set `staged`, on the same file system
    staged=${1%/*}/.kcompile.new
    case $1 in "$root"/etc/kubernetes/manifests/*) staged=$root/etc/kubernetes/.kcompile.new ;; esac
    rm -f -- "$staged" || stop "cannot write $staged"
}

into_place() { # FILE: what is staged becomes it
    if [ -h "$1" ] && [ -d "$1" ]; then rm -f -- "$1" || stop "cannot replace $1"; fi
    mv -f -- "$staged" "$1" || stop "cannot write $1"
    staged=''
    if [ -z "$root" ] && command -v restorecon >/dev/null 2>&1; then restorecon "$1" || :; fi
}

own() { # MODE FILE
    if [ -n "$owner" ]; then chown 0:0 "$2" || stop "cannot change the owner of $2"; fi
    chmod "$1" "$2" || stop "cannot change the mode of $2"
}

make_parent() { # PATH
    if [ ! -d "${1%/*}" ]; then (umask 022 && mkdir -p -- "${1%/*}") || stop "cannot make ${1%/*}"; fi
}

make_directory() { # PATH
    if [ -d "$root$1" ]; then return 0; fi
    tell make made "$root$1"
    if [ -z "$check" ]; then
        make_parent "$root$1"
        mkdir -- "$root$1" || stop "cannot make $root$1"
    fi
}

write_state() { # NAME TEXT
    staged=$state/.kcompile.new
    rm -f -- "$staged" || stop "cannot write $staged"
    printf '%s' "$2" >"$staged" || stop "cannot write $staged"
    into_place "$state/$1"
}

place() { # MODE STORE PATH TARGET
    make_parent "$at"
    stage_for "$at"
    content "$2" "$3" >"$staged" || stop "cannot write $staged"
    if [ "$(digest <"$staged")" != "$wanted" ]; then stop "$staged is not what was to be written"; fi
    own "$1" "$staged"
    into_place "$at"
    if [ -n "$4" ]; then
        stage_for "$at"
        ln -s -- "${4##*/}" "$staged" || stop "cannot write $staged"
        into_place "$root$3"
    fi
}

apply() { # MODE POLICY STORE EFFECT DIGEST PATH TARGET
    next=${queue%%"$newline"*} queue=${queue#*"$newline"}
    at=$root${7:-$6} what=${next%% *} wanted=${next#* }
    if [ "$what" = same ]; then return 0; fi
    if [ -z "$check" ]; then
        if [ "$what" = mode ]; then own "$1" "$at"; else place "$1" "$3" "$6" "$7"; fi
    fi
    case $what in
        install) tell install installed "$root$6" ;;
        update) tell update updated "$root$6" ;;
        restore) tell 'put back' 'put back' "$root$6, which was changed on this host" ;;
        mode) tell mend mended "the mode and owner of $at" ;;
    esac
}

remove_gone() {
    for line in $gone; do
        at=$root${line#* }
        if [ "${line%% *}" = leave ]; then
            tell leave left "$at, which is no longer of this host but was changed on it"
        else
            if [ -z "$check" ]; then rm -f -- "$at" || stop "cannot remove $at"; fi
            tell remove removed "$at"
        fi
    done
}

clear_beside() { # PATH: what an interrupted run staged
    if is_way_to "$1"; then
        stage_for "$root$1"
        staged=''
    fi
}

take_lock() {
    if ! (umask 022 && mkdir -p -- "${state%/*}") || ! mkdir -p -- "$state"; then refuse "cannot make $state"; fi
    if ! ln -s -- "$$" "$state/lock" 2>/dev/null; then
        process=$(readlink "$state/lock") || :
        if [ -n "$process" ] && is_running "$process"; then refuse "another install.sh is at work: process $process"; fi
        rm -f -- "$state/lock"
        ln -s -- "$$" "$state/lock" || stop "cannot write $state/lock"
    fi
    locked=$state/lock
    before=$record$newline$pending
    read_state
    if [ "$before" != "$record$newline$pending" ]; then refuse 'another install.sh was at work meanwhile: run it again'; fi
}

# Before anything is changed it is written down what will be, and what has to be done then.
prepare() {
    changing=yes
    take_lock
    if [ "$was" != "$identity" ]; then write_state host "$identity$newline"; fi
    write_state pending "files$newline$needs"
    union=$installed
    for line in $record; do
        case $newline$union in *"$newline$line$newline"*) ;; *) union=$union$line$newline ;; esac
    done
    write_state installed "$union"
    if [ -z "$interrupted" ]; then return 0; fi
    step=clear
    each
    for line in $record; do
        entry=${line#* }
        clear_beside "${entry#* }"
    done
}

is_loaded() { # MODULE, which may be built into the kernel
    if [ -d "/sys/module/$1" ]; then return 0; fi
    case $1 in
        overlay) grep -qw overlay /proc/filesystems 2>/dev/null ;;
        br_netfilter) [ -d /proc/sys/net/bridge ] ;;
        *) return 1 ;;
    esac
}

load_modules() {
    while read -r module; do
        case $module in
            '' | '#'*) ;;
            *) is_loaded "$module" || modprobe "$module" || return 1 ;;
        esac
    done </etc/modules-load.d/kcompile.conf
}

carry_out() { # WORD
    case $1 in
        modules) load_modules ;;
        parameters) sysctl -q -p /etc/sysctl.d/90-kcompile.conf >/dev/null ;;
        reload) systemctl daemon-reload ;;
        kubelet) systemctl enable kubelet.service && systemctl restart kubelet.service ;;
    esac
}

left='' failed=''
start() { # WORD INFINITIVE PAST WHAT
    case $newline$needs in *"$newline$1$newline"*) ;; *) return 0 ;; esac
    if [ -n "$start" ] && { [ -n "$check" ] || carry_out "$1"; }; then
        tell "$2" "$3" "$4"
        return 0
    fi
    left=$left$1$newline
    if [ -n "$start" ]; then
        failed=yes
        printf 'cannot %s %s\n' "$2" "$4" >&2
    fi
}

step=plan
each
plan_gone
for word in $pending; do
    if [ "$word" != files ]; then need "$word"; fi
done
unrecorded=''
if [ "$record" != "${installed%"$newline"}" ] || [ "$was" != "$identity" ]; then unrecorded=yes; fi
if [ -n "$unrecorded$interrupted$gone${start:+$needs}" ]; then dirty=yes; fi
if [ -z "$dirty" ]; then
    echo 'nothing to change'
    leave 0
fi
if [ -z "$check" ]; then prepare; fi
if [ -n "$interrupted" ]; then tell complete completed 'a run that was interrupted'; fi
step=apply
each
remove_gone
if [ "$changes" = 0 ] && [ -n "$unrecorded" ]; then tell write wrote "what is installed into $state"; fi
if [ -z "$check" ]; then
    sync
    write_state installed "$installed"
fi
start modules load loaded 'kernel modules'
start parameters set set 'kernel parameters'
start reload reload reloaded systemd
start kubelet restart restarted 'the kubelet'
if [ -n "$check" ]; then
    printf 'changes to make: %s\n' "$changes"
    leave 1
fi
if [ -n "$left" ]; then write_state pending "$left"; else rm -f -- "$state/pending"; fi
printf 'changes made: %s\n' "$changes"
if [ -n "$failed" ]; then stop 'not everything could be started'; fi
ended=yes
