"""The status page: what a person sees of a running process. It only looks; nothing here changes anything."""
