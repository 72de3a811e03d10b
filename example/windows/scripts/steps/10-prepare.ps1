# A machine that stays awake, is not encrypted, and has the serial console for the build.
param($Settings, $Media)

# A volume that Windows can go on with is one that Linux does not write to. Machines that
# cannot hibernate refuse to be told not to.
Invoke-Program powercfg.exe '/hibernate', 'off' 0, 1 | Out-Null
if (Test-Path "$env:SystemDrive\hiberfil.sys") { throw 'hibernation cannot be switched off' }
$power = '"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Power"'
Invoke-Program reg.exe 'add', $power, '/v', 'HiberbootEnabled', '/t', 'REG_DWORD', '/d', '0', '/f' | Out-Null
Invoke-Program powercfg.exe '/change', 'standby-timeout-ac', '0' | Out-Null

# Linux has to write to the volume, and Sysprep refuses one that is encrypted.
$encryption = @{ Namespace = 'root\CIMV2\Security\MicrosoftVolumeEncryption'; ClassName = 'Win32_EncryptableVolume'; ErrorAction = 'SilentlyContinue' }
$system = Get-CimInstance @encryption | Where-Object { $_.DriveLetter -eq $env:SystemDrive }
if ($system -and (Invoke-CimMethod -InputObject $system -MethodName GetConversionStatus).ConversionStatus -ne 0) {
    Invoke-Program manage-bde.exe '-off', $env:SystemDrive | Out-Null
    while ((Invoke-CimMethod -InputObject $system -MethodName GetConversionStatus).ConversionStatus -ne 0) {
        Write-Console 'maas: waits until the disk is decrypted' | Out-Null
        Start-Sleep -Seconds 30
    }
}

# Some servers have a console of their own on the serial port.
if (-not (Write-Console 'maas: the console works')) {
    Invoke-Program bcdedit.exe '/ems', 'off' | Out-Null
    'restart'
}
