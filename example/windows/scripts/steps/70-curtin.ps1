# The hooks that MAAS's installer runs on the machine's disk.
param($Settings, $Media)

$target = "$env:SystemDrive\curtin"
if (Test-Path $target) { Remove-Item -Path $target -Recurse -Force }
Copy-Item -Path "${Media}curtin" -Destination $target -Recurse
if (-not ((Test-Path "$target\finalize") -or (Test-Path "$target\curtin-hooks"))) {
    throw "$target has neither finalize nor curtin-hooks"
}
