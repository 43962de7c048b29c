"""Kubernetes 1.37: taken as 1.36 with the images of its published lists. Not compared byte by byte."""

from dataclasses import replace

from kcompile.versions import v1_36

VERSION = replace(
    v1_36.VERSION,
    minor=37,
    known_patch=1,
    feature_gates=frozenset(),
    locked_gates=frozenset(),
    etcd_tags=((0, "3.7.0-0"),),
    coredns_tags=((0, "v1.14.6"),),
)
