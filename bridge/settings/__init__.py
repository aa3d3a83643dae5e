"""What can be set.

`model.py` has every setting, `values.py` their kinds; `loading.py` reads them, `accounts.py` makes accounts of them.
"""
