#!/bin/sh
# Membership of this host's etcd, over etcd's own HTTPS gateway: no etcdctl. Written by kcompile; do not edit.
set -eu
umask 077

usage() {
    cat <<'END'
usage: etcd-member.sh [--root DIR] [--timeout SECONDS] list | add | promote | remove NAME | replace

  list         the members, and whether each answers
  add          make this host's etcd a member: as a learner, promoted once it has caught up
  promote      the second half of add: wait until the learner has caught up, and promote it
  remove NAME  take a member out; refused where those that stay would be no quorum
  replace      take this host's dead member out, move its data aside, and add it anew

  --root DIR          certificates, manifest and data stand below DIR instead of /; nothing is started
  --timeout SECONDS   how long to wait for the etcd here (300)

Run it as root on a control-plane host whose files are there (`install.sh --no-start` for add).
Each verb may be run again: what is done already is said, what was interrupted goes on.
END
}

self=cp-2 own_peer=https://10.0.0.12:2380 own_client=https://10.0.0.12:2379
pki=/etc/kubernetes/pki manifest=/etc/kubernetes/manifests/etcd.yaml parked=/etc/kubernetes/.kcompile-etcd.yaml
# The control plane of the spec: name, peer URL, client URL.
declared() { printf '%s\n' 'cp-1	https://10.0.0.11:2380	https://10.0.0.11:2379' 'cp-3	https://10.0.0.13:2380	https://10.0.0.13:2379' 'cp-2	https://10.0.0.12:2380	https://10.0.0.12:2379'; }
# Where this host's etcd keeps its log and its data.
stores() { printf '%s\n' /var/lib/etcd/member; }
log=/var/lib/etcd/member/wal

