# Cloudbase-Init, which does on Windows what cloud-init does on Linux.
param($Settings, $Media)

$msi = Get-Given $Settings.cloudbase_init $Media $Settings.proxy
if (-not $msi) { throw 'there is no installer of Cloudbase-Init, without which MAAS cannot deploy the image' }

# As LocalSystem, the service has no account with a password, the same on all machines.
$log = "$build\cloudbase-init.log"
try {
    Invoke-Program msiexec.exe '/i', $msi, '/qn', '/norestart', '/l*v', $log, 'RUN_SERVICE_AS_LOCAL_SYSTEM=1' 0, 3010 | Out-Null
} catch {
    Write-Log $log
    throw
}
$installed = "$env:ProgramFiles\Cloudbase Solutions\Cloudbase-Init"
foreach ($file in 'Python\Scripts\cloudbase-init.exe', 'conf\cloudbase-init-unattend.conf') {
    if (-not (Test-Path "$installed\$file")) { throw "Cloudbase-Init's installer left no $installed\$file" }
}

# Its work is on the machines; it waits there by itself until Windows is set up.
Stop-Service -Name cloudbase-init -Force
Set-Service -Name cloudbase-init -StartupType Automatic
Remove-Item -Path "$installed\log\*" -Force -ErrorAction SilentlyContinue
