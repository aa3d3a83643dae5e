"""Attacks on the ports of a running bridge, from this machine, bounded in number and time."""
