"""Both providers simulated as real HTTP servers, with faults that a seed decides."""
