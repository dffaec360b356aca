"""Keras, imported when something of it is first asked for.

It takes seconds to import. What reads inputs and writes answers does without,
and takes `keras` from here for the rest, so that an export can answer at once
(`zoo.exported`).
"""

import importlib
import types


class _Lazy(types.ModuleType):
    def __getattr__(self, name):
        return getattr(importlib.import_module(self.__name__), name)


keras = _Lazy("keras")
