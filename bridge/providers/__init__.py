"""The providers' dialects: bytes in, reports out; what to ask, as plain values. No asyncio, no clock, no I/O."""
