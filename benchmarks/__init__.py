"""How fast the engine is, and what it is measured against: `python -m benchmarks --help`.

`workload` makes the meshes and connections; `floor`, `scan`, `engines` and `readers` are what we are compared
with; `deciding` and `building` say what is measured, `timing` and `memory` how; `report` shows it. Whatever
decides is asked about all connections before it is timed, and must decide as the engine does.
"""
