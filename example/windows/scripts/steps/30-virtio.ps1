# VirtIO drivers, and the tools that go with them, for machines that are virtual.
param($Settings, $Media)

$iso = Get-Given $Settings.virtio $Media $Settings.proxy
if (-not $iso) { return }

$mounted = Mount-DiskImage -ImagePath $iso -PassThru
Start-Sleep -Seconds 5 # its letter takes a moment
$root = "$(($mounted | Get-Volume).DriveLetter):\"
$folders = @(Get-ChildItem -Path "$root*\$($Settings.virtio_folder)\amd64" -Directory)
if ($folders.Count -eq 0) { throw "the VirtIO ISO has no drivers for $($Settings.virtio_folder)" }
foreach ($folder in $folders) { Add-Drivers $folder.FullName }

$tools = "${root}virtio-win-guest-tools.exe"
$code = 0
if (Test-Path $tools) {
    Copy-Item -Path $tools -Destination "$build\guest-tools.exe"
    $code = Invoke-Program "$build\guest-tools.exe" '/install', '/quiet', '/norestart' 0, 1641, 3010
}
Dismount-DiskImage -ImagePath $iso | Out-Null
Remove-Item -Path $iso
if ($code -ne 0) { 'restart' }
