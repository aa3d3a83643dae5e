"""The decisions: what is known of a message, what a report changes, when to ask and when to give up.

Nothing here imports asyncio, a clock, I/O or a third party. Time is an argument, in milliseconds since the epoch.
"""
