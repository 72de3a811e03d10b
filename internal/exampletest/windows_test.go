package exampletest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// windows evaluates an expression in the template, for a version.
func windows(t *testing.T, version, expression string, variables ...string) string {
	t.Helper()
	options := []string{"-var-file=" + Variables(t, "windows")[version]}
	for _, variable := range variables {
		options = append(options, "-var", variable)
	}
	text := strings.TrimSpace(Evaluate(t, "windows", expression, nil, options...))
	// What Packer shows of what is secret is no XML.
	return strings.ReplaceAll(text, "<sensitive>", "SECRET")
}

// windowsKey has the form of a product key.
const windowsKey = "ABCDE-12345-FGHIJ-67890-KLMNO"

// windowsCases are the choices that change the answers.
var windowsCases = map[string][]string{
	"iso":             nil,
	"key":             {"product_key=" + windowsKey, "edition=SERVERDATACENTERCORE"},
	"german":          {"language=de-DE", "locale=de-CH", "keyboard=0807:00000807", "time_zone=W. Europe Standard Time", "edition=ENTERPRISE"},
	"vhdx":            {"vhdx_path=disk.vhdx"},
	"vhdx with a key": {"vhdx_path=disk.vhdx", "product_key=" + windowsKey},
}

// TestWindowsAnswers holds the answers of each version and choice to what
// Microsoft documents, and to what the choice means.
func TestWindowsAnswers(t *testing.T) {
	for version := range Variables(t, "windows") {
		for name, variables := range windowsCases {
			t.Run(version+"/"+name, func(t *testing.T) {
				t.Parallel()
				text := windows(t, version, "local.answers", variables...)
				found, problems := readUnattend(text)
				for _, problem := range problems {
					t.Error(problem)
				}
				checkChoice(t, found, version, name)
				if t.Failed() {
					t.Log(text)
				}
			})
		}
	}
}

// images are what Microsoft calls the editions in its ISOs.
var images = map[string]map[string]string{
	"windows2016": {"iso": "Windows Server 2016 SERVERSTANDARD", "key": "Windows Server 2016 SERVERDATACENTERCORE"},
	"windows2019": {"iso": "Windows Server 2019 SERVERSTANDARD", "key": "Windows Server 2019 SERVERDATACENTERCORE"},
	"windows2022": {"iso": "Windows Server 2022 SERVERSTANDARD", "key": "Windows Server 2022 SERVERDATACENTERCORE"},
	"windows2025": {"iso": "Windows Server 2025 SERVERSTANDARD", "key": "Windows Server 2025 SERVERDATACENTERCORE"},
	"windows10":   {"iso": "Windows 10 Pro", "german": "Windows 10 Enterprise"},
	"windows11":   {"iso": "Windows 11 Pro", "german": "Windows 11 Enterprise"},
}

// Places of settings, as readUnattend calls them.
const (
	setup     = "windowsPE/Microsoft-Windows-Setup/"
	installed = setup + "ImageInstall/OSImage/"
	disk0     = setup + "DiskConfiguration/Disk/"
	special   = "specialize/Microsoft-Windows-Shell-Setup/"
	oobe      = "oobeSystem/Microsoft-Windows-Shell-Setup/"
	region    = "oobeSystem/Microsoft-Windows-International-Core/"
)

