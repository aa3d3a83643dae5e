"""The rules: an attempt's state, how a report changes it, when to poll and when to give up.

No module in it does I/O, reads a clock, or imports a third party other than msgspec. Times are arguments, in
milliseconds since the epoch.
"""
