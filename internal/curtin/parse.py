import ast
import base64
import json
import sys
import warnings


def problem(step):
    try:
        step()
    except SyntaxError as e:
        return "line %s: %s" % (e.lineno, e.msg) if e.lineno else e.msg
    except ValueError as e:
        return str(e)
    except (MemoryError, RecursionError):
        pass  # another Python may be able to
    return ""


def parse(name, text):
    error = problem(lambda: compile(text, name, "exec", dont_inherit=True))
    too_new = "" if error or sys.version_info < (3, 8) else problem(lambda: ast.parse(text, feature_version=(3, 8)))
    return {"error": error, "too_new": too_new, "version": "%d.%d" % sys.version_info[:2]}


warnings.simplefilter("ignore")
programs = json.load(sys.stdin)
json.dump({name: parse(name, base64.b64decode(text)) for name, text in programs.items()}, sys.stdout)