func checkChoice(t *testing.T, found settingsOf, version, name string) {
	t.Helper()
	client := version == "windows10" || version == "windows11"
	want := map[string][]string{
		special + "ComputerName":                              {"*"},
		special + "TimeZone":                                  {"UTC"},
		oobe + "AutoLogon/Username":                           {"Administrator"},
		oobe + "AutoLogon/Enabled":                            {"true"},
		oobe + "AutoLogon/Password/Value":                     {"SECRET"},
		oobe + "UserAccounts/AdministratorPassword/Value":     {"SECRET"},
		region + "UILanguage":                                 {"en-US"},
		region + "UserLocale":                                 {"en-US"},
		region + "InputLocale":                                {"en-US"},
		setup + "UserData/ProductKey/Key":                     nil,
		special + "ProductKey":                                nil,
		oobe + "UserAccounts/LocalAccounts/LocalAccount/Name": nil,
	}
	if client {
		want[oobe+"UserAccounts/LocalAccounts/LocalAccount/Name"] = []string{"packer-build"}
		want[oobe+"OOBE/HideOnlineAccountScreens"] = []string{"true"}
	}
	if name == "german" {
		want[special+"TimeZone"] = []string{"W. Europe Standard Time"}
		want[region+"UILanguage"] = []string{"de-DE"}
		want[region+"UserLocale"] = []string{"de-CH"}
		want[region+"InputLocale"] = []string{"0807:00000807"}
	}
	if strings.HasSuffix(name, "key") {
		want[special+"ProductKey"] = []string{"SECRET"}
	}
	if strings.HasPrefix(name, "vhdx") {
		for place := range found {
			if strings.HasPrefix(place, "windowsPE/") {
				t.Errorf("%s is for an installer, which does not run", place)
			}
		}
	} else {
		wantInstaller(want, version, name)
	}
	for place, values := range want {
		if !slices.Equal(found[place], values) {
			t.Errorf("%s is %q, want %q", place, found[place], values)
		}
	}
}

// wantInstaller is what the installer alone is told.
func wantInstaller(want map[string][]string, version, name string) {
	want[setup+"UserData/AcceptEula"] = []string{"true"}
	want[disk0+"WillWipeDisk"] = []string{"true"}
	want[disk0+"CreatePartitions/CreatePartition/Type"] = []string{"EFI", "MSR", "Primary", "Primary"}
	want[disk0+"ModifyPartitions/ModifyPartition/Label"] = []string{"System", "Recovery", "Windows"}
	// Windows is the last, and takes what is left.
	want[disk0+"CreatePartitions/CreatePartition/Size"] = []string{"260", "16", "1024"}
	want[disk0+"CreatePartitions/CreatePartition/Extend"] = []string{"true"}
	want[installed+"InstallTo/PartitionID"] = []string{"4"}
	if name == "key" {
		want[setup+"UserData/ProductKey/Key"] = []string{"SECRET"}
	}
	if version == "windowshci" {
		want[installed+"InstallFrom/MetaData/Key"] = []string{"/IMAGE/INDEX"}
		want[installed+"InstallFrom/MetaData/Value"] = []string{"1"}
	} else {
		want[installed+"InstallFrom/MetaData/Key"] = []string{"/IMAGE/NAME"}
		if image := images[version][name]; image != "" {
			want[installed+"InstallFrom/MetaData/Value"] = []string{image}
		}
	}
}

// TestWindowsDeployment is the same for the answers of a machine's first start.
func TestWindowsDeployment(t *testing.T) {
	var content map[string]string
	text := windows(t, "windows2022", "jsonencode(local.content)", "time_zone=Eastern Standard Time")
	if err := json.Unmarshal([]byte(text), &content); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	found, problems := readUnattend(content["maas/deploy.xml"])
	for _, problem := range problems {
		t.Error(problem)
	}
	for place, values := range map[string][]string{
		"specialize/Microsoft-Windows-Deployment/RunSynchronous/RunSynchronousCommand/WillReboot": {"OnRequest"},
		special + "TimeZone":          {"Eastern Standard Time"},
		oobe + "OOBE/SkipMachineOOBE": {"true"},
		oobe + "AutoLogon/Enabled":    nil,
		oobe + "AutoLogon/Username":   nil,
		region + "UILanguage":         {"en-US"},
	} {
		if !slices.Equal(found[place], values) {
			t.Errorf("%s is %q, want %q", place, found[place], values)
		}
	}
	if command := strings.Join(found["specialize/Microsoft-Windows-Deployment/RunSynchronous/RunSynchronousCommand/Path"], ""); !strings.Contains(command, `\conf\cloudbase-init-unattend.conf" && exit 1 || exit 0"`) {
		t.Errorf("the command is %s", command)
	}
	if _, there := content["Autounattend.xml"]; !there || len(content) != 3 {
		t.Errorf("the volume has %d files of text", len(content))
	}
}
