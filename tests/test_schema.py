"""The JSON schema of the spec: what an editor takes from it, and that it says what the models say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest
import regress
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kcompile import configuration_fields, configuration_meanings, fields, go_fields, load, names, schema, spec
from kcompile.errors import Problem, Severity, SpecError
from kcompile.fields import field_help
from kcompile.rules.settings import configuration_values_are_read

from conftest import ALL_EXAMPLES, ROOT, kcompile, minimal, run, succeed, tool
from strategies import RECIPIENT, SSH_RECIPIENT, VALID, near_specs, near_texts, valid_specs

FILE = ROOT / "schemas" / "cluster.schema.json"
SCHEMA = json.loads(FILE.read_text())
MODELS = [model for model in vars(spec).values() if isinstance(model, type) and issubclass(model, spec.Model)][1:]


def bounded(examples: int) -> settings:
    """The same examples in every run, as many as are said."""
    quiet = list(HealthCheck)
    return settings(max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=quiet)


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and regress.Regex(pattern, flags="u").find(instance) is None:
        yield jsonschema.ValidationError(f"{instance!r} is not of the pattern")


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})
"""With regular expressions of ECMA-262, as the standard asks for, and not Python's."""


def validator(part: dict[str, Any]) -> Any:
    """Of a part of the schema, with what it refers to."""
    return Validator({**part, "$defs": SCHEMA["$defs"]})


