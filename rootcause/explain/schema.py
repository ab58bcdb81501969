"""`python -m rootcause.explain.schema > docs/schemas/finding.json`: the published shape of a finding.

Findings come with webhooks, from the API and in `mesh_incidents`.

In: the models of rootcause.explain.finding. Out: JSON Schema, draft 2020-12.
"""

import json
import sys

from rootcause.explain.finding import Finding

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def finding_schema() -> str:
    """The schema of what is stored and sent, as indented JSON."""
    schema = {"$schema": DRAFT, **Finding.model_json_schema(mode="serialization")}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(finding_schema())