root='' timeout=300 verb='' target=''
while [ $# -gt 0 ]; do
    case $1 in
        --root)
            case ${2:-} in
                '') printf '%s needs a directory\n' "$1" >&2; exit 2 ;;
                /*) root=${2%/} ;;
                *) root=$PWD/${2%/} ;;
            esac
            shift 2
            ;;
        --timeout)
            case ${2:-} in '' | *[!0-9]*) printf '%s needs a number of seconds\n' "$1" >&2; exit 2 ;; esac
            timeout=$2
            shift 2
            ;;
        -h | --help) usage; exit 0 ;;
        list | add | promote | replace)
            [ -z "$verb" ] || { usage >&2; exit 2; }
            verb=$1
            shift
            ;;
        remove)
            if [ -n "$verb" ] || [ -z "${2:-}" ]; then usage >&2; exit 2; fi
            verb=remove target=$2
            shift 2
            ;;
        *) usage >&2; exit 2 ;;
    esac
done
[ -n "$verb" ] || { usage >&2; exit 2; }

say() { printf '%s\n' "$1"; }
doubt=''
# fail MESSAGE [MEND]
fail() {
    if [ -n "$doubt" ]; then printf '%s\n' "$doubt" >&2; fi
    printf '%s\n' "$1" >&2
    if [ -n "${2:-}" ]; then printf 'mend: %s\n' "$2" >&2; fi
    exit 1
}

newline='
'
tab=$(printf '\t')
began=$(date +%s)
in_time() { [ $(($(date +%s) - began)) -lt "$timeout" ]; }

for tool in curl awk; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is not on the PATH" "install it"
done
for file in etcd/ca.crt etcd/healthcheck-client.crt etcd/healthcheck-client.key; do
    [ -r "$root$pki/$file" ] || fail "$root$pki/$file cannot be read" \
        "run this as root, after \`install.sh --no-start\` (or with --root, where \`kcompile render\` put the files)"
done

# JSON as lines: for each scalar its path, a tab, and its text as it stands there.
flattened() {
    awk '
        function broken() { failed = 1; exit 1 }
        function blank() { while (at <= size && index(" \t\r\n", substr(text, at, 1))) at++ }
        function quoted(   start) {
            start = ++at
            while (substr(text, at, 1) != "\"") {
                if (at > size) broken()
                if (substr(text, at, 1) == "\\") at++
                at++
            }
            return substr(text, start, at++ - start)
        }
        function value(path,   mark, key, count, start) {
            blank()
            mark = substr(text, at, 1)
            if (mark == "{" || mark == "[") {
                at++
                blank()
                if (index("]}", substr(text, at, 1))) { at++; return }
                for (count = 0; ; count++) {
                    key = count
                    if (mark == "{") {
                        blank()
                        if (substr(text, at, 1) != "\"") broken()
                        key = quoted()
                        blank()
                        if (substr(text, at++, 1) != ":") broken()
                    }
                    value(path "/" key)
                    blank()
                    start = substr(text, at++, 1)
                    if (start == "}" || start == "]") return
                    if (start != ",") broken()
                }
            }
            if (mark == "\"") { print path "\t" quoted(); return }
            start = at
            while (at <= size && !index(",]} \t\r\n", substr(text, at, 1))) at++
            if (at == start) broken()
            print path "\t" substr(text, start, at - start)
        }
        { text = text $0 "\n" }
        END { if (!failed) { size = length(text); at = 1; value("") } exit failed }
    '
}
# field PATH: that scalar of $answer, or nothing.
field() { printf '%s\n' "$answer" | flattened | awk -F '\t' -v path="$1" '$1 == path { print $2; exit }'; }

# request URL PATH BODY: $answer, and $status; 000 when nobody answered, and why in $answer.
request() {
    if answer=$(
        cd "$root$pki" && printf '%s' "$3" | curl --silent --show-error --globoff --noproxy '*' \
            --connect-timeout 3 --max-time 10 --cacert etcd/ca.crt \
            --cert ./etcd/healthcheck-client.crt --key ./etcd/healthcheck-client.key \
            --write-out '\n%{http_code}' --data-binary @- "$1$2" 2>&1
    ); then
        status=${answer##*"$newline"}
        answer=${answer%"$newline"*}
    else
        status=000
        answer=$(printf '%s\n' "$answer" | sed -n 's/^curl: //p')
    fi
}
# Why a request failed, in etcd's words or in curl's.
reason() {
    if [ "$status" = 000 ]; then
        printf '%s' "$answer"
    else
        told=$(field /error 2>/dev/null || :)
        [ -n "$told" ] || told=$(field /message 2>/dev/null || :)
        printf '%s' "${told:-HTTP status $status}"
    fi
}
# ask PATH BODY [NOT]: the first member's answer that is none of an error, the etcd of NOT not asked.
ask() {
    refused=''
    while IFS="$tab" read -r name _ url; do
        if [ "$name" != "${3:-}" ]; then
            request "$url" "$1" "$2"
            [ "$status" != 200 ] || return 0
            refused="$refused$name: $(reason)$newline"
        fi
    done <<END
$(declared)
END
    return 1
}
# read_members BODY NOT: $members, a line each: ID, voter or learner, name, peer URL, client URL; - for what is not known
# yet. Fails where nobody answers.
read_members() {
    ask /v3/cluster/member/list "$1" "$2" || return 1
    flat=$(printf '%s\n' "$answer" | flattened) || fail "etcd's list of members is no JSON: $answer"
    members=$(printf '%s\n' "$flat" | awk -F '\t' '
        function told(name) { return (number, name) in found ? found[number, name] : "-" }
        $1 ~ "^/members/[0-9]+/" {
            split($1, path, "/")
            if (!((path[3], path[4]) in found) && $2 != "") found[path[3], path[4]] = $2
            if (path[3] >= count) count = path[3] + 1
        }
        END {
            for (number = 0; number < count; number++)
                print told("ID") "\t" (told("isLearner") == "true" ? "learner" : "voter") "\t" told("name") \
                    "\t" told("peerURLs") "\t" told("clientURLs")
        }
    ')
    [ -n "$members" ] || fail "etcd's list of members is not what it should be: $answer"
}
# list_members NOT: the members as a majority of them has it; etcd before 3.5 answers for the one that is asked. Once
# something was asked for that may have been done, a majority is waited for.
changing=''
list_members() {
    until read_members '{"linearizable":true}' "$1"; do
        no_majority=$refused
        if [ -n "$changing" ] && in_time; then
            sleep 1
            continue
        fi
        read_members '{}' "$1" || no_member_answers
        check_quorum '' ''
        fail "no majority of etcd's members says who they are:
${no_majority%"$newline"}" "run this again, once a leader is elected"
    done
}
no_member_answers() {
    [ -n "$refused" ] || fail "the spec declares no other control-plane node: there is no etcd to join" \
        "declare the nodes that run, and build again"
    fail "no member of etcd answers:
${refused%"$newline"}" "start the others' kubelets; where most members are lost for good, restore a backup"
}
# answers CLIENT-URL: whether an etcd there is up and knows a leader.
answers() {
    [ "$1" != - ] || return 1
    request "$1" /v3/maintenance/status '{}'
    [ "$status" = 200 ] && [ "$(field /leader)" != '' ]
}
# find_own: $id and $kind of this host's member, and $started; empty where there is none.
find_own() {
    id='' kind='' started=''
    while IFS="$tab" read -r found_id found_kind name url _; do
        if [ "$url" = "$own_peer" ]; then
            id=$found_id kind=$found_kind
            [ "$name" = - ] || started=yes
        elif [ "$name" = "$self" ]; then
            fail "$self is a member at $url, and this host's is $own_peer" "etcd-member.sh remove $self"
        fi
    done <<END
$members
END
}
# etcd starts only with a list of members that is the cluster's to the letter (--initial-cluster).
check_declared() {
    while IFS="$tab" read -r _ _ name url _; do
        declared | awk -F '\t' -v url="$url" '$2 == url { found = 1 } END { exit !found }' ||
            fail "the cluster has a member $name at $url that the spec does not declare" \
                "etcd-member.sh remove $name, or declare its node and build again"
    done <<END
$members
END
    while IFS="$tab" read -r name url _; do
        [ "$url" = "$own_peer" ] ||
            printf '%s\n' "$members" | awk -F '\t' -v url="$url" '$4 == url { found = 1 } END { exit !found }' ||
            fail "the spec declares $name, which is no member yet: an etcd that starts with it in its list is refused" \
                "add one control-plane node to the spec at a time"
    done <<END
$(declared)
END
}
# An etcd without data founds another cluster where it is not told that one exists, and does not start where its list of
# members is an earlier tree's.
check_manifest() {
    found=$root$manifest
    [ -f "$found" ] || found=$root$parked
    [ -f "$found" ] || fail "$root$manifest is not there" "install.sh --no-start"
    grep -q -F -e '--initial-cluster-state=existing' "$found" ||
        fail "$found is of a new cluster, and this host's etcd is to join one that runs" \
            "controlPlane.bootstrapped: true in the spec; kcompile build; install.sh --no-start here; then this again"
    [ "$(sed -n 's/^ *- --initial-cluster=//p' "$found" | tr -d "\"'" | tr , '\n' | sort)" = \
        "$(declared | awk -F '\t' '{ print $1 "=" $2 }' | sort)" ] ||
        fail "$found is of another tree than this script: its etcd would start with other members" \
            "install.sh --no-start here; then this again"
}
# check_quorum ID NAME: refuses where etcd has no majority now, or would have none without this voter, if one is given.
check_quorum() {
    voters=0 up=0 left=0 left_up=0 down=''
    while IFS="$tab" read -r member_id member_kind name _ url; do
        [ "$member_kind" = voter ] || continue
        alive=0
        if answers "$url"; then alive=1; else down="$down $name"; fi
        voters=$((voters + 1)) up=$((up + alive))
        if [ "$member_id" != "$1" ]; then left=$((left + 1)) left_up=$((left_up + alive)); fi
    done <<END
$members
END
    [ "$up" -ge $((voters / 2 + 1)) ] ||
        fail "etcd has no quorum: $up of $voters members answer, not:$down" "start them first, or restore a backup"
    [ "$left" -gt 0 ] || fail "$2 is the only voting member: without it there is no etcd"
    [ "$left_up" -ge $((left / 2 + 1)) ] ||
        fail "without $2, $left_up of $left members would answer and $((left / 2 + 1)) are needed, not up:$down" \
            "start them first, or add a member"
}
# insist PATH BODY NOT: asks again where what etcd says will pass (members must have been connected for some seconds).
insist() {
    until ask "$@"; do
        case $refused in *'unhealthy cluster'* | *'timed out'* | *'no leader'* | *'leader changed'*) ;; *) return 1 ;; esac
        in_time || return 1
        sleep 1
    done
}
# remove_member ID WHAT NOT: an answer may have been lost of what was done, so that the members are who tell.
remove_member() {
    changing=yes
    if ! insist /v3/cluster/member/remove "{\"ID\":\"$1\"}" "$3"; then
        said=${refused%"$newline"}
        doubt="it is not known whether $2 was removed"
        list_members "$3"
        doubt=''
        if printf '%s\n' "$members" | cut -f 1 | grep -qxF -e "$1"; then
            fail "etcd does not remove $2:
$said"
        fi
    fi
    removed=yes
    say "removed $2"
}
check_no_learner() {
    while IFS="$tab" read -r _ member_kind name url _; do
        if [ "$member_kind" = learner ] && [ "$url" != "$own_peer" ]; then
            fail "$name at $url is a learner, and etcd takes one at a time" \
                "let it be promoted there, or etcd-member.sh remove $url"
        fi
    done <<END
$members
END
}
has_log() { ls "$root$log"/*.wal >/dev/null 2>&1; }
check_no_log() {
    if has_log; then
        fail "$root$log has the log of an etcd that is no member of this cluster" \
            "etcd-member.sh replace moves it aside"
    fi
}
add_learner() {
    check_no_learner
    check_declared
    check_no_log
    changing=yes
    if ! insist /v3/cluster/member/add '{"peerURLs": ["https://10.0.0.12:2380"], "isLearner": true}' "$self"; then
        said=${refused%"$newline"}
        list_members "$self"
        find_own
        [ -n "$id" ] || fail "etcd does not add $self:
$said"
    fi
    say "added $self as a learner"
    list_members "$self"
    find_own
}
start() {
    [ -z "$root" ] || return 0
    command -v systemctl >/dev/null 2>&1 || return 0
    if systemctl is-active --quiet kubelet.service; then return 0; fi
    # what `install.sh --no-start` left to do
    systemctl daemon-reload
    systemctl restart systemd-modules-load.service systemd-sysctl.service || :
    systemctl enable --now kubelet.service || fail "kubelet.service does not start" "journalctl -u kubelet"
}
catch_up_and_promote() {
    say "waiting for the etcd at $own_client"
    until answers "$own_client"; do
        in_time || fail "it does not answer: $(reason)" \
            "crictl logs of the etcd container, or journalctl -u kubelet; then etcd-member.sh promote"
        sleep 1
    done
    lag=unknown said=''
    while in_time; do
        if ask /v3/maintenance/status '{}' "$self"; then
            leading=$(field /raftIndex)
            request "$own_client" /v3/maintenance/status '{}'
            applied=0
            if [ "$status" = 200 ]; then applied=$(field /raftAppliedIndex); fi
            lag=$((${leading:-0} - ${applied:-0}))
            if [ "$lag" -le 100 ]; then
                if ask /v3/cluster/member/promote "{\"ID\":\"$id\"}" "$self"; then
                    say "promoted $self: it votes"
                    return 0
                fi
                said=${refused%"$newline"}
                if read_members '{"linearizable":true}' "$self"; then
                    find_own
                    if [ "$kind" = voter ]; then
                        say "promoted $self: it votes"
                        return 0
                    fi
                fi
            fi
        fi
        sleep 1
    done
    fail "$self is not promoted: it is $lag entries behind${said:+
$said}" "etcd-member.sh promote, once it has caught up"
}
# With its old data, an etcd that is no member any more would start only to be refused: its manifest stays parked then.
removed=''
park() {
    if [ -f "$root$manifest" ]; then mv -f -- "$root$manifest" "$root$parked"; fi
    trap unpark EXIT
    trap 'exit 1' HUP INT TERM
}
unpark() {
    if [ ! -f "$root$parked" ]; then return 0; fi
    if [ -f "$root$manifest" ]; then # install.sh has put it back meanwhile
        rm -f -- "$root$parked"
    elif [ -n "$removed" ]; then
        printf '%s waits in %s: run etcd-member.sh replace again\n' "$root$manifest" "$root$parked" >&2
    else
        mv -- "$root$parked" "$root$manifest"
    fi
}
# What a replace left that was killed before it took the member out.
put_back() {
    if [ -f "$root$manifest" ] || [ ! -f "$root$parked" ]; then return 0; fi
    unpark
    say "put $root$manifest back"
}
move_data() {
    while read -r store; do
        [ -e "$root$store" ] || continue
        number=1
        while [ -e "$root$store.replaced-$number" ]; do number=$((number + 1)); done
        mv -- "$root$store" "$root$store.replaced-$number"
        say "moved $root$store to $root$store.replaced-$number; delete it when all is well"
    done <<END
$(stores)
END
}

case $verb in
    list)
        if ! read_members '{"linearizable":true}' ''; then
            read_members '{}' '' || no_member_answers
            printf 'one member says so, and no majority\n' >&2
        fi
        while IFS="$tab" read -r member_id member_kind name url client; do
            if answers "$client"; then state=up; else state=down; fi
            say "$name $member_kind $state $url $member_id"
        done <<END
$members
END
        ;;
    add)
        list_members "$self"
        find_own
        if [ "$kind,$started" = voter,yes ]; then
            say "$self is a member already"
            put_back
            exit 0
        fi
        check_manifest
        case $kind in
            voter)
                say "$self is a member already, and has not started yet"
                if [ ! -f "$root$manifest" ]; then check_no_log; fi
                put_back
                start
                exit 0
                ;;
            learner) say "$self is a learner already" ;;
            *) add_learner ;;
        esac
        unpark
        start
        catch_up_and_promote
        ;;
    promote)
        list_members "$self"
        find_own
        case $kind in
            voter)
                say "$self votes already"
                put_back
                ;;
            learner)
                has_log || check_manifest
                put_back
                start
                catch_up_and_promote
                ;;
            *) fail "$self is no member" "etcd-member.sh add" ;;
        esac
        ;;
    remove)
        # the one that is to go is asked only where no other answers
        own=$(declared | awk -F '\t' -v target="$target" '$1 == target || $2 == target { print $1 }')
        if ask /v3/cluster/member/list '{}' "$own"; then list_members "$own"; else list_members ''; fi
        id='' kind=''
        while IFS="$tab" read -r member_id member_kind name url _; do
            if [ "$name" = "$target" ] || [ "$member_id" = "$target" ] || [ "$url" = "$target" ]; then
                id=$member_id kind=$member_kind
                own=$(declared | awk -F '\t' -v url="$url" '$2 == url { print $1 }')
            fi
        done <<END
$members
END
        if [ -z "$id" ]; then
            said="no member is called $target: there are $(printf '%s\n' "$members" | cut -f 3 | sort | paste -s -d ' ' -)"
            declared | cut -f 1 | grep -qxF -e "$target" || fail "$said"
            say "$said"
            exit 0
        fi
        if [ "$kind" = voter ]; then check_quorum "$id" "$target"; fi
        remove_member "$id" "$target" "$own"
        ;;
    replace)
        list_members "$self"
        find_own
        if [ -n "$id" ] && answers "$own_client"; then
            if [ "$kind" = voter ]; then
                fail "the etcd of $self answers: there is nothing to replace" "etcd-member.sh list"
            fi
            catch_up_and_promote
            exit 0
        fi
        check_manifest
        check_no_learner
        check_declared
        if [ "$kind" = voter ]; then check_quorum "$id" "$self"; fi
        park
        if [ -n "$id" ]; then
            remove_member "$id" "$self" "$self"
            list_members "$self"
            id=''
        fi
        removed=yes
        move_data
        add_learner
        removed=''
        unpark
        start
        catch_up_and_promote
        ;;
esac
