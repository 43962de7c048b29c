"""Kubernetes 1.37: taken as 1.36 with the images of its published lists. Not compared byte by byte."""

from dataclasses import replace

from kcompile.versions import v1_36

VERSION = replace(
    v1_36.VERSION,
    minor=37,
    feature_gates=frozenset(),
    locked_gates=frozenset(),
    etcd_tag="3.7.0-0",
    coredns_tag="v1.14.6",
    pause_tag="3.10.2",
)