def properties() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of every mapping, by its place."""
    for name, definition in {"Cluster": SCHEMA, **SCHEMA["$defs"]}.items():
        for field, content in definition["properties"].items():
            yield f"{name}.{field}", content


# --- the file -----------------------------------------------------------------------------------------


def test_the_committed_schema_is_what_the_command_prints() -> None:
    assert succeed(kcompile("schema")).out == FILE.read_text()


def test_it_is_a_schema_of_draft_2020_12() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_check_jsonschema_accepts_the_examples() -> None:
    examples = sorted(path for path in (ROOT / "clusters").glob("*.yaml") if not path.name.endswith(".secrets.yaml"))
    assert sorted(path.stem for path in examples) == sorted(ALL_EXAMPLES)
    assert run(tool("check-jsonschema"), "--schemafile", FILE, *examples) == "ok -- validation done\n"


def test_check_jsonschema_names_what_is_wrong(tmp_path: Path) -> None:
    document = minimal(RECIPIENT, networking={"podSubnet": "10.244.0.0"}, kubelet={"maxPods": "many"}, dnss={})
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(document))
    out = run(tool("check-jsonschema"), "--schemafile", FILE, "-o", "json", tmp_path / "c.yaml", code=1)
    assert sorted(error["path"] for error in json.loads(out)["errors"]) == [
        "$.spec",
        "$.spec.kubelet.maxPods",
        "$.spec.networking.podSubnet",
    ]


# --- what an editor shows -----------------------------------------------------------------------------


def test_every_mapping_and_every_property_has_a_description() -> None:
    definitions = {"Cluster": SCHEMA, **SCHEMA["$defs"]}
    assert [name for name, definition in definitions.items() if not definition["description"].endswith(".")] == []
    assert [name for name, content in properties() if not content.get("description", "").endswith(".")] == []


def test_meanings_are_of_fields_that_components_have() -> None:
    known = configuration_fields.structs()
    tables = (configuration_meanings.MEANINGS, configuration_meanings.DEFAULTS, configuration_meanings.EXAMPLES)
    assert [(s, f) for table in tables for s, fields in table.items() for f in fields if f not in known[s]] == []


def test_defaults_and_examples_of_configurations_are_read_by_the_components() -> None:
    faults = [
        (struct, name, fault)
        for table in (configuration_meanings.DEFAULTS, configuration_meanings.EXAMPLES)
        for struct, fields in table.items()
        for name, value in fields.items()
        for fault in go_fields.check(configuration_fields.structs(), struct, {name: as_loaded(value)})
    ]
    assert faults == []


def test_of_which_fields_of_configurations_it_is_not_said_what_they_mean() -> None:
    fields = [(struct, name) for struct, of in configuration_fields.structs().items() for name in of]
    without = [name for struct, name in fields if name not in configuration_meanings.MEANINGS.get(struct, ())]
    assert (len(fields), len(without)) == (226, 39)
    assert "maxPods" not in without


def test_every_field_of_the_spec_has_examples() -> None:
    of_models = {model.__name__ for model in MODELS}
    without = [name for name, content in properties() if not content.get("examples")]
    assert [name for name in without if name.partition(".")[0] in of_models] == []


def test_examples_and_defaults_are_of_their_own_schema() -> None:
    wrong = [
        (name, value)
        for name, content in properties()
        for value in [*content.get("examples", ()), *([content["default"]] if "default" in content else [])]
        if not validator(content).is_valid(value)
    ]
    assert wrong == []


def test_examples_go_through_the_models() -> None:
    for model in MODELS:
        for name, info in model.model_fields.items():
            adapter = TypeAdapter(Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation)
            place = schema.document() if model is spec.Cluster else schema.document()["$defs"].get(model.__name__)
            for example in place["properties"][info.alias or name]["examples"] if place else ():
                adapter.validate_python(as_loaded(example), strict=True)


def test_examples_of_configurations_are_read_by_the_components() -> None:
    for place in ("kubelet", "kubeProxy"):
        for example in SCHEMA["$defs"]["ClusterSpec"]["properties"][place]["examples"]:
            assert refusals(as_loaded(minimal(RECIPIENT, **{place: example}))) == []


def test_defaults_are_those_of_the_models() -> None:
    of_models = {model.__name__ for model in MODELS}
    defaults = {
        name: content["default"]
        for name, content in properties()
        if "default" in content and name.partition(".")[0] in of_models
    }
    assert {name: value for name, value in defaults.items() if value not in ({}, [], "", False)} == {
        "BootstrapToken.groups": ["system:bootstrappers:kubeadm:default-node-token"],
        "BootstrapToken.usages": ["signing", "authentication"],
        "ClusterSpec.apiServer": {"extraArgs": {}, "extraEnvs": [], "extraVolumes": [], "certSANs": []},
        "ClusterSpec.controllerManager": {"extraArgs": {}, "extraEnvs": [], "extraVolumes": []},
        "ClusterSpec.dns": {"disabled": False},
        "ClusterSpec.imageRepository": "registry.k8s.io",
        "ClusterSpec.networking": {"serviceSubnet": "10.96.0.0/12", "dnsDomain": "cluster.local"},
        "ClusterSpec.proxy": {"disabled": False},
        "ClusterSpec.scheduler": {"extraArgs": {}, "extraEnvs": [], "extraVolumes": []},
        "ControlPlane.localAPIEndpoint": {"bindPort": 6443},
        "ControlPlane.nodeRegistration": {"kubeletExtraArgs": {}},
        "ControlPlaneNode.nodeRegistration": {"kubeletExtraArgs": {}},
        "LocalApiEndpoint.bindPort": 6443,
        "LocalEtcd.dataDir": "/var/lib/etcd",
        "Networking.dnsDomain": "cluster.local",
        "Networking.serviceSubnet": "10.96.0.0/12",
        "NodePool.credentials": "bootstrapToken",
        "NodePool.nodeRegistration": {"kubeletExtraArgs": {}},
        "Patch.type": "strategic",
        "Pki.caCertificateValidityPeriod": "87600h",
        "Pki.certificateValidityPeriod": "8760h",
        "Pki.certificatesDir": "/etc/kubernetes/pki",
        "Pki.encryptionAlgorithm": "RSA-2048",
        "WorkerNode.nodeRegistration": {"kubeletExtraArgs": {}},
    }


# --- the schema and the models ------------------------------------------------------------------------


NOT_IN_THE_SCHEMA: dict[str, tuple[str, tuple[str, ...], Any]] = {
    r".* has host bits set": (
        "arithmetic on the bits of a range",
        ("spec", "networking", "podSubnet"),
        "10.244.0.0/8",
    ),
    r".* is not written in its canonical form": (
        "which zeros an IPv6 address has to leave out is a question of the longest run of them",
        ("spec", "controlPlane", "nodes", "0", "address"),
        "fd00:0::11",
    ),
    r".* is not a duration": (
        "the sum of its parts: 292 years are the most that Go holds",
        ("spec", "pki", "certificateValidityPeriod"),
        "2562048h",
    ),
    r".* is not a positive duration": (
        "the sum of its parts: what is less than a nanosecond is nothing",
        ("spec", "pki", "certificateValidityPeriod"),
        "0.1ns",
    ),
    r".* is shorter than a second": (
        "the sum of its parts",
        ("spec", "pki", "certificateValidityPeriod"),
        "999ms",
    ),
    r"holds what looks like a secret": (
        "what looks like a secret: a schema would only show it",
        ("spec", "bootstrapTokens"),
        [{"id": "abcdef", "description": "abcdef.0123456789abcdef"}],
    ),
    r"must be a duration such as 10s( or a whole number of nanoseconds)?": (
        "the sum of its parts, in a component's configuration",
        ("spec", "kubelet", "syncFrequency"),
        "2562048h",
    ),
    r"is an IPv4 address written as an IPv6 one": (
        "the same address can be written in many ways",
        ("spec", "controlPlane", "nodes", "0", "address"),
        "::ffff:a04:1",
    ),
    r"is not an age recipient(: its checksum does not fit)?": (
        "the checksum of an age recipient, the bytes of an SSH key",
        ("spec", "secrets", "recipients", "0"),
        RECIPIENT[:-1] + "6",
    ),
    r"is a private key, not a recipient": (
        "what looks like a secret in the comment of an SSH key",
        ("spec", "secrets", "recipients", "0"),
        f"{SSH_RECIPIENT} abcdef.0123456789abcdef",
    ),
    r"Input should be a valid integer|must be a whole number( or .*)?, not the number \S+": (
        "6443.0 is an integer to JSON Schema, and a float to YAML and to Go",
        ("spec", "controlPlane", "localAPIEndpoint", "bindPort"),
        6443.0,
    ),
}
"""What the models refuse and the schema cannot: the message, why, and a case of it. Nothing else differs."""


def as_loaded(document: Any) -> Any:
    """A document as load.parse gives it, from YAML in which what a file may not hold as it is stands escaped."""
    found = load.parse("c.yaml", yaml.dump(document, Dumper=yaml.CSafeDumper).encode())
    assert found.problems == ()
    return found.data


def refusals(data: Any) -> list[str]:
    """What the models have against a document, and what the components have against their configurations."""
    try:
        cluster = spec.Cluster.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        real = [e for e in found if e["type"] != "too_short" or not e["input"]]  # not "all items were refused"
        return [str(e.get("ctx", {}).get("error") or e["msg"]) for e in real]
    newest = cluster.spec.model_copy(update={"kubernetes_version": "v1.37.0"})  # the schema is of all minors together
    cluster = cluster.model_copy(update={"spec": newest})
    return [p.message for p in configuration_values_are_read(cluster) if p.severity is Severity.ERROR]


@bounded(200)
@given(valid_specs())
def test_the_schema_accepts_what_the_models_accept(document: dict[str, Any]) -> None:
    data = as_loaded(document)
    assert refusals(data) == []
    assert [f"{error.json_path}: {error.message}" for error in validator(SCHEMA).iter_errors(schema.plain(data))] == []


@bounded(600)
@given(near_specs())
def test_the_schema_and_the_models_differ_only_in_what_is_written(document: dict[str, Any]) -> None:
    data = as_loaded(document)
    against = refusals(data)
    refused = next(validator(SCHEMA).iter_errors(schema.plain(data)), None)
    if refused is not None:
        assert against != [], f"only the schema refuses {refused.json_path}: {refused.message}"
    else:
        known = "|".join(f"(?:{message})" for message in NOT_IN_THE_SCHEMA)
        assert [message for message in against if not re.fullmatch(known, message, re.DOTALL)] == []


@pytest.mark.parametrize("check", sorted(VALID))
def test_a_pattern_is_its_check(check: str) -> None:
    """Each check alone, where many more cases can be tried than in whole specs."""
    part, known = validator(schema._CHECKS[check]), "|".join(NOT_IN_THE_SCHEMA)

    @bounded(400)
    @given(near_texts(check))
    def holds(text: str) -> None:
        said = None
        try:
            getattr(names, check)(text)
        except names.Invalid as error:
            said = str(error)
        if said is None or not re.fullmatch(known, said, re.DOTALL):
            assert part.is_valid(text) == (said is None), said

    holds()


def test_every_check_has_a_pattern_and_valid_texts_to_start_from() -> None:
    assert sorted(VALID) == sorted(schema._CHECKS)
    assert {
        check: [text for text in texts if getattr(names, check)(text) is None] for check, texts in VALID.items()
    } == {check: [] for check in VALID}


@pytest.mark.parametrize("message", NOT_IN_THE_SCHEMA)
def test_nothing_is_written_as_a_difference_that_is_none(message: str) -> None:
    _, path, value = NOT_IN_THE_SCHEMA[message]
    document = minimal(RECIPIENT)
    place: Any = document
    for key in path[:-1]:
        place = place[int(key)] if isinstance(place, list) else place.setdefault(key, {})
    place[int(path[-1]) if isinstance(place, list) else path[-1]] = value
    assert validator(SCHEMA).is_valid(document)
    (said,) = refusals(as_loaded(document))
    assert re.fullmatch(message, said)


@bounded(100)
@given(
    st.sampled_from(["a.", "a-", "1:", "/a", "1h", "a/"]), st.integers(50, 400), st.sampled_from(["", "_", "!", "\n"])
)
def test_no_pattern_takes_long_to_say_no(piece: str, count: int, end: str) -> None:
    for part in schema._CHECKS.values():
        if "pattern" in part:
            regress.Regex(part["pattern"], flags="u").find(piece * count + end)


# --- in words -----------------------------------------------------------------------------------------

HELP = {
    "spec.kubelet.maxPods": """\
