"""Bad input: every problem in one run, each with its place, what is wrong, and the mend."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import SECRETS, MakeCluster, Workspace, clean_environment, kcompile, minimal, run, succeed, tool

RECIPIENT = "age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37"

EVERYTHING = """\
apiVersion: kcompile.dev/v1alpha1
kind: Cluster
metadata:
  name: Bad_Name
spec:
  kubernetsVersion: v1.36.2
  kubernetesVersion: 1.30
  networking:
    podSubnet: 10.244.0.0/16
    serviceSubnet: 10.244.0.0/20
    dnsDomain: NO
  pki:
    issuedAt: 2026-11-23
    certificateValidityPeriod: 1 year
  secrets:
    recipients: [age1nonsense]
  apiServer:
    extraArgs: {audit-log-maxage: 30}
  controlPlane:
    nodes:
    - {name: cp-1, address: 10.0.0.300}
    - {name: cp-2, address: 10.0.0.12, adress: x}
    - {name: cp-2, address: 10.0.0.12}
  nodePools:
  - name: general
    nodes:
    - {name: "../../etc", address: 10.0.1.1}
    - {name: w-2, address: 10.0.1.2/24}
  bootstrapTokens:
  - {id: abcdef.0123456789abcdef}
"""

EVERYTHING_SAYS = """\
bad.yaml:4:9: metadata.name: 'Bad_Name' is not an RFC 1123 label [K0301]
    4 |   name: Bad_Name
      |         ^^^^^^^^
   hint: use lower-case letters, digits and '-', 63 at most
bad.yaml:5:1: spec.controlPlaneEndpoint: is required with more than one control-plane node [K0412]
   hint: set it to a name or an address that reaches all of them: a load balancer, kube-vip, DNS
bad.yaml:6:3: spec.kubernetsVersion: unknown field [K0201]
    6 |   kubernetsVersion: v1.36.2
      |   ^^^^^^^^^^^^^^^^
   hint: did you mean kubernetesVersion?
bad.yaml:7:22: spec.kubernetesVersion: must be a string, but YAML reads 1.30 as the number 1.3 [K0204]
    7 |   kubernetesVersion: 1.30
      |                      ^^^^
   hint: write it as v1.36.2
bad.yaml:10:20: spec.networking.serviceSubnet: 10.244.0.0/20 overlaps podSubnet 10.244.0.0/16 [K0401]
   10 |     serviceSubnet: 10.244.0.0/20
      |                    ^^^^^^^^^^^^^
   hint: choose a range outside 10.244.0.0/16, for example 10.96.0.0/16
bad.yaml:11:16: spec.networking.dnsDomain: must be a string, but YAML reads NO as the boolean false [K0204]
   11 |     dnsDomain: NO
      |                ^^
   hint: put it in quotes: "no"
bad.yaml:13:15: spec.pki.issuedAt: '2026-11-23' is not a UTC timestamp [K0311]
   13 |     issuedAt: 2026-11-23
      |               ^^^^^^^^^^
   hint: write it as 2026-11-23T00:00:00Z
bad.yaml:14:32: spec.pki.certificateValidityPeriod: '1 year' is not a duration [K0310]
   14 |     certificateValidityPeriod: 1 year
      |                                ^^^^^^
   hint: write hours, minutes and seconds, for example 8760h
bad.yaml:16:18: spec.secrets.recipients[0]: is not an age recipient [K0325]
   16 |     recipients: [age1nonsense]
      |                  ^^^^^^^^^^^^
   hint: write age1…, ssh-ed25519 AAAA… or ssh-rsa AAAA…
bad.yaml:18:35: spec.apiServer.extraArgs.audit-log-maxage: must be a string, but YAML reads 30 as the number 30 [K0204]
   18 |     extraArgs: {audit-log-maxage: 30}
      |                                   ^^
   hint: put it in quotes: "30"
bad.yaml:21:29: spec.controlPlane.nodes[0].address: '10.0.0.300' is not an IP address [K0305]
   21 |     - {name: cp-1, address: 10.0.0.300}
      |                             ^^^^^^^^^^
   hint: write it as 10.0.0.11 or fd00::11
bad.yaml:22:40: spec.controlPlane.nodes[1].adress: unknown field [K0201]
   22 |     - {name: cp-2, address: 10.0.0.12, adress: x}
      |                                        ^^^^^^
   hint: did you mean address?
bad.yaml:23:14: spec.controlPlane.nodes[2].name: the node cp-2 is there already, on line 22 [K0501]
   23 |     - {name: cp-2, address: 10.0.0.12}
      |              ^^^^
   hint: give it another
bad.yaml:23:29: spec.controlPlane.nodes[2].address: the address 10.0.0.12 is there already, on line 22 [K0501]
   23 |     - {name: cp-2, address: 10.0.0.12}
      |                             ^^^^^^^^^
   hint: give it another
bad.yaml:27:14: spec.nodePools[0].nodes[0].name: '../../etc' is not an RFC 1123 subdomain [K0302]
   27 |     - {name: "../../etc", address: 10.0.1.1}
      |              ^^^^^^^^^^^
   hint: use lower-case letters, digits, '-' and '.', beginning and ending with a letter or a digit
bad.yaml:28:28: spec.nodePools[0].nodes[1].address: '10.0.1.2/24' is not an IP address [K0305]
   28 |     - {name: w-2, address: 10.0.1.2/24}
      |                            ^^^^^^^^^^^
   hint: leave out the prefix length
bad.yaml:30:10: spec.bootstrapTokens[0].id: is not a token id [K0321]
   hint: write six lower-case letters or digits, those before the '.'; the rest belongs in the secrets file
