"""The benchmarks, one file each: a class with its items and `score`, and `load(path, **options)`.

`evaluate.benchmark` defines their interface and lists them by name.
May import all of `evaluate` but `methods`, `report`, `runner` and `session`, and packages below `evaluate`.
"""
