"""The base of every table of the config: frozen, closed, and aware of where it stands."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, model_validator

from netscript_workers.config.place import NOWHERE, Place, PlacedDict


class Node(BaseModel):
    """A frozen table that refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,  # an input can be a secret
        populate_by_name=True,
        arbitrary_types_allowed=True,
    )

    _place: Place = PrivateAttr(default=NOWHERE)

    @property
    def place(self) -> Place:
        """Where this table stands in the config file."""
        return self._place

    @model_validator(mode="wrap")
    @classmethod
    def _remember_place(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        node = handler(value)
        if isinstance(value, PlacedDict):
            node._place = value.place  # noqa: SLF001 - our own class
        return node
