"""The contestants that are not the bridge, each as its own documentation recommends, doing the same work.

They run as processes of their own and import, of the bridge, at most its pure parts.
"""
