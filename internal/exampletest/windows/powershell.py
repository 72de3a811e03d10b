"""Says, as JSON, what is in PowerShell scripts: for each file its functions with their
parameters, the commands that it calls, the keys of its tables, the settings it reads, and
more of that kind, and lines that are not PowerShell."""

import json
import sys

import tree_sitter
import tree_sitter_powershell

parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


def text(node):
    return node.text.decode()


def all_of(node, *kinds):
    if node.type in kinds:
        yield node
    for child in node.children:
        yield from all_of(child, *kinds)


def wrong(node):
    if node.type == "ERROR" or node.is_missing:
        yield node.start_point[0] + 1
    for child in node.children:
        yield from wrong(child)


def command(node):
    """A command by its name, or by the operator that calls what an expression names."""
    parts = {"command_name": [], "command_invokation_operator": [], "command_elements": []}
    for child in node.children:
        parts.get(child.type, []).append(child)
    names = parts["command_name"] + parts["command_invokation_operator"]
    elements = [child for element in parts["command_elements"] for child in element.children]
    return {
        "name": text(names[0]) if names else "",
        "line": node.start_point[0] + 1,
        "parameters": [text(element) for element in elements if element.type == "command_parameter"],
        "strings": [text(string)[1:-1] for element in elements for string in all_of(element, "string_literal")],
    }


def function(node):
    name = next(all_of(node, "function_name"))
    parameters = [variable for declared in all_of(node, "function_parameter_declaration") for variable in all_of(declared, "variable")]
    return text(name), ["-" + text(variable)[1:] for variable in parameters]


def read(path):
    with open(path, "rb") as file:
        root = parser.parse(file.read()).root_node
    members = [text(node).split(".") for node in all_of(root, "member_access")]
    return {
        "errors": sorted(set(wrong(root))),
        "functions": dict(function(node) for node in all_of(root, "function_statement")),
        "commands": [command(node) for node in all_of(root, "command")],
        "caught": [command(node)["name"] for clause in all_of(root, "catch_clause") for node in all_of(clause, "command")],
        "assigned": [text(node) for node in all_of(root, "assignment_expression")],
        "strings": [text(node)[1:-1] for node in all_of(root, "string_literal")],
        "keys": sorted({text(next(all_of(node, "key_expression"))) for node in all_of(root, "hash_entry")}),
        "settings": sorted({parts[1] for parts in members if parts[0] == "$Settings"}),
        "flow": sorted({text(node).split()[0].rstrip(";") for node in all_of(root, "flow_control_statement")}),
    }


json.dump({path: read(path) for path in sys.argv[1:]}, sys.stdout)
