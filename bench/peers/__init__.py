"""The other contestants, which do the same work in the way that their documentation recommends.

They run as separate processes and import at most the pure parts of the bridge.
"""
