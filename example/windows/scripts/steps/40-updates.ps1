# All that Windows Update offers without being asked, if the template says so.
param($Settings, $Media)

if (-not $Settings.updates) { return }
if ($Settings.proxy) {
    $proxy = $Settings.proxy -replace '^https?://', '' -replace '/$', ''
    Invoke-Program netsh.exe 'winhttp', 'set', 'proxy', $proxy | Out-Null
}

$session = New-Object -ComObject Microsoft.Update.Session
$found = $session.CreateUpdateSearcher().Search("IsInstalled=0 and IsHidden=0 and Type='Software' and BrowseOnly=0").Updates
$wanted = New-Object -ComObject Microsoft.Update.UpdateColl
foreach ($update in $found) {
    if ($update.InstallationBehavior.CanRequestUserInput) { continue }
    $update.AcceptEula()
    $wanted.Add($update) | Out-Null
    Write-Console "maas: update: $($update.Title)" | Out-Null
}
if ($wanted.Count -eq 0) { return }

$downloader = $session.CreateUpdateDownloader()
$downloader.Updates = $wanted
$result = $downloader.Download()
# 2 is done, 3 is done with errors: the next round tries again what is missing.
if ($result.ResultCode -notin 2, 3) { throw "Windows Update did not download: result $($result.ResultCode), $('{0:x}' -f $result.HResult)" }
$installer = $session.CreateUpdateInstaller()
$installer.Updates = $wanted
$result = $installer.Install()
if ($result.ResultCode -notin 2, 3) { throw "Windows Update did not install: result $($result.ResultCode), $('{0:x}' -f $result.HResult)" }

# Until there is nothing more: some updates are offered only after others.
'again'
