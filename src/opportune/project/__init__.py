"""A project: the definitions that belong together, from a folder of TOML or from State.

``load`` reads a folder and lists *all* mistakes; ``apply`` writes what changed as new versions;
``read`` returns the newest version of everything.
"""

from opportune.project.allow import ALLOWABLE, NothingToAllow, allow
from opportune.project.definitions import Reader, apply, load, read
from opportune.project.model import Project, ProjectNotFound

__all__ = [
    "ALLOWABLE",
    "NothingToAllow",
    "Project",
    "ProjectNotFound",
    "Reader",
    "allow",
    "apply",
    "load",
    "read",
]
