"""What leaves for a host by another tool: one module a format, and none of them knows another."""
