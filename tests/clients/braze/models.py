"""Parses the sandbox's answers with the models of braze-mcp-server: python models.py ADDRESS KEY.

What it reads comes as (model, path) lines on standard input. The package's own door opens a server,
which needs a newer Python than the models do; so the models alone are imported.
"""

import importlib.util
import json
import sys
import types
import urllib.request
from pathlib import Path

address, key = sys.argv[1:]
found = importlib.util.find_spec("pydantic")
package = types.ModuleType("braze_mcp")
package.__path__ = [str(Path(found.origin).parents[1] / "braze_mcp")]
sys.modules["braze_mcp"] = package
import braze_mcp.models as models  # noqa: E402 - after its package stands

answers = {}
for line in sys.stdin:
    name, path = line.split()
    asked = urllib.request.Request(address + path, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked) as answer:
        parsed = getattr(models, name).model_validate(json.load(answer))
    answers[path.partition("?")[0]] = sorted(parsed.model_fields_set)
json.dump(answers, sys.stdout)
