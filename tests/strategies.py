"""Hypothesis strategies: valid specs over all fields of the models, and specs and texts that are nearly valid."""

from __future__ import annotations

import copy
import types
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from pydantic import BaseModel

from kcompile import configuration_fields, spec

RECIPIENT = "age1qsywhdarwwwdfw4238pvcdvdch8x506kx5t7denc39eh4w0cfqssraun37"
SSH_RECIPIENT = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
LONG_NAME = ".".join(["a" * 63] * 3 + ["b" * 61])

VALID: dict[str, tuple[str, ...]] = {
    "absolute_path": ("/etc/kubernetes", "/a/.b/..c/...", "/a b"),
    "address_list": (
        *("10.0.0.11", "fd00::11", "10.0.0.11,fd00::11", "fd00::1 , 10.0.0.1", "::", "1::", "::1"),
        *("255.255.255.255", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:0", "1:0:2:3:4:5:6:7", "1::2:0:0:3", "::ffff:102:304:0"),
    ),
    "age_recipient": (RECIPIENT, SSH_RECIPIENT, f"{SSH_RECIPIENT} alice@host"),
    "cluster_name": ("prod", "a-b", "a" * 63),
    "cri_socket": ("unix:///run/containerd/containerd.sock", "unix:///"),
    "dns_subdomain": ("cp-1", "a.b.c", "1.2.3", LONG_NAME),
    "duration": ("8760h", "1h30m", "1.5h", "1s.5s", "+1.h", "1h100us", "1h1µs", "1h1μs", "1h2ns", "2562047h"),
    "endpoint": (
        *("api.example.com:6443", "10.0.0.1:6443", "[fd00::10]:6443", "FD00::1", "[::1]", "a:65535", "a:006443"),
        *("[1::1.2.3.4]:1", "api.example.com", "1:2:3:4:5:6:1.2.3.4", "1::1.2.3.4", f"{LONG_NAME}:1"),
    ),
    "env_name": ("GODEBUG", "_a.b-c", "-a"),
    "env_value": ("", "x509sha1=0", "a\tb\nc", "$(A)"),
    "flag_name": ("audit-log-path", "v", "node-labels", "9.a-b"),
    "free_text": ("", "hello, world", "a\tb", "é\u3000😀"),
    "image_repository": ("registry.k8s.io", "registry.example.com:5000/k8s/x_y", "R.io/a-b..c__d/e"),
    "image_tag": ("3.6.9-0", "v1.12.0", "_", "a" * 128),
    "kubernetes_version": ("v1.36.2", "v1.0.0", "v1.30.10"),
    "label_key": ("dedicated", "example.com/name", "a" * 63, f"{LONG_NAME}/A_b.c-d"),
    "label_value": ("", "storage", "A_b.c-d", "a" * 63),
    "one_line": ("", "hello, world", "a\tb", "é\u3000😀"),
    "relative_path": ("addons/cilium.yaml", "a/.b/..c/...", "a b"),
    "subject_alt_name": (
        *("api.example.com", "*.example.com", "10.0.0.10", "FD00::0001", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4"),
        *("1:2:3:4:5::1.2.3.4", "::1:2:3:4:5:1.2.3.4", "1::2:1.2.3.4", "1:2:3:4:5:6:7::", LONG_NAME, f"*.{LONG_NAME}"),
    ),
    "subnet_list": (
        *("10.244.0.0/16", "10.96.0.0/16,fd00:20::/112", "fd00:20::/112 ,\t10.96.0.0/16", "::/0", "0.0.0.0/0"),
        *("fd00::/8", "10.0.0.1/32", "1:2:3:4:5:6:7:8/128"),
    ),
    "taint_effect": ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    "timestamp": ("2026-11-23T00:00:00Z", "2024-02-29T23:59:59Z", "1970-01-01T00:00:00Z", "8999-12-31T00:00:00Z"),
    "token_group": ("system:bootstrappers:kubeadm:default-node-token", "system:bootstrappers:a"),
    "token_id": ("abcdef", "012345"),
    "url": ("https://10.0.0.1:2379", "http://[fd00::1]:2379", "https://etcd.example.com"),
}
"""Texts that each check of ``names`` takes, at the edges of what it takes."""

_GO: dict[str, SearchStrategy[Any]] = {
    "string": st.sampled_from(("", "Webhook", "10.0.0.0/8")),
    "bool": st.booleans(),
    "int32": st.sampled_from((0, 110, -(2**31), 2**31 - 1)),
    "int64": st.sampled_from((0, -1, -(2**63), 2**63 - 1)),
    "uint32": st.sampled_from((0, 2**32 - 1)),
    "float32": st.sampled_from((0, 0.5, 5, -3.4028234663852886e38)),
    "float64": st.sampled_from((0, 0.9, 1e300)),
    "Duration": st.sampled_from(("0", "10s", "-1h30m", "+.5s", "1m0.5s")),
    "TimeOrMetaDuration": st.sampled_from(("5s", 0, 5_000_000_000)),
    "Quantity": st.sampled_from(("1Gi", "500m", "1e3", "+.5E-3", "5.", 2, 0.5)),
    "Time": st.sampled_from(
        ("2026-11-23T00:00:00Z", "2024-02-29T00:00:00.123456789+01:00", "0001-01-01T00:00:00-23:59")
    ),
}
_CONFIGURATIONS = {"kubelet": "KubeletConfiguration", "kube_proxy": "KubeProxyConfiguration"}
_ODD = (None, True, False, 0, 1, 1.0, -1, 0.5, 65536, 6443.0, 2**31, 2**63, 1e300, "", "x", "1", "true", "~")
_ODD_SHAPES = ([], {}, [None], ["x"], [[]], [{}], {"a": 1}, {"name": "x"})
_ODD_KEYS = ("name", "kubelet", "a", "", "x/y", "-v", "A b", "\x00", "nodes", "adress", "a" * 64)
_ODD_TEXTS = (
    *("a", "f", "A", "0", "1", "9", "25", "29", "30", "31", "02", "-", ".", "..", ":", "::", "/", "//", ",", ", ", " "),
    *("*", "[", "]", "_", "~", "%", "h", "ns", "µs", "+", "=", "\\", "'", '"', "$", "`", "@", "v", "T", "Z", "age1"),
    *(
        "\n",
        "\t",
        "\r",
        "\x00",
        "\x1f",
        "\x7f",
        "\x85",
        "\xa0",
        "\u2028",
        "\ufeff",
        "é",
        "٣",
        "𝟙",
        "😀",
        "abcdef." + "0" * 16,
    ),
)

# --- what is valid ------------------------------------------------------------------------------------


def _mapping(draw: DrawFn, required: dict[str, Any], optional: dict[str, Any], most: int) -> dict[str, Any]:
    """The required entries and a few of the optional ones: all of them at once would be slow and no better."""
    chosen = draw(st.lists(st.sampled_from(sorted(optional)), max_size=most, unique=True)) if optional else []
    return {name: draw(strategy()) for name, strategy in {**required, **{n: optional[n] for n in chosen}}.items()}


@st.composite
def models(draw: DrawFn, model: type[BaseModel]) -> dict[str, Any]:
    """A document that a model accepts."""
    fields: dict[bool, dict[str, Any]] = {True: {}, False: {}}
    for name, info in model.model_fields.items():
        if name in _CONFIGURATIONS:
            fields[False][name] = lambda struct=_CONFIGURATIONS[name]: go_values(struct)
        else:
            arguments = (info.annotation, tuple(info.metadata))
            fields[info.is_required()][info.alias or name] = lambda arguments=arguments: values(*arguments)
    return _mapping(
        draw, *({("kubeProxy" if n == "kube_proxy" else n): s for n, s in fields[k].items()} for k in (True, False)), 4
    )


def values(annotation: Any, metadata: tuple[Any, ...] = ()) -> SearchStrategy[Any]:
    """Values of a document that an annotation of the models accepts."""
    if hasattr(annotation, "__metadata__"):
        return values(annotation.__origin__, annotation.__metadata__)
    origin, arguments = get_origin(annotation), get_args(annotation)
    marks = {
        name: getattr(mark, name)
        for mark in metadata
        for name in ("func", "ge", "le", "min_length")
        if hasattr(mark, name)
    }
    if origin in (Union, types.UnionType):
        return st.none() | values(arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is dict:
        return st.dictionaries(*map(values, arguments), max_size=2)
    if origin is tuple:
        items = values(arguments[0])
        lists = st.lists(items, min_size=marks.get("min_length", 0), max_size=2)
        return items | lists if marks.get("func") is spec.one_or_many else lists
    if annotation is str:
        return st.sampled_from(VALID[marks["func"].__name__] if "func" in marks else ("", "x", "a\nb"))
    if annotation is int:
        return st.sampled_from((marks["ge"], 6443, marks["le"]))
    if annotation is bool:
        return st.booleans()
    return st.sampled_from((*_ODD, *_ODD_SHAPES)) if annotation is Any else models(annotation)


@st.composite
def go_values(draw: DrawFn, go: str) -> Any:
    """A value that Go reads as a type of a component's configuration."""
    if go not in _CONFIGURATIONS.values() and draw(st.integers(0, 9)) == 0:
        return None
    if go.startswith("[]"):
        return draw(st.lists(go_values(go.removeprefix("[]")), max_size=2))
    if go.startswith("map[string]"):
        return draw(
            st.dictionaries(st.sampled_from(("a", "memory.available")), go_values(go.removeprefix("map[string]")))
        )
    if go in _GO:
        return draw(_GO[go])
    fields = configuration_fields.structs()[go]
    return _mapping(draw, {}, {name: lambda child=child: go_values(child) for name, child in fields.items()}, 3)


def valid_specs() -> SearchStrategy[dict[str, Any]]:
    """Specs that the models accept; what the rules between fields say is another matter."""
    return models(spec.Cluster).map(copy.deepcopy)


# --- what is nearly valid -----------------------------------------------------------------------------


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value of a document."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(found for key, child in entries for found in _places(child, (*path, key)))]


@st.composite
def corrupted(draw: DrawFn, text: str) -> str:
    """A text with some characters put in, taken out, replaced or repeated."""
    start = draw(st.integers(0, len(text)))
    end = min(len(text), start + draw(st.sampled_from((1, 1, 2, 5))))
    middle = draw(st.sampled_from((*_ODD_TEXTS, "", "", "", "", text[start:end] * 2, text[start:end].swapcase())))
    return text[:start] + middle + text[draw(st.sampled_from((start, end))) :]


@st.composite
def near_texts(draw: DrawFn, check: str) -> str:
    """A text that a check of ``names`` takes, with up to three mistakes in it."""
    text = draw(st.sampled_from(VALID[check]))
    for _ in range(draw(st.integers(0, 3))):
        text = draw(corrupted(text))
    return text


@st.composite
def _mutated(draw: DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """A document with one mistake: a key dropped, renamed or added, another type, a wrong text, a number too large."""
    document = copy.deepcopy(document)
    places = _places(document)
    if not places:
        return document
    *above, last = draw(st.sampled_from(places))
    parent: Any = document
    for key in above:
        parent = parent[key]
    value = parent[last]
    kinds = ["drop", "odd", "shape", "list"]
    kinds += ["rename", "rename"] if isinstance(parent, dict) else ["repeat"]
    kinds += ["add", "add", "add"] if isinstance(value, dict) else []
    kinds += ["corrupt"] * 8 if isinstance(value, str) else []
    kinds += ["number"] * 8 if isinstance(value, int | float) else []
    match draw(st.sampled_from(kinds)):
        case "drop":
            del parent[last]
        case "odd":
            parent[last] = draw(st.sampled_from(_ODD))
        case "shape":
            parent[last] = copy.deepcopy(draw(st.sampled_from(_ODD_SHAPES)))
        case "list":
            parent[last] = [value]
        case "rename":
            parent[draw(st.sampled_from(_ODD_KEYS) | corrupted(last))] = parent.pop(last)
        case "repeat":
            parent.append(value)
        case "add":
            value[draw(st.sampled_from(_ODD_KEYS))] = copy.deepcopy(draw(st.sampled_from((*_ODD, *_ODD_SHAPES))))
        case "corrupt":
            parent[last] = draw(corrupted(value))
        case "number":
            parent[last] = draw(
                st.sampled_from((value - 1, value + 1, -value, float(value), value + 70_000, value * 2**40))
            )
    return document


@st.composite
def near_specs(draw: DrawFn) -> dict[str, Any]:
    """Specs with up to three mistakes."""
    document = draw(valid_specs())
    for _ in range(draw(st.integers(0, 3))):
        document = draw(_mutated(document))
    return document
