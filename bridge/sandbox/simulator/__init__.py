"""Simulators of both providers: real HTTP servers, with faults that are decided by a seed."""