"""


def test_everything_wrong_is_reported_in_one_run(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(EVERYTHING)
    for command in ("validate", "build"):
        result = kcompile(command, "bad.yaml", cwd=tmp_path)
        missing = "there is no bad.secrets.yaml [K0901]\n   hint: `kcompile secrets create bad.yaml` makes it\n"
        kind = "warning: " if command == "validate" else ""
        assert (result.code, result.out, result.err) == (2, "", f"{EVERYTHING_SAYS}bad.yaml:1:1: {kind}{missing}")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.yaml"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "f.yaml:1:1: the file holds no cluster spec [K0113]\n   hint: see `kcompile init`\n"),
        (
            b"a: [b\n",
            "f.yaml:1:4: not valid YAML: a list in brackets is not closed, or lacks a comma [K0104]\n"
            "    1 | a: [b\n"
            "      |    ^\n"
            "   hint: write [one, other]\n",
        ),
        (
            b"a: 'b\nc: d\n",
            "f.yaml:1:4: not valid YAML: a quote is opened here and not closed [K0104]\n"
            "    1 | a: 'b\n"
            "      |    ^\n"
            "   hint: close it in front of the line's end\n",
        ),
        (
            b"a: b: c\n",
            "f.yaml:1:5: not valid YAML: a ':' where no key can stand [K0104]\n"
            "    1 | a: b: c\n"
            "      |     ^\n"
            "   hint: indent the line as its neighbours are, or put a value that holds ': ' in quotes\n",
        ),
        (
            b"a:\n\tb: c\n",
            "f.yaml:2:1: not valid YAML: a tab where spaces belong [K0104]\n"
            "    2 |     b: c\n"
            "      | ^^^^\n"
            "   hint: indent with spaces: YAML does not allow tabs\n",
        ),
        (b"a: \xff\n", "f.yaml:1:4: the file is not UTF-8 [K0103]\n   hint: save it as UTF-8\n"),
        (
            b"a: \x00\n",
            "f.yaml:1:4: not valid YAML: U+0000, a character that nobody sees, is not allowed here [K0105]\n"
            "   hint: remove it\n",
        ),
        (
            b"a: 1\n---\nb: 2\n",
            "f.yaml:2:1: a second document begins here [K0106]\n   hint: keep one document in a file\n",
        ),
        (
            b"[" * 150,
            "f.yaml:1:101: nested more than 100 levels deep [K0107]\n"
            "   hint: a spec has a tenth of that: is this the right file?\n",
        ),
        (
            b"a: &a [*a]\n",
            "f.yaml:1:4: an anchor contains itself [K0108]\n   hint: write out what the alias inside it is to be\n",
        ),
        (
            b"# " + b"x" * (16 << 20),
            "f.yaml:1:1: the file is larger than 16 MiB [K0102]\n   hint: is this the right file?\n",
        ),
        (
            b"!!python/object/apply:os.system [id]\n",
            "f.yaml:1:1: the file holds no cluster spec [K0113]\n"
            "    1 | !!python/object/apply:os.system [id]\n"
            "      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
            "   hint: see `kcompile init`\n",
        ),
    ],
    ids=[
        "empty",
        "bracket",
        "quote",
        "colon",
        "tab",
        "encoding",
        "nul",
        "documents",
        "deep",
        "recursive",
        "large",
        "tag",
    ],
)
def test_a_file_that_is_no_spec(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(content)
    result = kcompile("validate", "f.yaml", cwd=tmp_path)
    assert (result.code, result.out, result.err) == (2, "", says)


@pytest.mark.parametrize("command", ["build", "csr", "diff", "secrets update"])
def test_a_secrets_file_in_the_place_of_its_spec(command: str, tmp_path: Path) -> None:
    (tmp_path / "c.secrets.yaml").write_bytes(SECRETS.read_bytes())
    result = kcompile(*command.split(), "c.secrets.yaml", cwd=tmp_path)
    says = "c.secrets.yaml:3:7: this is a secrets file and no cluster spec [K0113]\n"
    hint = "   hint: give the spec that it goes with, c.yaml\n"
    assert (result.code, result.out, result.err) == (2, "", says + hint)


def test_depth_is_bounded_by_whoever_meets_it_first(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"[" * 100_000)
    result = kcompile("validate", "f.yaml", cwd=tmp_path)
    said = re.fullmatch(r"f\.yaml:1:(\d+): (.*)\n   hint: .*\n", result.err)
    assert said is not None
    assert (result.code, said[1] in ("101", "1001"), said[2]) == (2, True, "nested more than 100 levels deep [K0107]")


def test_a_bomb_of_aliases_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    (tmp_path / "f.yaml").write_text("\n".join(lines))
    result = kcompile("validate", "f.yaml", cwd=tmp_path)
    says = "f.yaml:1:1: its aliases expand to an unreasonable size [K0108]\n   hint: write the values out\n"
    assert (result.code, result.err) == (2, says)


def test_what_yaml_lets_pass_and_a_spec_does_not(tmp_path: Path) -> None:
    text = yaml.safe_dump(minimal(RECIPIENT), sort_keys=False)
    (tmp_path / "f.yaml").write_text(text + "kind: Cluster\n1: x\n<<: [5]\n? [a]\n: c\n")
    lines = text.count("\n")
    (tmp_path / "f.secrets.yaml").write_bytes(SECRETS.read_bytes())
    result = kcompile("validate", "f.yaml", cwd=tmp_path)
    assert (result.code, result.err) == (
        2,
        textwrap.dedent(f"""\
        f.yaml:{lines + 1}:1: kind: the key stands here a second time; the first is on line 2 [K0109]
           {lines + 1} | kind: Cluster
              | ^^^^
           hint: keep one of them
        f.yaml:{lines + 2}:1: 1: YAML reads the key 1 as the number 1, and keys are strings [K0110]
           {lines + 2} | 1: x
              | ^
           hint: put it in quotes: "1"
        f.yaml:{lines + 3}:1: ['<<']: only a mapping, or a list of mappings, can be merged here [K0111]
           {lines + 3} | <<: [5]
              | ^^
           hint: name the anchor of a mapping
        f.yaml:{lines + 4}:3: a key must be a string [K0110]
           {lines + 4} | ? [a]
              |   ^^^
           hint: write it as one word
        """),
    )


def problems(tmp_path: Path, document: dict[str, object]) -> list[str]:
    """What validate says of a document: path and message of each problem, and its hint."""
    text = yaml.safe_dump(document, sort_keys=False).replace("id: 8", "id: 008912").replace("maxPods: 8", "maxPods: 08")
    (tmp_path / "f.yaml").write_text(text)
    result = kcompile("validate", "f.yaml", "--format", "json", cwd=tmp_path)
    found = json.loads(result.err)["problems"]
    errors = [p for p in found if p["severity"] == "error"]
    assert result.code == (2 if errors else 0)
    missing_file = "there is no f.secrets.yaml"
    return [
        f"{p['severity']}: {p['path']}: {p['message']}" + (f" | {p['hint']}" if p["hint"] else "")
        for p in found
        if p["message"] != missing_file
    ]


CP = [{"name": "cp-1", "address": "10.0.0.11"}]
ONE = {"nodes": CP}
WORKERS = [{"name": "general", "nodes": [{"name": "w-1", "address": "10.0.1.1"}]}]
TOKEN = [{"id": "abcdef", "expires": "2999-01-01T00:00:00Z"}]

CASES = {
    "unsupported-minor": (
        {"kubernetesVersion": "v1.27.3"},
        ["error: spec.kubernetesVersion: v1.27.3 is not supported | supported are v1.28 to v1.37"],
    ),
    "patch-that-never-was": (
        {"kubernetesVersion": "v1.28.99"},
        ["error: spec.kubernetesVersion: v1.28.99 does not exist: v1.28 ended with v1.28.15 | write v1.28.15"],
    ),
    "endpoint-of-the-machine-itself": (
        {"controlPlaneEndpoint": "localhost:6443"},
        [
            "error: spec.controlPlaneEndpoint: no other machine reaches localhost: it is the machine itself"
            " | use an address or a name that reaches the API servers",
        ],
    ),
    "endpoint-of-etcd-twice": (
        {"etcd": {"external": {"endpoints": ["http://10.9.0.1:2379", "http://10.9.0.1:2379"]}}},
        [
            "error: spec.etcd.external.endpoints[1]: the endpoint http://10.9.0.1:2379 is there already, on line 20"
            " | remove it",
        ],
    ),
    "mode-of-kube-proxy": (
        {"kubeProxy": {"mode": "iptable"}},
        ["error: spec.kubeProxy.mode: kube-proxy has no mode iptable | did you mean iptables?"],
    ),
    "version-without-v": (
        {"kubernetesVersion": "1.36.2"},
        ["error: spec.kubernetesVersion: '1.36.2' is not a Kubernetes version | write v1.36.2"],
    ),
    "unknown-gate": (
        {"featureGates": {"NodeLocalCRISockets": True, "NodeLocalCRISocket": False}},
        [
            "error: spec.featureGates.NodeLocalCRISockets: kubeadm v1.36 has no feature gate NodeLocalCRISockets"
            " | did you mean NodeLocalCRISocket?",
            "error: spec.featureGates.NodeLocalCRISocket: NodeLocalCRISocket is locked to true in v1.36 | leave it out",
        ],
    ),
    "gate-that-is-gone": (
        {"kubernetesVersion": "v1.37.0", "featureGates": {"NodeLocalCRISocket": True}},
        [
            "error: spec.featureGates.NodeLocalCRISocket: kubeadm v1.37 has no feature gate NodeLocalCRISocket"
            " | it has none; gates of a component go to its feature-gates",
        ],
    ),
    "gate-that-needs-a-host": (
        {"kubernetesVersion": "v1.34.2", "featureGates": {"RootlessControlPlane": True}},
        [
            "error: spec.featureGates.RootlessControlPlane: RootlessControlPlane runs the control plane as users that"
            " kubeadm makes on each host | leave it out, and set users with patches",
        ],
    ),
    "gate-against-the-algorithm": (
        {
            "kubernetesVersion": "v1.30.14",
            "featureGates": {"PublicKeysECDSA": True},
            "pki": {"issuedAt": "2026-11-23T00:00:00Z", "encryptionAlgorithm": "RSA-4096"},
        },
        [
            "error: spec.featureGates.PublicKeysECDSA: PublicKeysECDSA makes keys ECDSA-P256, and"
            " pki.encryptionAlgorithm says RSA-4096 | keep one of them",
        ],
    ),
    "host-bits": (
        {"networking": {"podSubnet": "10.244.0.1/16"}},
        ["error: spec.networking.podSubnet: 10.244.0.1/16 has host bits set | write 10.244.0.0/16"],
    ),
    "families": (
        {"networking": {"podSubnet": "fd00:10::/48"}},
        [
            "error: spec.networking.podSubnet: podSubnet is IPv6 and serviceSubnet IPv4: they must be of the same"
            " address families"
            " | give both the same families"
        ],
    ),
    "node-of-another-family": (
        {"controlPlane": {"nodes": [{"name": "cp-1", "address": "fd00::11"}]}},
        [
            "error: spec.controlPlane.nodes[0].address: an IPv6 address in a cluster whose services are IPv4"
            " | add a service range of that family, or give the node another address",
        ],
    ),
    "service-range-too-large": (
        {"networking": {"serviceSubnet": "172.16.0.0/11"}},
        [
            "error: spec.networking.serviceSubnet: 172.16.0.0/11 has host bits set | write 172.0.0.0/11",
        ],
    ),
    "service-range-too-large-to-allocate": (
        {"networking": {"serviceSubnet": "172.0.0.0/11"}},
        [
            "error: spec.networking.serviceSubnet: 172.0.0.0/11 is larger than kubeadm allows"
            " | use a prefix length of 12 or more",
        ],
    ),
    "pod-range-too-small": (
        {"networking": {"podSubnet": "10.244.0.0/25"}},
        [
            "error: spec.networking.podSubnet: 10.244.0.0/25 is smaller than the /24 that each node gets of it"
            " | use a prefix length of 24 or less, or set node-cidr-mask-size in controllerManager.extraArgs",
        ],
    ),
    "node-in-pod-range": (
        {"networking": {"podSubnet": "10.0.0.0/16"}},
        [
            "error: spec.controlPlane.nodes[0].address: 10.0.0.11 lies in podSubnet 10.0.0.0/16"
            " | give the node an address outside it, or choose another range",
        ],
    ),
    "even-etcd": (
        {
            "controlPlaneEndpoint": "api.example.com",
            "controlPlane": {"nodes": [*CP, {"name": "cp-2", "address": "10.0.0.12"}]},
        },
        [
            "warning: spec.controlPlane.nodes: 2 stacked etcd members survive no more failures than 1 would"
            " | use an odd number",
        ],
    ),
    "no-token": (
        {"nodePools": WORKERS},
        [
            "error: spec.nodePools[0]: its nodes join by bootstrap token, and the spec has none"
            " | add an entry to spec.bootstrapTokens, or set credentials: issued",
        ],
    ),
    "forbidden-label": (
        {"bootstrapTokens": TOKEN, "nodePools": [{**WORKERS[0], "labels": {"node-role.kubernetes.io/worker": ""}}]},
        [
            "error: spec.nodePools[0].labels['node-role.kubernetes.io/worker']: a kubelet may not give itself"
            " the label node-role.kubernetes.io/worker | set it with kubectl once the node is there, or use a"
            " prefix of your own",
        ],
    ),
    "owned-flag": (
        {"apiServer": {"extraArgs": {"tls-cert-file": "/x"}}},
        [
            "warning: spec.apiServer.extraArgs.tls-cert-file: tls-cert-file is compiled, or goes by another"
            " field of the spec; another value may break the cluster | leave it out unless you are sure",
        ],
    ),
    "kubelet-flag-with-a-space": (
        {"controlPlane": {**ONE, "nodeRegistration": {"kubeletExtraArgs": {"node-ip": '10.0.0.1" --evil'}}}},
        [
            "error: spec.controlPlane.nodeRegistration.kubeletExtraArgs.node-ip: holds a space, a quote, a '$' or a"
            " backslash, which kubeadm-flags.env cannot carry | set it in the field kubelet, which is a file",
        ],
    ),
    "leaf-outlives-authority": (
        {"pki": {"issuedAt": "2026-11-23T00:00:00Z", "certificateValidityPeriod": "90000h"}},
        [
            "error: spec.pki.certificateValidityPeriod: 90000h is longer than the authorities are valid"
            " | use 87600h or less, or set a longer caCertificateValidityPeriod"
        ],
    ),
    "two-etcds": (
        {"etcd": {"local": {}, "external": {"endpoints": ["https://10.0.9.1:2379"]}}},
        ["error: spec.etcd: local and external exclude each other | keep one of them"],
    ),
    "private-key-as-recipient": (
        {"secrets": {"recipients": ["AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"]}},
        [
            "error: spec.secrets.recipients[0]: is a private key, not a recipient"
            " | remove it, replace the key, and write the age1… line here",
        ],
    ),
    "recipient-twice": (
        {"secrets": {"recipients": [RECIPIENT, RECIPIENT]}},
        [
            f"error: spec.secrets.recipients[1]: the recipient {RECIPIENT} is there already, on line 12 | remove it",
        ],
    ),
    "address-of-nobody": (
        {
            "controlPlaneEndpoint": "api.example.com",
            "etcd": {"external": {"endpoints": ["https://10.0.9.1:2379"]}},
            "controlPlane": {
                "nodes": [
                    {"name": f"cp-{n}", "address": address}
                    for n, address in enumerate(
                        ("0.0.0.0", "127.0.0.2", "224.0.0.1", "255.255.255.255", "169.254.0.1", "10.0.0.256")
                    )
                ]
            },
        },
        [
            f"error: spec.controlPlane.nodes[{n}].address: {what}, which is no node's own"
            " | give the address at which the other nodes reach it"
            for n, what in enumerate(
                (
                    "0.0.0.0 is the unspecified address",
                    "127.0.0.2 is a loopback address",
                    "224.0.0.1 is a multicast address",
                    "255.255.255.255 is the broadcast address",
                    "169.254.0.1 is a link-local address",
                )
            )
        ]
        + [
            "error: spec.controlPlane.nodes[5].address: '10.0.0.256' is not an IP address"
            " | write it as 10.0.0.11 or fd00::11"
        ],
    ),
    "pod-ranges-that-a-plugin-gives-out": (
        {
            "networking": {"podSubnet": "10.244.0.0/26"},
            "controllerManager": {"extraArgs": {"allocate-node-cidrs": "false"}},
        },
        [],
    ),
    "a-wildcard-in-the-middle-and-a-final-dot": (
        {"apiServer": {"certSANs": ["a.*.example.com", "example.com."]}},
        [
            "error: spec.apiServer.certSANs[0]: 'a.*.example.com' is neither an IP address nor a DNS name"
            " | a wildcard is the whole first label: *.example.com",
            "error: spec.apiServer.certSANs[1]: 'example.com.' is neither an IP address nor a DNS name"
            " | leave out the final dot",
        ],
    ),
    "token-that-has-ended": (
        {"bootstrapTokens": [{"id": "abcdef", "expires": "2020-01-01T00:00:00Z"}]},
        [
            "warning: spec.bootstrapTokens[0].expires: the token expired on 2020-01-01T00:00:00Z"
            " | give it a later date, or remove it when no node is to join by it",
        ],
    ),
    "private-keys-in-other-places": (
        {
            "secrets": {
                "recipients": [
                    " AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ",
                    "age1x,age-secret-key-1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
                ]
            },
            "imageRepository": "export SOPS_AGE_KEY=AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ",
        },
        [
            *(
                f"error: spec.secrets.recipients[{index}]: is a private key, not a recipient"
                " | remove it, replace the key, and write the age1… line here"
                for index in range(2)
            ),
            "error: spec.imageRepository: 'export SOPS_AGE_KEY=<secret> is not an image repository"
            " | write it as registry.example.com/path",
        ],
    ),
    "numbers-that-go-reads-otherwise": (
        {"bootstrapTokens": [{"id": 8}], "kubelet": {"maxPods": 8}},
        [
            "error: spec.bootstrapTokens[0].id: must be a string, but YAML reads 008912 as the number 8912.0"
            ' | put it in quotes: "008912"',
            "error: spec.kubelet.maxPods: must be a whole number, not the number 8.0 | for example 10",
        ],
    ),
    "external-etcd": (
        {
            "etcd": {
                "external": {
                    "endpoints": ["http://10.0.9.1:2379", "https://fd00::1:2379", "https://[fd00::1]:2379"],
                    "certFile": "/a",
                    "keyFile": "/b",
                }
            }
        },
        [
            "error: spec.etcd.external.endpoints[0]: http://10.0.9.1:2379 is not https, and certificates are given"
            " | write https://, or give no files",
            "error: spec.etcd.external.endpoints[1]: 'https://fd00::1:2379' is not an etcd endpoint"
            " | write it as https://[fd00::1]:2379",
            "error: spec.etcd.external.certFile: certFile and keyFile need caFile"
            " | give the authority that signed etcd's certificates",
        ],
    ),
    "etcd-that-is-too-old": (
        {"etcd": {"local": {"imageTag": "3.5.24-0"}}},
        [
            "error: spec.etcd.local.imageTag: an etcd before 3.6 does not know the flags that kubeadm v1.36 gives it"
            " | leave it out, or name 3.6 or later"
        ],
    ),
    "authorization-twice": (
        {"apiServer": {"extraArgs": {"authorization-config": "/x", "authorization-mode": "Node,RBAC"}}},
        [
            "error: spec.apiServer.extraArgs.authorization-config: the API server does not take it together with"
            " authorization-mode | keep one of them"
        ],
    ),
    "authorization-config-too-early": (
        {"kubernetesVersion": "v1.29.0", "apiServer": {"extraArgs": {"authorization-config": "/x"}}},
        [
            "warning: spec.apiServer.extraArgs.authorization-config: kubeadm v1.29 always sets"
            " authorization-mode, which the API server does not take with it | list the modes in authorization-mode"
        ],
    ),
    "what-v1beta3-cannot-say": (
        {
            "kubernetesVersion": "v1.30.0",
            "apiServer": {"extraArgs": {"service-account-issuer": ["https://a", "https://b"]}},
            "etcd": {"local": {"extraEnvs": [{"name": "A", "value": "1"}]}},
        },
        [
            "warning: spec.apiServer.extraArgs.service-account-issuer: the kubeadm-config of v1.30 holds each flag"
            " once: it will say https://b | kubeadm upgrade would write the manifest with that alone",
            "warning: spec.etcd.local.extraEnvs: the kubeadm-config of v1.30 knows no environment variables"
            " | kubeadm upgrade would write the manifest without them",
        ],
    ),
    "port-of-another": (
        {"controlPlane": {"nodes": [{**CP[0], "localAPIEndpoint": {"bindPort": 10250}}]}},
        [
            "error: spec.controlPlane.nodes[0].localAPIEndpoint.bindPort: 10250 is the port of the kubelet"
            " | choose another, for example 6443"
        ],
    ),
    "endpoint-of-nobody": (
        {"controlPlaneEndpoint": "0.0.0.0:6443"},
        [
            "error: spec.controlPlaneEndpoint: no other machine reaches 0.0.0.0: it is the unspecified address"
            " | use an address or a name that reaches the API servers"
        ],
    ),
    "kubelet-settings-that-do-not-hold": (
        {"kubelet": {"rotateCertificates": False, "staticPodPath": "/elsewhere"}},
        [
            "warning: spec.kubelet.rotateCertificates: kubeadm always writes true | leave it out",
            "warning: spec.kubelet.staticPodPath: the control plane's manifests are in /etc/kubernetes/manifests"
            " | leave it out",
        ],
    ),
    "labels-that-would-vanish": (
        {
            "bootstrapTokens": TOKEN,
            "nodePools": [
                {
                    "name": "a",
                    "labels": {"x": "y"},
                    "nodes": [
                        {
                            "name": "w-1",
                            "address": "10.0.1.1",
                            "nodeRegistration": {"kubeletExtraArgs": {"node-labels": "a=b"}},
                        }
                    ],
                }
            ],
        },
        [
            "error: spec.nodePools[0].nodes[0].nodeRegistration.kubeletExtraArgs.node-labels: labels and the flag"
            " node-labels come together here, and the flag would"
            " replace the labels | move all of them to labels"
        ],
    ),
    "taint-twice": (
        {
            "controlPlane": {
                **ONE,
                "taints": [{"key": "a", "value": str(n), "effect": "NoSchedule"} for n in range(2)],
            }
        },
        ["error: spec.controlPlane.taints[1]: the taint a:NoSchedule is there already, on line 18 | keep one of them"],
    ),
    "first-address-of-the-wrong-family": (
        {
            "networking": {"podSubnet": "10.244.0.0/16,fd00:10::/56", "serviceSubnet": "10.96.0.0/16,fd00:20::/112"},
            "controlPlane": {"nodes": [{"name": "cp-1", "address": "fd00:1::11,10.0.0.11"}]},
        },
        [
            "error: spec.controlPlane.nodes[0].address: its API server would advertise IPv6, and the first service"
            " range is IPv4 | put the address of that family first, or the ranges in the other order"
        ],
    ),
    "year-that-no-certificate-has": (
        {"pki": {"issuedAt": "9999-12-31T00:00:00Z"}},
        [
            "error: spec.pki.issuedAt: '9999-12-31T00:00:00Z' is not a date for a certificate"
            " | choose a year from 1970 to 8999"
        ],
    ),
    "numbers-that-are-none": (
        {"kubelet": {"maxPods": float("inf"), "podPidsLimit": float("nan"), "maxOpenFiles": 10**50}},
        [
            f"error: spec.kubelet.{field}: is no finite number, or one that is too large"
            " | leave it out, or use the field's own value for no limit"
            for field in ("maxPods", "podPidsLimit", "maxOpenFiles")
        ],
    ),
    "component-configurations": (
        {
            "kubelet": {"maxPodz": 5, "logging": {"flushFrequency": 5}, "syncFrequency": 5},
            "kubeProxy": {"iptables": {"masqueradeAll": "yes"}, "nodePortAddresses": "primary"},
            "controlPlane": {**ONE, "kubelet": {"evictionHard": {"memory.available": 100}}},
            "bootstrapTokens": TOKEN,
            "nodePools": [{**WORKERS[0], "kubelet": {"maxPods": "lots"}}],
        },
        [
            "error: spec.controlPlane.kubelet.evictionHard['memory.available']: must be a string, not the number 100"
            " | put it in quotes",
            "warning: spec.kubelet.maxPodz: unknown field of KubeletConfiguration | did you mean maxPods?",
            "error: spec.kubelet.syncFrequency: must be a duration such as 10s, not the number 5"
            " | add the unit, for example 5s",
            "error: spec.kubeProxy.iptables.masqueradeAll: must be true or false, not a string | for example true",
            "error: spec.kubeProxy.nodePortAddresses: must be a list of strings, not a string | put it in brackets",
            "error: spec.nodePools[0].kubelet.maxPods: must be a whole number, not a string | for example 10",
        ],
    ),
    "version-that-yaml-reads-as-a-number": (
        {"kubernetesVersion": 1.36},
        [
            "error: spec.kubernetesVersion: must be a string, but YAML reads 1.36 as the number 1.36"
            " | write it as v1.36.2"
        ],
    ),
    "no-boolean": (
        {"controlPlane": {**ONE, "bootstrapped": "maybe"}},
        ["error: spec.controlPlane.bootstrapped: must be true or false, not a string | write true or false"],
    ),
    "boolean-in-quotes": (
        {"controlPlane": {**ONE, "bootstrapped": "true"}},
        ["error: spec.controlPlane.bootstrapped: must be true or false, not a string | leave out the quotes"],
    ),
    "name-that-is-too-long": (
        {"controlPlane": {"nodes": [{"name": "a" * 300, "address": "10.0.0.11"}]}},
        [
            "error: spec.controlPlane.nodes[0].name: a name of 300 characters is too long"
            " | use 253 at most, 63 between two dots"
        ],
    ),
    "path-type": (
        {"apiServer": {"extraVolumes": [{"name": "a", "hostPath": "/a", "mountPath": "/a", "pathType": "Foo"}]}},
        [
            "error: spec.apiServer.extraVolumes[0].pathType: 'Foo' is not one of the values allowed here"
            " | use one of DirectoryOrCreate, Directory, FileOrCreate, File, Socket, CharDevice, BlockDevice"
        ],
    ),
    "unknown-field-without-a-neighbour": (
        {"dns": {"zzz": 1}},
        ["error: spec.dns.zzz: unknown field | fields here are disabled, imageRepository, imageTag"],
    ),
    "manifest-outside": (
        {"manifests": ["../../etc/passwd"]},
        [
            "error: spec.manifests[0]: '../../etc/passwd' is not a path below the spec's directory"
            " | write it relative, without '..'",
        ],
    ),
    "manifest-missing": (
        {"manifests": ["addons/nothing.yaml"]},
        [
            "error: spec.manifests[0]: addons/nothing.yaml: cannot read the file: No such file or directory"
            " | correct the name, or put the file there"
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rule(name: str, tmp_path: Path) -> None:
    fields, expected = CASES[name]
    assert problems(tmp_path, minimal(RECIPIENT, **fields)) == expected


def test_dates_are_warned_about(tmp_path: Path) -> None:
    future = minimal(RECIPIENT, pki={"issuedAt": "2999-01-01T00:00:00Z"})
    past = minimal(RECIPIENT, pki={"issuedAt": "2020-01-01T00:00:00Z"})
    assert problems(tmp_path, future) == [
        "warning: spec.pki.issuedAt: 2999-01-01T00:00:00Z is in the future: the certificates are not valid yet"
        " | use today's date, or wait"
    ]
    (warning,) = problems(tmp_path, past)
    assert warning.startswith(
        "warning: spec.pki.issuedAt: the leaf certificates have expired since 2020-12-31T00:05:00Z | renew them all: "
    )


def test_a_valid_spec_and_its_secrets_are_valid(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    result = succeed(workspace.run("validate", "c.yaml", "c.secrets.yaml", identity=None))
    assert (result.out, result.err) == ("2 files are valid\n", "")


def test_a_description_says_in_the_readme_what_it_says(make_cluster: MakeCluster) -> None:
    text = "<img src=x onerror=y> [a](https://b.example) *c* `d` | e\\ @team &amp;"
    token = {"id": "abcdef", "expires": "2999-01-01T00:00:00Z", "description": text}
    tree = make_cluster(bootstrapTokens=[token]).build()
    (row,) = [line for line in (tree / "README.md").read_text().splitlines() if line.startswith("| abcdef |")]
    assert row == (
        "| abcdef | 2999-01-01T00:00:00Z | &lt;img src=x onerror=y&gt; \\[a\\](https:&#47;/b.example)"
        " \\*c\\* \\`d\\` \\| e\\\\ &#64;team &amp;amp; |"
    )


def test_a_version_jump_against_the_standing_tree_is_refused(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(kubernetesVersion="v1.34.2")
    workspace.build()
    before = (workspace.tree / "kcompile.json").read_bytes()
    workspace.write_spec(minimal(workspace.recipient, kubernetesVersion="v1.36.2"))
    result = workspace.run("build", "c.yaml")
    assert (result.code, result.err) == (
        2,
        "c.yaml:6:22: spec.kubernetesVersion: the tree at out/test is for v1.34.2: "
        "Kubernetes goes up one minor at a time [K0630]\n"
        "    6 |   kubernetesVersion: v1.36.2\n"
        "      |                      ^^^^^^^\n"
        "   hint: build the minor between first, or pass --allow-version-jump for a cluster that does not run yet\n",
    )
    assert (workspace.tree / "kcompile.json").read_bytes() == before
    succeed(workspace.run("build", "c.yaml", "--allow-version-jump"))


SECRET = """apiVersion: v1
kind: ConfigMap
metadata: {name: a}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: b}
  stringData: {password: hunter2}
