"""The settings of the service.

`model.py` has every setting, `providers.py` those of providers and accounts, `types.py` the types of their values;
`loading.py` reads them from the environment.
"""