FIELD:    spec.kubelet.maxPods
TYPE:     integer
DEFAULT:  110

DESCRIPTION:
  How many pods the node runs at most.

ALLOWED VALUES:
  from -2147483648 to 2147483647

EXAMPLE:
  maxPods: 200
""",
    "spec.controlPlane.nodes": """\
FIELD:    spec.controlPlane.nodes
TYPE:     []ControlPlaneNode -required-

DESCRIPTION:
  The control-plane nodes, one at the least. With stacked etcd choose an odd number; several need
  spec.controlPlaneEndpoint.

ALLOWED VALUES:
  1 or more

EXAMPLE:
  nodes: [{name: cp-1, address: 10.0.0.11}]

FIELDS:
  name <string> -required-
    The node's name in the cluster and of its directory below hosts/, once in a cluster.
  address <string> -required-
    The advertise address; a second one of the other family, after a comma, for dual stack.
  nodeRegistration <NodeRegistration>
    How the node registers itself: runtime socket, taints, kubelet flags.
  labels <map[string]string>
    Labels of the node, merged over those of the level above.
  taints <[]Taint>
    Short for nodeRegistration.taints.
  kubelet <KubeletConfiguration>
    KubeletConfiguration fields, merged over those of the level above.
  kubeletVersion <string>
    The kubelet that these nodes run, where it is not yet the cluster's version: three minors older
    at most.
  localAPIEndpoint <LocalApiEndpoint>
    Where this node's API server listens.
  certSANs <[]string>
    Further names and addresses in this API server's serving certificate, beside those of
    apiServer.certSANs.
  recipient <string>
    The node's own key: its age recipient (age1…) or SSH host key (ssh-ed25519, ssh-rsa).
