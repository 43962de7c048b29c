"""Where a problem is said to be: line, column and carets, for every way in which YAML can be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import SECRETS, kcompile

HEAD = """\
apiVersion: kcompile.dev/v1alpha1
kind: Cluster
metadata: {name: test}
spec:
  pki: {issuedAt: 2026-11-23T00:00:00Z}
  secrets: {recipients: [age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37]}
"""
VERSION = "  kubernetesVersion: v1.36.2\n"
NODES = "  controlPlane: {nodes: [{name: cp-1, address: 10.0.0.11}]}\n"
MANY = ", ".join(f"host-{n}.example" for n in range(40))

CASES: dict[str, tuple[str, str]] = {
    "value": (
        f"{HEAD}{NODES}  kubernetesVersion: v1.27.3   # too old\n",
        "f.yaml:8:22: spec.kubernetesVersion: v1.27.3 is not supported [K0601]\n"
        "    8 |   kubernetesVersion: v1.27.3   # too old\n"
        "      |                      ^^^^^^^\n"
        "   hint: supported are v1.28 to v1.37\n",
    ),
    "key": (
        f"{HEAD}{NODES}{VERSION}  dns: {{disabld: true}}\n",
        "f.yaml:9:9: spec.dns.disabld: unknown field [K0201]\n"
        "    9 |   dns: {disabld: true}\n"
        "      |         ^^^^^^^\n"
        "   hint: did you mean disabled?\n",
    ),
    "key-in-quotes": (
        f'{HEAD}{NODES}{VERSION}  dns:\n    "disabld": true\n',
        "f.yaml:10:5: spec.dns.disabld: unknown field [K0201]\n"
        '   10 |     "disabld": true\n'
        "      |     ^^^^^^^^^\n"
        "   hint: did you mean disabled?\n",
    ),
    "missing": (
        f"{HEAD}{VERSION}  controlPlane:\n    nodes:\n    - name: cp-1\n    - {{address: 10.0.0.12}}\n",
        "f.yaml:10:7: spec.controlPlane.nodes[0].address: is required and missing [K0202]\n"
        "   hint: `kcompile explain spec.controlPlane.nodes[0].address` shows what it is\n"
        "f.yaml:11:7: spec.controlPlane.nodes[1].name: is required and missing [K0202]\n"
        "   hint: `kcompile explain spec.controlPlane.nodes[1].name` shows what it is\n",
    ),
    "missing-from-the-top": (
        "apiVersion: kcompile.dev/v1alpha1\nkind: Cluster\nmetadata: {name: test}\n",
        "f.yaml:1:1: spec: is required and missing [K0202]\n   hint: `kcompile explain spec` shows what it is\n",
    ),
    "item-of-a-block-list": (
        f"{HEAD}{VERSION}{NODES}  apiServer:\n    certSANs:\n    - a.example.com\n    -   b_example\n",
        "f.yaml:12:9: spec.apiServer.certSANs[1]: 'b_example' is neither an IP address nor a DNS name [K0304]\n"
        "   12 |     -   b_example\n"
        "      |         ^^^^^^^^^\n"
        "   hint: use lower-case letters, digits, '-' and '.', beginning and ending with a letter or a digit\n",
    ),
    "flow-over-several-lines": (
        f"{HEAD}{VERSION}{NODES}  apiServer: {{certSANs: [a.example.com,\n      b_example ]}}\n",
        "f.yaml:10:7: spec.apiServer.certSANs[1]: 'b_example' is neither an IP address nor a DNS name [K0304]\n"
        "   10 |       b_example ]}\n"
        "      |       ^^^^^^^^^\n"
        "   hint: use lower-case letters, digits, '-' and '.', beginning and ending with a letter or a digit\n",
    ),
    "block-scalar": (
        f"{HEAD}{VERSION}{NODES}  networking:\n    podSubnet: |-\n      10.244.0.1/16\n",
        "f.yaml:10:16: spec.networking.podSubnet: 10.244.0.1/16 has host bits set [K0328]\n"
        "   10 |     podSubnet: |-\n"
        "      |                ^^\n"
        "   hint: write 10.244.0.0/16\n",
    ),
    "folded-plain-scalar": (
        f"{HEAD}{VERSION}{NODES}  networking:\n    podSubnet: 10.244.0.0/16,\n      fd00::1/48\n",
        "f.yaml:10:16: spec.networking.podSubnet: fd00::1/48 has host bits set [K0328]\n"
        "   10 |     podSubnet: 10.244.0.0/16,\n"
        "      |                ^^^^^^^^^^^^^^\n"
        "   hint: write fd00::/48\n",
    ),
    "anchor": (
        f"{HEAD}{VERSION}  dns: {{imageTag: &tag 'v1 2'}}\n{NODES}  etcd: {{local: {{imageTag: *tag}}}}\n",
        "f.yaml:8:19: spec.dns.imageTag: 'v1 2' is not an image tag [K0323]\n"
        "    8 |   dns: {imageTag: &tag 'v1 2'}\n"
        "      |                   ^^^^^^^^^^^\n"
        "   hint: write it as v1.2.3, without the image's name\n",
    ),
    "merge-key": (
        f"{HEAD}{VERSION}  controlPlane:\n    nodes:\n    - &node {{name: cp-1, address: 10.0.0.300}}\n"
        "    - <<: *node\n      name: cp_2\n",
        "f.yaml:10:35: spec.controlPlane.nodes[0].address: '10.0.0.300' is not an IP address [K0305]\n"
        "   10 |     - &node {name: cp-1, address: 10.0.0.300}\n"
        "      |                                   ^^^^^^^^^^\n"
        "   hint: write it as 10.0.0.11 or fd00::11\n"
        "f.yaml:12:13: spec.controlPlane.nodes[1].name: 'cp_2' is not an RFC 1123 subdomain [K0302]\n"
        "   12 |       name: cp_2\n"
        "      |             ^^^^\n"
        "   hint: use lower-case letters, digits, '-' and '.', beginning and ending with a letter or a digit\n",
    ),
    "alias-of-a-node-that-is-there": (
        f"{HEAD}{VERSION}  controlPlaneEndpoint: api.example.com\n  controlPlane:\n    nodes:\n"
        "    - &node {name: cp-1, address: 10.0.0.11}\n    - *node\n    - {<<: [*node], name: cp-3}\n",
        "f.yaml:12:7: spec.controlPlane.nodes[1].name: the node cp-1 is there already, on line 11 [K0501]\n"
        "   12 |     - *node\n"
        "      |       ^^^^^\n"
        "   hint: give it another\n"
        "f.yaml:12:7: spec.controlPlane.nodes[1].address: the address 10.0.0.11 is there already, on line 11 [K0501]\n"
        "   12 |     - *node\n"
        "      |       ^^^^^\n"
        "   hint: give it another\n"
        "f.yaml:13:13: spec.controlPlane.nodes[2].address: the address 10.0.0.11 is there already, on line 11 [K0501]\n"
        "   13 |     - {<<: [*node], name: cp-3}\n"
        "      |             ^^^^^\n"
        "   hint: give it another\n",
    ),
    "merge-key-twice": (
        f"{HEAD}{VERSION}{NODES}  dns: {{<<: {{disabled: true}}, <<: {{imageTag: v1}}}}\n",
        "f.yaml:9:31: spec.dns['<<']: the key stands here a second time; the first is on line 9 [K0109]\n"
        "    9 |   dns: {<<: {disabled: true}, <<: {imageTag: v1}}\n"
        "      |                               ^^\n"
        "   hint: write <<: [*one, *other]\n",
    ),
    "several-fields-of-one-parent": (
        f"{HEAD}{VERSION}  controlPlane: {{nodes: [{{}}]}}\n",
        "f.yaml:8:26: spec.controlPlane.nodes[0].name: is required and missing [K0202]\n"
        "   hint: `kcompile explain spec.controlPlane.nodes[0].name` shows what it is\n"
        "f.yaml:8:26: spec.controlPlane.nodes[0].address: is required and missing [K0202]\n"
        "   hint: `kcompile explain spec.controlPlane.nodes[0].address` shows what it is\n",
    ),
    "crlf": (
        f"{HEAD}{VERSION}{NODES}  dns: {{disabled: perhaps}}\n".replace("\n", "\r\n"),
        "f.yaml:9:19: spec.dns.disabled: must be true or false, not a string [K0203]\n"
        "    9 |   dns: {disabled: perhaps}\n"
        "      |                   ^^^^^^^\n"
        "   hint: write true or false\n",
    ),
    "carriage-returns-alone": (
        f"{HEAD}{VERSION}{NODES}  dns: {{disabled: perhaps}}\n".replace("\n", "\r"),
        "f.yaml:9:19: spec.dns.disabled: must be true or false, not a string [K0203]\n"
        "    9 |   dns: {disabled: perhaps}\n"
        "      |                   ^^^^^^^\n"
        "   hint: write true or false\n",
    ),
    "byte-order-mark": (
        "\ufeffapiVersion: kcompile.dev/v1\n" + HEAD.split("\n", 1)[1] + VERSION + NODES,
        "f.yaml:1:13: apiVersion: 'kcompile.dev/v1' is not one of the values allowed here [K0205]\n"
        "    1 | apiVersion: kcompile.dev/v1\n"
        "      |             ^^^^^^^^^^^^^^^\n"
        "   hint: use kcompile.dev/v1alpha1\n",
    ),
    "tab-before-a-value": (
        f"{HEAD}{VERSION}{NODES}  dns: {{disabled:\tperhaps}}\n",
        "f.yaml:9:19: spec.dns.disabled: must be true or false, not a string [K0203]\n"
        "    9 |   dns: {disabled:   perhaps}\n"
        "      |                     ^^^^^^^\n"
        "   hint: write true or false\n",
    ),
    "wide-characters": (
        f"{HEAD}{VERSION}{NODES}  dns: {{imageTag: 標籤, disabled: perhaps}}\n",
        "f.yaml:9:19: spec.dns.imageTag: '標籤' is not an image tag [K0323]\n"
        "    9 |   dns: {imageTag: 標籤, disabled: perhaps}\n"
        "      |                   ^^^^\n"
        "   hint: write it as v1.2.3, without the image's name\n"
        "f.yaml:9:33: spec.dns.disabled: must be true or false, not a string [K0203]\n"
        "    9 |   dns: {imageTag: 標籤, disabled: perhaps}\n"
        "      |                                   ^^^^^^^\n"
        "   hint: write true or false\n",
    ),
    "combining-characters": (
        f"{HEAD}{VERSION}{NODES}  dns: {{imageTag: 'e\u0301', disabled: perhaps}}\n",
        "f.yaml:9:19: spec.dns.imageTag: 'e\u0301' is not an image tag [K0323]\n"
        "    9 |   dns: {imageTag: 'e\u0301', disabled: perhaps}\n"
        "      |                   ^^^\n"
        "   hint: write it as v1.2.3, without the image's name\n"
        "f.yaml:9:35: spec.dns.disabled: must be true or false, not a string [K0203]\n"
        "    9 |   dns: {imageTag: 'e\u0301', disabled: perhaps}\n"
        "      |                                  ^^^^^^^\n"
        "   hint: write true or false\n",
    ),
    "a-line-that-is-too-long-to-show": (
        f"{HEAD}{VERSION}{NODES}  apiServer: {{certSANs: [{MANY}, x_y]}}\n",
        "f.yaml:9:696: spec.apiServer.certSANs[40]: 'x_y' is neither an IP address nor a DNS name [K0304]\n"
        "    9 | …example, host-37.example, host-38.example, host-39.example, x_y]}\n"
        "      |                                                              ^^^\n"
        "   hint: use lower-case letters, digits, '-' and '.', beginning and ending with a letter or a digit\n",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_position(name: str, tmp_path: Path) -> None:
    text, says = CASES[name]
    (tmp_path / "f.yaml").write_bytes(text.encode())
    (tmp_path / "f.secrets.yaml").write_bytes(SECRETS.read_bytes())
    result = kcompile("validate", "f.yaml", cwd=tmp_path)
    assert (result.err, result.code) == (says, 2)
