"""Emitters: each turns a resolved cluster and its keyring into artifacts of one kind, and knows no other."""
