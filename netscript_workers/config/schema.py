"""The config as JSON Schema (draft 2020-12), for editors: both spellings of every key."""

from typing import Any, Final, cast

from pydantic.alias_generators import to_camel

from netscript_workers.config.permissions import PRESETS
from netscript_workers.config.settings import Settings

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def json_schema() -> Schema:
    """Return the schema. It judges shapes and words; cron, timezones and files are left to `workers validate`."""
    generated = Settings.model_json_schema(by_alias=True, mode="validation")
    definitions = cast("dict[str, Schema]", generated.pop("$defs", {}))
    schema: Schema = {
        "$schema": DIALECT,
        "title": "netscript-workers config",
        **_table("Settings", generated),
        "$defs": {name: _table(name, definition) for name, definition in definitions.items()},
    }
    schema["title"] = "netscript-workers config"
    return schema


def _table(name: str, definition: Schema) -> Schema:
    """Give every key of a table its other spelling, and demand one of both where the key is required."""
    properties = cast("dict[str, Schema]", definition.get("properties", {}))
    if not properties:
        return definition
    spelled: dict[str, Schema] = {}
    conditions: list[Schema] = []
    for key, value in properties.items():
        shape = _key(key, value)
        others = _other_spellings(name, key)
        spelled[key] = shape
        for other in others:
            spelled[other] = {**shape, "description": f"the same as {key}"}
        spellings = [key, *others]
        if key in definition.get("required", ()):
            conditions.append(
                {"oneOf": [{"required": [word]} for word in spellings]} if others else {"required": [key]}
            )
        elif others:
            conditions.append({"not": {"required": spellings}})
    table = {key: value for key, value in definition.items() if key not in ("properties", "required")}
    table |= {"type": "object", "properties": spelled, "additionalProperties": False}
    if conditions:
        table["allOf"] = conditions
    return table


def _key(key: str, value: Schema) -> Schema:
    if key == "permissions":
        presets = sorted(PRESETS)
        return {
            "anyOf": [{"enum": presets}, {"$ref": "#/$defs/PermissionTable"}],
            "description": value["description"],
        }
    # TOML has no null: a key that may be unset is left out.
    options = [
        option for option in cast("list[Schema]", value.get("anyOf", [])) if option.get("type") != "null"
    ]
    if "anyOf" not in value:
        return {word: item for word, item in value.items() if word != "title"}
    rest = {word: item for word, item in value.items() if word not in ("anyOf", "title", "default")}
    if value.get("default") is not None:
        rest["default"] = value["default"]
    return {**options[0], **rest} if len(options) == 1 else {"anyOf": options, **rest}


def _other_spellings(table: str, key: str) -> list[str]:
    words = [to_camel(key)] if to_camel(key) != key else []
    if table == "TaskTable" and key == "type":
        words.append("runtime")
    return words
