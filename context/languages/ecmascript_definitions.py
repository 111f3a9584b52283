"""The queries for definitions of JavaScript and TypeScript, put together from what the two grammars share."""

from __future__ import annotations

_FUNCTIONS = """
[(arrow_function body: (statement_block) @body)
 (function_expression body: (statement_block) @body)
 (generator_function body: (statement_block) @body)
 (call_expression arguments: (arguments . [
    (arrow_function body: (statement_block) @body)
    (function_expression body: (statement_block) @body)]))]
"""
_WITH_MEMBERS = """
(object [(method_definition) (pair value: [(arrow_function) (function_expression)])]) @body
"""

_VARIABLES = (
    f"(_ . (variable_declarator name: (identifier) @name value: {_FUNCTIONS}) .) @function",
    "(_ . (variable_declarator name: (identifier) @name value: (class body: (class_body) @body)) .) @class",
    "(_ . (variable_declarator name: (identifier) @name value:"
    " (arrow_function body: (class body: (class_body) @body))) .) @class",
    f"(_ . (variable_declarator name: (identifier) @name value: {_WITH_MEMBERS}) .) @class",
    # What takes parameters keeps them.
    "(_ . (variable_declarator name: (identifier) @name value: (arrow_function body: (expression) @body)) .) @variable",
    "(_ . (variable_declarator name: (identifier) @name value: (expression) @body) .) @variable",
    "(_ . (variable_declarator name: (identifier) @name !value) .) @variable",
    "(_ . (variable_declarator name: (object_pattern (shorthand_property_identifier_pattern) @name)) .) @variable",
    "(_ . (variable_declarator name: (identifier) @name) . (variable_declarator)) @variable",
)
_PLACES = tuple(
    f"({root} {place})"
    for root in ("program", "ERROR")  # what is still whole in a file that is broken, or newer than the grammar
    for place in ("{}", "(export_statement declaration: {})")
)
_NAMESPACE_PLACES = (
    "(internal_module body: (statement_block {}))",
    "(internal_module body: (statement_block (export_statement declaration: {})))",
    "(module body: (statement_block {}))",
    "(module body: (statement_block (export_statement declaration: {})))",
    "(ambient_declaration {})",
)

_OBJECT_MEMBERS = (
    "(object (method_definition name: (_) @name body: (statement_block) @body) @function @member)",
    "(object (pair key: (_) @name value: [(arrow_function body: (statement_block) @body)"
    " (function_expression body: (statement_block) @body)]) @function @member)",
    "(object (pair key: (_) @name value: (_) @body) @variable @member)",
)
_OBJECT_PLACES = (
    "(program (_ (variable_declarator value: {})))",
    "(program (export_statement declaration: (_ (variable_declarator value: {}))))",
    "(program (export_statement value: {}))",
    "(program (expression_statement (assignment_expression right: {})))",
)

_SHARED = f"""
(function_declaration name: (_) @name body: (_) @body) @function
(generator_function_declaration name: (_) @name body: (_) @body) @function
(class_declaration name: (_) @name body: (_) @body) @class
(class_body (method_definition name: (_) @name body: (_) @body) @function @member)
(expression_statement (assignment_expression
    left: (member_expression object: (this) property: (_) @name) right: (_) @body)) @attribute

(program (export_statement "default" @name value: [
    (function_expression !name body: (_) @body)
    (generator_function !name body: (_) @body)
    (arrow_function body: (statement_block) @body)]) @function)
(program (export_statement "default" @name value: (function_expression name: (_) @name body: (_) @body)) @function)
(program (export_statement "default" @name value: (class body: (_) @body)) @class)
(program (export_statement "default" @name value: (arrow_function body: (class body: (_) @body))) @class)
(program (export_statement "default" @name value: {_WITH_MEMBERS}) @class)
(program (export_statement "default" @name value: [(object) (call_expression) (array)] @body) @variable)

(program (expression_statement (assignment_expression
    left: (member_expression property: (property_identifier) @name)
    right: [(function_expression body: (_) @body) (arrow_function body: (statement_block) @body)]) @function))
(program (expression_statement (assignment_expression
    left: (member_expression property: (property_identifier) @name)
    right: (class body: (_) @body)) @class))
(program (expression_statement (assignment_expression
    left: (member_expression object: (identifier) @_exports property: (property_identifier) @name)
    right: {_WITH_MEMBERS}) @class (#any-of? @_exports "module" "exports")))
(program (expression_statement (assignment_expression
    left: (member_expression object: (identifier) @_exports property: (property_identifier) @name)
    right: (_) @body) @variable (#eq? @_exports "exports")))
(program (expression_statement (assignment_expression
    left: (member_expression object: (member_expression object: (identifier) @_object property: (_) @_kind)
        property: (property_identifier) @name)
    right: (_) @body) @variable (#any-of? @_kind "prototype" "exports")))
"""

_FIELDS = (
    "(class_body ({kind} {name}: (_) @name value: (arrow_function body: (statement_block) @body)) @function @member)",
    "(class_body ({kind} {name}: (_) @name value: (expression) @body) @variable @member)",
    "(class_body ({kind} {name}: (_) @name !value) @variable @member)",
)

_TYPES = """
(function_signature name: (_) @name) @function
(abstract_class_declaration name: (_) @name body: (_) @body) @class
(class_body (method_signature name: (_) @name) @function @member)
(class_body (abstract_method_signature name: (_) @name) @function @member)
(interface_declaration name: (_) @name body: (_) @body) @class
(interface_body (property_signature name: (_) @name) @variable @member)
(interface_body (method_signature name: (_) @name) @function @member)
(type_alias_declaration name: (_) @name value: (object_type) @body) @class
(type_alias_declaration name: (_) @name) @class
(type_alias_declaration value: (object_type (property_signature name: (_) @name) @variable @member))
(type_alias_declaration value: (object_type (method_signature name: (_) @name) @function @member))
(type_alias_declaration value: (_ (object_type (property_signature name: (_) @name) @variable @member)))
(type_alias_declaration value: (_ (object_type (method_signature name: (_) @name) @function @member)))
(class_body (method_definition parameters: (formal_parameters [
    (required_parameter (accessibility_modifier) pattern: (identifier) @name)
    (optional_parameter (accessibility_modifier) pattern: (identifier) @name)
    (required_parameter "readonly" pattern: (identifier) @name)
    (optional_parameter "readonly" pattern: (identifier) @name)] @attribute)))
(enum_declaration name: (_) @name body: (_) @body) @class
(enum_body (enum_assignment name: (_) @name) @variable @member)
(enum_body name: (_) @name @variable @member)
(internal_module name: (_) @name body: (_) @body) @class
(module name: (_) @name body: (_) @body) @class
"""


def _everywhere(places: tuple[str, ...], patterns: tuple[str, ...]) -> str:
    return "\n".join(place.replace("{}", pattern) for place in places for pattern in patterns)


JAVASCRIPT = "\n".join(
    (
        _SHARED,
        *(field.format(kind="field_definition", name="property") for field in _FIELDS),
        _everywhere(_PLACES, _VARIABLES),
        _everywhere(_OBJECT_PLACES, _OBJECT_MEMBERS),
    )
)
TYPESCRIPT = "\n".join(
    (
        _SHARED,
        *(field.format(kind="public_field_definition", name="name") for field in _FIELDS),
        _TYPES,
        _everywhere(_PLACES + _NAMESPACE_PLACES, _VARIABLES),
        _everywhere(_OBJECT_PLACES, _OBJECT_MEMBERS),
    )
)