""",
    "spec.controlPlane.nodes[0].recipient": """\
FIELD:    spec.controlPlane.nodes[0].recipient
TYPE:     string

DESCRIPTION:
  The node's own key: its age recipient (age1…) or SSH host key (ssh-ed25519, ssh-rsa). With it the
  node opens what is sealed for it, and nothing else; without it, only spec.secrets.recipients do.
  See `kcompile secrets update`.

ALLOWED VALUES:
  a recipient: age1…, ssh-ed25519 AAAA… or ssh-rsa AAAA…

EXAMPLE:
  recipient: age103fctupk7t7k3d3cnta5ag0wals9cwmutag4wx6gfzxjlx27aejsac7rcf
""",
    "spec.controlPlane.nodes[0].address": """\
FIELD:    spec.controlPlane.nodes[0].address
TYPE:     string -required-

DESCRIPTION:
  The advertise address; a second one of the other family, after a comma, for dual stack.

ALLOWED VALUES:
  an address such as 10.0.0.11 or fd00::11, or one of each family separated by a comma

EXAMPLE:
  address: 10.0.0.11
  address: "10.0.0.11,fd00::11"
""",
    "spec.pki.encryptionAlgorithm": """\
FIELD:    spec.pki.encryptionAlgorithm
TYPE:     string
DEFAULT:  RSA-2048

