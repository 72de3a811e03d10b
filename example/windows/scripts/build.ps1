# Makes an image of the system it runs on: the steps, one after the other. It is started by
# the first logon, and by itself after each restart. A step ends with 'restart' if the
# machine is to be restarted after it, and with 'again' if it is to be repeated then.

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
. "$PSScriptRoot\common.ps1"
$step = 'start'

try {
    if ($PSScriptRoot -ne $build) {
        # From here on from the disk; once is enough, even if Windows asks again.
        if (Test-Path $build) { return }
        Copy-Item -Path $PSScriptRoot -Destination $build -Recurse -Force
        & "$build\build.ps1"
        return
    }
    $settings = Get-Content -Path "$build\settings.json" -Raw -Encoding UTF8 | ConvertFrom-Json
    $steps = @(Get-ChildItem -Path "$build\steps\*.ps1" | Sort-Object -Property Name)
    $next = 0
    if (Test-Path "$build\next") { $next = [int](Get-Content -Path "$build\next") }
    $restarts = 0
    if (Test-Path "$build\restarts") { $restarts = [int](Get-Content -Path "$build\restarts") }
    if ($restarts -gt 20) { throw 'the machine has to be restarted again and again' }
    Set-Content -Path "$build\restarts" -Value ($restarts + 1)

    for (; $next -lt $steps.Count; $next++) {
        $step = $steps[$next].BaseName
        Write-Console "maas: step $($next + 1) of $($steps.Count): $step" | Out-Null
        $wish = & $steps[$next].FullName -Settings $settings -Media (Get-Media) | Select-Object -Last 1
        if ($wish -eq 'again') { Restart-Build $next; return }
        if ($wish -eq 'restart') { Restart-Build ($next + 1); return }
    }
} catch {
    Write-Console "maas| $($_.ScriptStackTrace -replace '\s+', ' ')" | Out-Null
    Stop-Build $step $_
}
