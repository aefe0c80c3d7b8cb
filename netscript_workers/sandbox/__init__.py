"""Permissions, kept by the kernel: a pure policy, the rules it becomes, and the code that carries them out after a fork."""
