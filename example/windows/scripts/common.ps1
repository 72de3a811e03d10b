# What all steps use.

$build = "$env:SystemDrive\maas-build"

# Packer reads the machine's serial console. Says whether the line got there.
function Write-Console([string]$Line) {
    $plain = $Line -replace '[^\x20-\x7e]', '?'
    if (Test-Path $build) { Add-Content -Path "$build\build.log" -Value $plain -Encoding ASCII }
    try {
        $port = New-Object System.IO.Ports.SerialPort 'COM1', 115200
        $port.WriteTimeout = 30000
        $port.Open()
        $port.Write("$plain`r`n")
        while ($port.BytesToWrite -gt 0) { Start-Sleep -Milliseconds 20 }
        return $true
    } catch {
        return $false
    } finally {
        if ($port) { $port.Dispose() }
    }
}

# The end of a log, for whoever finds out why a step failed.
function Write-Log([string]$Path, [int]$Lines = 40) {
    if (-not (Test-Path $Path)) { return }
    Write-Console "maas| $Path" | Out-Null
    Get-Content -Path $Path -Tail $Lines | ForEach-Object { Write-Console "maas| $_" | Out-Null }
}

# Ends the build on Packer's side. The machine stays on, for powering off means success.
function Stop-Build([string]$Step, [string]$Why) {
    Write-Console "maas: failed: ${Step}: $Why" | Out-Null
}

# Starts the machine again, and the build with it, from a step on.
function Restart-Build([int]$Next) {
    Set-Content -Path "$build\next" -Value $Next
    $again = "powershell.exe -NoProfile -ExecutionPolicy Bypass -File $build\build.ps1"
    Set-ItemProperty -Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce' -Name 'maas-build' -Value $again
    Write-Console 'maas: restarts' | Out-Null
    Restart-Computer -Force
}

# The volume that the build started from: its letter can change.
function Get-Media {
    $found = Get-PSDrive -PSProvider FileSystem | Where-Object { Test-Path ($_.Root + 'maas\build.ps1') }
    if (-not $found) { throw 'the volume with the build''s files is gone' }
    return @($found)[0].Root
}

# Runs a program to its end. What it may return but 0 has to be named.
function Invoke-Program([string]$Program, [string[]]$Arguments, [int[]]$Allowed = @(0)) {
    $options = @{ FilePath = $Program; Wait = $true; PassThru = $true; NoNewWindow = $true }
    if ($Arguments) { $options.ArgumentList = $Arguments }
    $options.RedirectStandardOutput = "$build\program.log"
    $options.RedirectStandardError = "$build\program.err"
    $process = Start-Process @options
    if ($Allowed -notcontains $process.ExitCode) {
        Write-Log "$build\program.log"
        Write-Log "$build\program.err" 12
        throw "$Program $Arguments returned $($process.ExitCode)"
    }
    return $process.ExitCode
}

# Where a file is that the build was given: on its volume, or fetched now. Nothing for one
# that was not asked for.
function Get-Given($Source, [string]$Media, [string]$Proxy) {
    $target = "$build\$($Source.file)"
    if ($Source.path) {
        Copy-Item -Path "${Media}given\$($Source.file)" -Destination $target -Force
        return $target
    }
    if (-not $Source.url) { return }
    Save-Url $Source.url $target $Proxy
    if ($Source.sha256) {
        $sum = (Get-FileHash -Path $target -Algorithm SHA256).Hash
        if ($sum -ne $Source.sha256) { throw "$($Source.url) has the SHA-256 $sum, not $($Source.sha256)" }
        return $target
    }
    if (-not $Source.signer) { throw "there is no checksum for $($Source.url)" }
    $signature = Get-AuthenticodeSignature -FilePath $target
    if ($signature.Status -ne 'Valid' -or $signature.SignerCertificate.Subject -notlike "*$($Source.signer)*") {
        throw "$($Source.url) is not signed by $($Source.signer), and there is no checksum for it"
    }
    return $target
}

# Fetches a file. A network that has just come up gets some tries.
function Save-Url([string]$Url, [string]$Target, [string]$Proxy) {
    [Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12
    # Not a browser's name, from which some servers ask for proof of a person.
    $options = @{ Uri = $Url; OutFile = $Target; UseBasicParsing = $true; UserAgent = 'packer-plugin-maas' }
    if ($Proxy) { $options.Proxy = $Proxy }
    Write-Console "maas: fetches $Url" | Out-Null
    for ($try = 1; ; $try++) {
        try {
            Invoke-WebRequest @options
            return
        } catch {
            if ($try -ge 5) { throw "fetch ${Url}: $_" }
            Start-Sleep -Seconds (10 * $try)
        }
    }
}

# Whether Windows waits to be restarted, with which it cannot be generalized.
function Test-Restart {
    $servicing = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending'
    $updates = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired'
    return (Test-Path $servicing) -or (Test-Path $updates)
}

# Adds a folder's drivers to Windows' store. Whoever signed them is trusted, or Windows would
# ask.
function Add-Drivers([string]$Folder) {
    $store = New-Object System.Security.Cryptography.X509Certificates.X509Store 'TrustedPublisher', 'LocalMachine'
    $store.Open('ReadWrite')
    foreach ($catalog in Get-ChildItem -LiteralPath $Folder -Filter *.cat -Recurse) {
        $signature = Get-AuthenticodeSignature -LiteralPath $catalog.FullName
        if ($signature.Status -eq 'Valid') { $store.Add($signature.SignerCertificate) }
    }
    $store.Close()
    # 259: no device here needs one of them; 3010: one does after a restart.
    Invoke-Program pnputil.exe '/add-driver', "`"$Folder\*.inf`"", '/subdirs', '/install' 0, 259, 3010 | Out-Null
}
