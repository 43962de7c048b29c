"""kcompile: one declarative cluster spec in, everything kubeadm would have written out."""

__version__ = "0.1.0"
