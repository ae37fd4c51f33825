"""A project: the definitions that belong together, from a folder of TOML or from State.

``load`` reads a folder and lists *all* mistakes; ``apply`` writes what changed as new versions;
``read`` returns the newest version of everything; ``write_template`` begins a folder.
"""

from opportune.project.allow import ALLOWABLE, NothingToAllow, allow
from opportune.project.begin import add_template, template_body
from opportune.project.define import (
    DefinitionChanged,
    body_of,
    define_use_case,
    judge_use_case,
)
from opportune.project.definitions import Reader, apply, load, read
from opportune.project.model import Project, ProjectNotFound
from opportune.project.template import (
    FolderNotEmpty,
    FolderUnusable,
    Template,
    TemplateNotFound,
    Written,
    template_files,
    templates,
    write_template,
)

__all__ = [
    "add_template",
    "template_body",
    "ALLOWABLE",
    "DefinitionChanged",
    "FolderNotEmpty",
    "FolderUnusable",
    "NothingToAllow",
    "Project",
    "ProjectNotFound",
    "Reader",
    "Template",
    "TemplateNotFound",
    "Written",
    "allow",
    "apply",
    "body_of",
    "define_use_case",
    "judge_use_case",
    "load",
    "read",
    "template_files",
    "templates",
    "write_template",
]
