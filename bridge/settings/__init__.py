"""What can be set.

`model.py` has every setting, `providers.py` those of providers, `values.py` their kinds; `loading.py` reads them,
`accounts.py` makes accounts of them.
"""
