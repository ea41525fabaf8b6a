"""The part of the OASIS schema of SARIF 2.1.0 (sarif-schema-2.1.0.json, errata 01) that our logs make use of, as JSON Schema 2020-12.

Written down from the standard, not copied, because the suite runs offline: of each object that we write, every property that the standard
defines for it, its type, what is required, and that nothing else may stand there (the standard closes every object but property bags).
Objects that we never write (graphs, threads, fixes …) are closed off, so a log that begins to use one fails here until it is added.
"""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
BAG = {"type": "object", "properties": {"tags": {"type": "array", "items": TEXT, "uniqueItems": True}}}
GUID = {"type": "string", "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$"}
INDEX = {"type": "integer", "minimum": -1}
FROM_ONE = {"type": "integer", "minimum": 1}
TIME = {"type": "string", "format": "date-time"}
LEVEL = {"enum": ["none", "note", "warning", "error"]}


def closed(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object with these properties, a property bag, and nothing else."""
    return {"type": "object", "properties": properties | {"properties": BAG}, "required": required.split(), "additionalProperties": False}


def listed(items: dict[str, Any], *, unique: bool = False, least: int = 0) -> dict[str, Any]:
    """An array of such items."""
    return {"type": "array", "items": items, "uniqueItems": unique, "minItems": least}


MULTIFORMAT = closed("text", text=TEXT, markdown=TEXT)
MESSAGE = closed(text=TEXT, markdown=TEXT, id=TEXT, arguments=listed(TEXT)) | {"anyOf": [{"required": ["text"]}, {"required": ["id"]}]}
ARTIFACT_LOCATION = closed(uri={"type": "string", "format": "uri-reference"}, uriBaseId={"type": "string"}, index=INDEX, description=MESSAGE)
REGION = closed(
    startLine=FROM_ONE,
    startColumn=FROM_ONE,
    endLine=FROM_ONE,
    endColumn=FROM_ONE,
    charOffset=INDEX,
    charLength={"type": "integer", "minimum": 0},
    byteOffset=INDEX,
    byteLength={"type": "integer", "minimum": 0},
    snippet=closed(text=TEXT),
    message=MESSAGE,
    sourceLanguage=TEXT,
)
PHYSICAL = closed(artifactLocation=ARTIFACT_LOCATION, region=REGION, contextRegion=REGION) | {
    "anyOf": [{"required": ["address"]}, {"required": ["artifactLocation"]}]
}
LOGICAL = closed(name=TEXT, index=INDEX, fullyQualifiedName=TEXT, decoratedName=TEXT, parentIndex=INDEX, kind=TEXT)
LOCATION = closed(id=INDEX, physicalLocation=PHYSICAL, logicalLocations=listed(LOGICAL, unique=True), message=MESSAGE)
REPORTING = closed(
    "id",
    id=TEXT,
    deprecatedIds=listed(TEXT, unique=True, least=1),
    guid=GUID,
    name=TEXT,
    shortDescription=MULTIFORMAT,
    fullDescription=MULTIFORMAT,
    helpUri={"type": "string", "format": "uri"},
    help=MULTIFORMAT,
    messageStrings={"type": "object", "additionalProperties": MULTIFORMAT},
    defaultConfiguration=closed(enabled={"type": "boolean"}, level=LEVEL, rank={"type": "number", "minimum": -1, "maximum": 100}),
)
DRIVER = closed(
    "name",
    guid=GUID,
    name=TEXT,
    organization=TEXT,
    product=TEXT,
    fullName=TEXT,
    version=TEXT,
    semanticVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$"},
    downloadUri={"type": "string", "format": "uri"},
    informationUri={"type": "string", "format": "uri"},
    shortDescription=MULTIFORMAT,
    fullDescription=MULTIFORMAT,
    language={"type": "string", "pattern": "^[a-zA-Z]{2}(?:-[a-zA-Z]{2})?$"},
    rules=listed(REPORTING, unique=True),
    notifications=listed(REPORTING, unique=True),
)
INVOCATION = closed(
    "executionSuccessful",
    executionSuccessful={"type": "boolean"},
    commandLine=TEXT,
    arguments=listed(TEXT),
    startTimeUtc=TIME,
    endTimeUtc=TIME,
    exitCode={"type": "integer"},
    exitCodeDescription=TEXT,
    workingDirectory=ARTIFACT_LOCATION,
)
RESULT = closed(
    "message",
    ruleId=TEXT,
    ruleIndex=INDEX,
    guid=GUID,
    correlationGuid=GUID,
    kind={"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
    level=LEVEL,
    message=MESSAGE,
    analysisTarget=ARTIFACT_LOCATION,
    locations=listed(LOCATION),
    relatedLocations=listed(LOCATION, unique=True),
    occurrenceCount=FROM_ONE,
    partialFingerprints={"type": "object", "additionalProperties": TEXT},
    fingerprints={"type": "object", "additionalProperties": TEXT},
    baselineState={"enum": ["new", "unchanged", "updated", "absent"]},
    rank={"type": "number", "minimum": -1, "maximum": 100},
    hostedViewerUri={"type": "string", "format": "uri"},
)
RUN = closed(
    "tool",
    tool=closed("driver", driver=DRIVER, extensions=listed(DRIVER, unique=True)),
    invocations=listed(INVOCATION),
    automationDetails=closed(description=MESSAGE, id=TEXT, guid=GUID, correlationGuid=GUID),
    originalUriBaseIds={"type": "object", "additionalProperties": ARTIFACT_LOCATION},
    language=TEXT,
    results=listed(RESULT),
    defaultEncoding=TEXT,
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    redactionTokens=listed(TEXT, unique=True),
)
LOG: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"$schema": {"type": "string", "format": "uri"}, "version": {"const": "2.1.0"}, "runs": listed(RUN), "properties": BAG},
    "required": ["version", "runs"],
    "additionalProperties": False,
}
