# The end: nobody can log in any more, and Sysprep takes from the system what has to be each
# machine's own.
param($Settings, $Media)

$winlogon = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon'
Set-ItemProperty -Path $winlogon -Name 'AutoAdminLogon' -Value '0'
foreach ($name in 'DefaultPassword', 'DefaultUserName', 'DefaultDomainName', 'AutoLogonCount', 'AutoLogonSID') {
    Remove-ItemProperty -Path $winlogon -Name $name -ErrorAction SilentlyContinue
}
Get-LocalUser | Where-Object { $_.Name -eq 'packer-build' } | Remove-LocalUser
$administrator = Get-LocalUser | Where-Object { $_.SID.Value -like 'S-1-5-21-*-500' }
Set-LocalUser -SID $administrator.SID -Password (ConvertTo-SecureString -String ([guid]::NewGuid().ToString() + '-M') -AsPlainText -Force)
Disable-LocalUser -SID $administrator.SID

# Applications that the Store has installed for one account only are in Sysprep's way. It
# names one at each try.
$arguments = @('/oobe', '/quit', '/quiet', "/unattend:$build\deploy.xml")
$state = 'IMAGE_STATE_SPECIALIZE_RESEAL_TO_OOBE'
if ($Settings.generalize) {
    $arguments = @('/generalize') + $arguments
    $state = 'IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE'
}
$everyone = @{}
if ((Get-Command Remove-AppxPackage -ErrorAction SilentlyContinue).Parameters.AllUsers) { $everyone.AllUsers = $true } # not in 2016
$sysprep = "$env:SystemRoot\System32\Sysprep"
for ($try = 1; ; $try++) {
    Write-Console "maas: Sysprep runs ($try)" | Out-Null
    Remove-Item -Path "$sysprep\Panther\*.log" -Force -ErrorAction SilentlyContinue
    $code = (Start-Process -FilePath "$sysprep\sysprep.exe" -ArgumentList $arguments -Wait -PassThru).ExitCode
    if ((Get-ItemProperty -Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State').ImageState -eq $state) { break }

    $named = Select-String -Path "$sysprep\Panther\setup*.log" -Pattern 'Package (\S+) was installed for a user' -ErrorAction SilentlyContinue |
        Select-Object -First 1
    if (-not $named -or $try -ge 20) {
        Write-Log "$sysprep\Panther\setupact.log"
        Write-Log "$sysprep\Panther\setuperr.log" 12
        throw "Sysprep returned $code, and has not sealed the system"
    }
    $package = $named.Matches[0].Groups[1].Value
    Write-Console "maas: removes $package, which keeps the system from being generalized" | Out-Null
    Get-AppxPackage -AllUsers | Where-Object { $_.PackageFullName -eq $package } | Remove-AppxPackage @everyone
}

# Once Packer hears that all is done, it presses the power button.
Remove-Item -Path $build -Recurse -Force
Write-Console 'maas: done' | Out-Null
Stop-Computer -Force
