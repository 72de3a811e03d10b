# The drivers that were given, into Windows' store: each machine takes what it needs.
param($Settings, $Media)

$folder = "$Media`$WinPEDriver`$"
if (Test-Path -LiteralPath $folder) {
    Add-Drivers $folder
}
