"""The script that does what Cloudbase-Init does not: it runs once, at the end of the first
start."""

NAME = "maas.ps1"

HEAD = """\
# Made by MAAS's deployment of this machine; it runs once.
$ErrorActionPreference = 'Stop'
$log = Join-Path $env:SystemDrive 'curtin\\maas.log'

function Step([string] $Name, [scriptblock] $Do) {
    try {
        & $Do | Out-Null
        $said = "${Name}: done"
    } catch {
        $said = "${Name}: failed: $_"
    }
    Write-Output $said
    Add-Content -LiteralPath $log -Value $said -ErrorAction SilentlyContinue
}

function Invoke-Program([string] $Path, [string[]] $Arguments) {
    & $Path $Arguments
    if ($LASTEXITCODE -ne 0) { throw "$(Split-Path $Path -Leaf) ended with $LASTEXITCODE" }
}
"""

# The names of accounts depend on Windows' language; these are SYSTEM and Administrators.
ONLY = "/inheritance:r /grant *S-1-5-18:F *S-1-5-32-544:F"

TAIL = """
# It may hold a licence key.
Remove-Item -LiteralPath $PSCommandPath
"""


class Script(object):
    def __init__(self):
        self.parts = []

    def step(self, name, *lines):
        self.parts.append("\nStep %s {\n%s}\n" % (quote(name), "".join("    %s\n" % line for line in lines)))

    def text(self):
        return HEAD + "".join(self.parts) + TAIL


def quote(value):
    """A value as PowerShell reads it. Curved quotes end a text, too."""
    if isinstance(value, (list, tuple)):
        return "@(%s)" % ", ".join(quote(one) for one in value)
    if isinstance(value, int):
        return str(value)
    text = " ".join(str(value).split())
    for mark in "'\u2018\u2019\u201a\u201b":
        text = text.replace(mark, mark * 2)
    return "'%s'" % text


def command(name, arguments):
    return " ".join([name] + ["-%s %s" % (key, quote(value)) for key, value in arguments.items()] + tail(name))


def tail(name):
    return ["-Confirm:$false"] if name.startswith(("Set-", "Disable-", "New-")) else []


def close_off(script, folder):
    """The machine's credentials for MAAS are not for everybody."""
    path = "$env:SystemDrive\\%s\\conf\\*.conf" % folder
    script.step("the configuration of Cloudbase-Init for administrators alone", 'Invoke-Program icacls.exe (@("%s") + %s)' % (path, quote(ONLY.split())))


def ssh_keys(script, keys):
    """OpenSSH takes the keys of administrators from here alone."""
    script.step(
        "ssh keys",
        "if (-not (Get-Service sshd -ErrorAction SilentlyContinue)) { return }",
        "$folder = Join-Path $env:ProgramData 'ssh'",
        "New-Item -ItemType Directory -Force $folder | Out-Null",
        "$file = Join-Path $folder 'administrators_authorized_keys'",
        "Set-Content -LiteralPath $file -Encoding Ascii -Value %s" % quote(keys),
        "Invoke-Program icacls.exe (@($file) + %s)" % quote(ONLY.split()),
    )


def time_servers(script, servers):
    peers = " ".join(server + ",0x8" for server in servers)
    script.step(
        "time servers",
        "Set-Service w32time -StartupType Automatic",
        "Start-Service w32time",
        "Invoke-Program w32tm.exe %s" % quote(["/config", "/manualpeerlist:" + peers, "/syncfromflags:manual", "/update"]),
    )


def licence(script, key):
    manager = "$env:SystemRoot\\System32\\slmgr.vbs"
    for name, words in (("licence key", ["/ipk", key]), ("activation", ["/ato"])):
        script.step(name, 'Invoke-Program cscript.exe (@("//B", "//Nologo", "%s") + %s)' % (manager, quote(words)))


def network(script, commands):
    for name, arguments in commands:
        target = arguments.get("Name") or arguments.get("InterfaceAlias") or ""
        script.step(("%s %s" % (name, target)).strip(), command(name, arguments))
