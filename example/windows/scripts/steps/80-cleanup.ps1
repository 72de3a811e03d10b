# What the build has left, and only the build needed.
param($Settings, $Media)

if (Test-Restart) { 'again'; return }

# Windows is to grow on the machine's disk: nothing may be behind it.
$system = Get-Partition -DriveLetter $env:SystemDrive[0]
$behind = @(Get-Partition -DiskNumber $system.DiskNumber | Where-Object { $_.Offset -gt $system.Offset })
if ($behind.Count -gt 0) {
    Invoke-Program reagentc.exe '/disable' 0, 1, 2 | Out-Null # it may be off
    foreach ($partition in $behind) {
        if ($partition.GptType -ne '{de94bba4-06d1-4d40-a16a-bfd50179d6ac}') { throw "partition $($partition.PartitionNumber), behind Windows, is none for its recovery" }
        $partition | Remove-Partition -Confirm:$false
    }
    Invoke-Program reagentc.exe '/enable' 0, 1, 2 | Out-Null # on Windows' own partition
}

Invoke-Program netsh.exe 'winhttp', 'reset', 'proxy' | Out-Null
Remove-ItemProperty -Path 'HKLM:\SOFTWARE\Policies\Microsoft\WindowsStore' -Name 'AutoDownload' -ErrorAction SilentlyContinue
Remove-ItemProperty -Path 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\CloudContent' -Name 'DisableWindowsConsumerFeatures' -ErrorAction SilentlyContinue

$windows = $env:SystemRoot
Stop-Service -Name wuauserv -Force -ErrorAction SilentlyContinue
foreach ($path in @(
        "$windows\SoftwareDistribution\Download\*"
        "$windows\Panther\*unattend*.xml", "$windows\Panther\Unattend", "$windows\System32\Sysprep\*unattend*.xml" # with passwords
        "$env:SystemDrive\*unattend*.xml"
        "$windows\Temp\*", "$env:TEMP\*"
        "$env:APPDATA\Microsoft\Windows\PowerShell\PSReadLine\*"
    )) {
    Remove-Item -Path $path -Recurse -Force -ErrorAction SilentlyContinue
}