"""


def test_a_secret_among_the_manifests_does_not_go_into_the_tree_in_plain_text(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(secrets=False, manifests=["objects.yaml"])
    (workspace.path / "objects.yaml").write_text("")
    succeed(workspace.run("secrets", "create", "c.yaml"))
    (workspace.path / "objects.yaml").write_text(SECRET)
    for command in ("validate", "build"):
        refused = workspace.run(command, "c.yaml")
        assert (refused.code, refused.err) == (
            2,
            "objects.yaml:8:3: a Secret whose stringData would stand in plain text in the tree [K0810]\n"
            "   hint: encrypt the file with sops (Flux opens it), or make the Secret in the cluster\n",
        )
    (workspace.path / "objects.yaml").write_text(SECRET.replace("hunter2", '"ENC[AES256_GCM,data:x]"'))
    workspace.build()
    (workspace.path / "objects.yaml").write_text(workspace.secrets.read_text())
    refused = workspace.run("build", "c.yaml")
    assert refused.err.splitlines()[0] == (
        "objects.yaml:1:1: not an object for the cluster but a file of kcompile's own [K0809]"
    )


def test_a_damaged_data_key_is_told_apart_from_one_for_others(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    text = workspace.secrets.read_text()
    begin = text.index("-----BEGIN AGE ENCRYPTED FILE-----")
    body = text.index("YWdl", begin)
    workspace.secrets.write_text(f"{text[: body + 8]}AAAA{text[body + 12 :]}")
    result = workspace.run("build", "c.yaml")
    message = f"no identity opens this file, and its data key for {workspace.recipient} is damaged [K0902]"
    hint = "   hint: restore the file from git\n"
    assert (result.code, result.out, result.err) == (3, "", f"c.secrets.yaml:1:1: {message}\n{hint}")


def test_init_points_into_no_file_that_is_not_there(tmp_path: Path) -> None:
    nodes = ("--control-plane=a=10.0.0.1", "--control-plane=b=10.0.0.2")
    result = kcompile("init", "c.yaml", *nodes, "--recipient", RECIPIENT, cwd=tmp_path)
    message = "spec.controlPlaneEndpoint: is required with more than one control-plane node [K0412]"
    assert (result.code, result.err.splitlines()[0], list(tmp_path.iterdir())) == (2, message, [])


def test_init_says_that_sops_would_go_by_other_recipients(tmp_path: Path) -> None:
    (tmp_path / ".sops.yaml").write_text("creation_rules: [{age: age1other}]\n")
    arguments = ("--control-plane=a=10.0.0.1", "--worker=w=10.0.1.1", "--recipient", RECIPIENT)
    result = succeed(kcompile("init", "c.yaml", *arguments, cwd=tmp_path))
    assert result.out.splitlines()[2:] == [
        f".sops.yaml: stands already and does not name {RECIPIENT}, which sops goes by: add it",
        "next: kcompile build c.yaml",
    ]
    token = yaml.safe_load((tmp_path / "c.yaml").read_text())["spec"]["bootstrapTokens"][0]
    assert sorted(token) == ["expires", "id"]
    assert succeed(kcompile("build", "c.yaml", cwd=tmp_path)).err == ""


def test_a_circle_of_links_is_no_missing_secrets_file(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(secrets=False)
    workspace.secrets.symlink_to(workspace.secrets.name)
    for command in ("validate", "build"):
        result = workspace.run(command, "c.yaml")
        says = "c.secrets.yaml:1:1: cannot read the file: Too many levels of symbolic links [K0101]\n"
        hint = "   hint: its symbolic links lead in a circle: put the file itself there\n"
        assert (result.code in (2, 3), result.out, result.err) == (True, "", says + hint)


def test_validate_sees_that_the_recipients_differ(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    other = "age103fctupk7t7k3d3cnta5ag0wals9cwmutag4wx6gfzxjlx27aejsac7rcf"
    document = yaml.safe_load(workspace.spec.read_text())
    document["spec"]["secrets"]["recipients"] = [other]
    workspace.write_spec(document)
    found = {command: workspace.run(command, "c.yaml") for command in ("validate", "build")}
    assert found["validate"].err == found["build"].err
    assert (
        found["validate"]
        .err.splitlines()[0]
        .endswith(
            f"warning: spec.secrets.recipients: the secrets file is not sealed for {other}, and is sealed for "
            f"{workspace.recipient} [K0919]"
        )
    )


_MENDS_OF_A_KEY = "with `sops edit`, put the key back, or set state: active on one that has its key"


def test_a_service_account_key_that_is_gone_is_met_by_validate(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    run(
        tool("sops"),
        "unset",
        workspace.secrets,
        '["serviceAccountKeys"][0]["key"]',
        env=clean_environment(SOPS_AGE_KEY=workspace.identity),
    )
    result = workspace.run("validate", "c.yaml", "c.secrets.yaml")
    line, hint = result.err.splitlines()  # once, though both files were named
    assert hint == f"   hint: {_MENDS_OF_A_KEY}"
    assert result.code == 2
    assert line.endswith(
        "serviceAccountKeys[0]: has no key, and service account tokens are signed with it: restore it [K0908]"
    )


def opened(workspace: Workspace) -> dict[str, Any]:
    env = clean_environment(SOPS_AGE_KEY=workspace.identity)
    document: dict[str, Any] = yaml.safe_load(run(tool("sops"), "decrypt", workspace.secrets, env=env))
    return document


def changed(workspace: Workspace, path: str, value: object) -> list[str]:
    """What a build says when one value of the secrets file was changed with sops."""
    before = workspace.secrets.read_bytes()
    env = clean_environment(SOPS_AGE_KEY=workspace.identity)
    run(tool("sops"), "set", workspace.secrets, path, json.dumps(value), env=env)
    result = workspace.run("build", "c.yaml", "--format", "json")
    workspace.secrets.write_bytes(before)
    assert result.code in (2, 3), result
    return [f"{p['path']}: {p['message']}" for p in json.loads(result.err)["problems"]]


def test_a_secrets_file_that_does_not_hold_together_is_refused(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(bootstrapTokens=TOKEN)
    other = opened(make_cluster(bootstrapTokens=TOKEN))
    leaf = (workspace.build() / "hosts/cp-1/rootfs/etc/kubernetes/pki/apiserver.crt").read_text()
    authority = '["authorities"]["kubernetes"][0]'
    account = '["serviceAccountKeys"][0]'
    signing = '["manifestSigning"]'
    where = "authorities.kubernetes[0]"
    assert {
        (path, name): changed(workspace, path, value)
        for path, name, value in (
            (f'{authority}["certificate"]', "leaf", leaf),
            (f'{authority}["certificate"]', "nonsense", "x"),
            (f'{authority}["key"]', "other", other["authorities"]["kubernetes"][0]["key"]),
            (f'{authority}["key"]', "nonsense", "x"),
            (f'{authority}["state"]', "trusted", "trusted"),
            (f'{account}["publicKey"]', "nonsense", "x"),
            (f'{account}["publicKey"]', "private", other["serviceAccountKeys"][0]["key"]),
            (f'{account}["key"]', "other", other["serviceAccountKeys"][0]["key"]),
            (f'{signing}["publicKey"]', "other", other["manifestSigning"]["publicKey"]),
            (f'{signing}["key"]', "nonsense", "x"),
            ('["bootstrapTokens"][0]["secret"]', "short", "abc"),
            (f'{authority}["id"]', "number", 12345),
        )
    } == {
        (f'{authority}["certificate"]', "leaf"): [
            f"{where}.certificate: is not the certificate of an authority",
            f"{where}.key: does not belong to the certificate beside it",
        ],
        (f'{authority}["certificate"]', "nonsense"): [f"{where}.certificate: is not a PEM certificate"],
        (f'{authority}["key"]', "other"): [f"{where}.key: does not belong to the certificate beside it"],
        (f'{authority}["key"]', "nonsense"): [f"{where}.key: not a PEM private key without a passphrase"],
        (f'{authority}["state"]', "trusted"): ["authorities.kubernetes: needs exactly one active authority"],
        (f'{account}["publicKey"]', "nonsense"): [
            "serviceAccountKeys[0].key: does not belong to the public key beside it",
            "serviceAccountKeys[0].publicKey: is not a PEM public key",
        ],
        (f'{account}["publicKey"]', "private"): [
            "serviceAccountKeys[0].key: does not belong to the public key beside it",
            "serviceAccountKeys[0].publicKey: is not a PEM public key",
        ],
        (f'{account}["key"]', "other"): ["serviceAccountKeys[0].key: does not belong to the public key beside it"],
        (f'{signing}["publicKey"]', "other"): [
            "manifestSigning.key: is not the Ed25519 key of the public key beside it"
        ],
        (f'{signing}["key"]', "nonsense"): ["manifestSigning.key: is not the Ed25519 key of the public key beside it"],
        ('["bootstrapTokens"][0]["secret"]', "short"): [
            "bootstrapTokens[0].secret: must be 16 lower-case letters and digits"
        ],
        (f'{authority}["id"]', "number"): [f"{where}.id: must be a string"],
    }


def test_rsa_keys_of_another_size_are_not_taken(make_cluster: MakeCluster) -> None:
    workspace = make_cluster(pki={"issuedAt": "2026-11-23T00:00:00Z", "encryptionAlgorithm": "RSA-2048"})
    document = yaml.safe_load(workspace.spec.read_text())
    document["spec"]["pki"]["encryptionAlgorithm"] = "RSA-3072"
    workspace.write_spec(document)
    refused = workspace.run("build", "c.yaml", "--format", "json")
    (problem,) = json.loads(refused.err)["problems"]
    assert (refused.code, problem["path"], problem["message"], problem["hint"]) == (
        3,
        "spec.pki.encryptionAlgorithm",
        "the secrets file has a key of another type for cp-1/apiserver and 13 more",
        "remove its entries in leafKeys with `sops edit`, then `kcompile secrets update` makes new ones",
    )


def test_certificates_that_end_with_their_authority_are_warned_about(make_cluster: MakeCluster) -> None:
    workspace = make_cluster()
    document = yaml.safe_load(workspace.spec.read_text())
    document["spec"]["pki"]["issuedAt"] = "2036-11-19T00:00:00Z"
    workspace.write_spec(document)
    result = workspace.run("validate", "c.yaml", "--format", "json")
    found = [p["message"] for p in json.loads(result.err)["problems"] if "on 20" in p["message"]]
    assert [re.sub(r" on \S+,", " on …,", message) for message in found] == [
        "the authorities kubernetes, etcd, front-proxy end on …, and the certificates with them"
    ]


def test_a_node_s_name_may_be_longer_than_a_common_name(make_cluster: MakeCluster) -> None:
    """As with kubeadm: X.520 bounds a common name to 64 characters, Kubernetes a node's name to 253."""
    name = "node-0123456789.region-eu-west-1.zone-a.compute.internal"
    workspace = make_cluster(controlPlane={"nodes": [{"name": name, "address": "10.0.0.11"}]})
    workspace.build()
    pem = workspace.render(name) / "var/lib/kubelet/pki/kubelet-client-current.pem"
    assert f"CN = system:node:{name}" in run(tool("openssl"), "x509", "-noout", "-subject", "-in", pem)


SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: dns, namespace: kube-system}\nspec: {clusterIP: 10.96.0.10}\n"
)


@pytest.mark.parametrize("disabled", [False, True])
def test_the_address_of_cluster_dns_is_free_where_there_is_none(disabled: bool, make_cluster: MakeCluster) -> None:
    workspace = make_cluster(secrets=False, manifests=["dns.yaml"], dns={"disabled": disabled})
    (workspace.path / "dns.yaml").write_text(SERVICE)
    workspace.secrets.touch()
    result = workspace.run("validate", "c.yaml")
    says = "dns.yaml:4:19: 10.96.0.10 is the address of cluster DNS [K0813]"
    assert (says in result.err.splitlines(), "K0813" in result.err) == (not disabled, not disabled)