DESCRIPTION:
  Key type of every certificate. ECDSA keys are derived and need no entry of their own in the
  secrets file.

ALLOWED VALUES:
  RSA-2048, RSA-3072, RSA-4096, ECDSA-P256, ECDSA-P384

EXAMPLE:
  encryptionAlgorithm: ECDSA-P256
""",
    "spec.networking": """\
FIELD:    spec.networking
TYPE:     Networking
DEFAULT:  {serviceSubnet: 10.96.0.0/12, dnsDomain: cluster.local}

DESCRIPTION:
  The ranges of pods and services, and the cluster's DNS domain.

EXAMPLE:
  networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}

FIELDS:
  podSubnet <string>
    Range of the pods (CIDR), or a comma-separated pair of an IPv4 and an IPv6 range for dual stack.
  serviceSubnet <string>
    Range of the services (CIDR), or a comma-separated pair for dual stack.
  dnsDomain <string>
    Domain of the cluster's own DNS names: a service is NAME.NAMESPACE.svc.DOMAIN.
""",
}


@pytest.mark.parametrize("path", HELP)
def test_a_field_in_words(path: str) -> None:
    assert field_help(path) == HELP[path]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("spec.controlPlane.node", "did you mean spec.controlPlane.nodes?"),
        ("controlPlane.nodes", "did you mean spec.controlPlane.nodes?"),
        ("spec.networking.podsubnet", "did you mean spec.networking.podSubnet?"),
        ("spec.controlPlane.nodes[0].adress", "did you mean spec.controlPlane.nodes.address?"),
        ("spec.kubelet.maxPod", "did you mean spec.kubelet.maxPods?"),
        ("spec.pki.issuedAt.year", "did you mean spec.pki.issuedAt?"),
        (
            "bindPort",
            "did you mean spec.controlPlane.localAPIEndpoint.bindPort"
            " or spec.controlPlane.nodes.localAPIEndpoint.bindPort?",
        ),
        ("zzz", "fields here are apiVersion, kind, metadata, spec"),
        ("nodes[0", "fields here are apiVersion, kind, metadata, spec"),
    ],
)
def test_a_field_that_is_not_there(path: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        field_help(path)
    assert caught.value.problems == (Problem("K1014", f"the spec has no field {path}", hint=hint),)


def test_no_field_at_all() -> None:
    with pytest.raises(SpecError) as caught:
        field_help("")
    assert caught.value.problems == (
        Problem("K1014", "no field is named", hint="name one, for example spec.controlPlane.nodes"),
    )


def test_every_field_has_words() -> None:
    every = list(fields._paths(SCHEMA, "", SCHEMA["$defs"]))
    assert len(every) > 900
    assert [path for path in every if "DESCRIPTION:" not in field_help(path)] == []
