# The script that was given. It returns 0, or 3010 for a restart after it.
param($Settings, $Media)

if (-not (Test-Path "${Media}custom\custom.ps1")) { return }
Copy-Item -Path "${Media}custom" -Destination "$build\custom" -Recurse -Force
$code = Invoke-Program powershell.exe '-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', "$build\custom\custom.ps1" 0, 3010
Write-Log "$build\program.log"
if ($code -eq 3010) { 'restart' }
