package exampletest

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// documented are settings of Windows' answer files, each with its component,
// the passes in which it is valid, and the form of its value; * marks elements
// of lists. Source: Microsoft, Unattended Windows Setup Reference.
const documented = `
Microsoft-Windows-International-Core-WinPE windowsPE SetupUILanguage/UILanguage language
Microsoft-Windows-International-Core-WinPE windowsPE InputLocale keyboard
Microsoft-Windows-International-Core-WinPE windowsPE SystemLocale language
Microsoft-Windows-International-Core-WinPE windowsPE UILanguage language
Microsoft-Windows-International-Core-WinPE windowsPE UserLocale language

Microsoft-Windows-Setup windowsPE DiskConfiguration/WillShowUI ui
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/DiskID number
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/WillWipeDisk boolean
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/CreatePartitions/CreatePartition*/Order number
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/CreatePartitions/CreatePartition*/Type partition
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/CreatePartitions/CreatePartition*/Size number
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/CreatePartitions/CreatePartition*/Extend boolean
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/ModifyPartitions/ModifyPartition*/Order number
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/ModifyPartitions/ModifyPartition*/PartitionID number
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/ModifyPartitions/ModifyPartition*/Format filesystem
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/ModifyPartitions/ModifyPartition*/Label label
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/ModifyPartitions/ModifyPartition*/Letter letter
Microsoft-Windows-Setup windowsPE DiskConfiguration/Disk*/ModifyPartitions/ModifyPartition*/TypeID guid
Microsoft-Windows-Setup windowsPE DynamicUpdate/Enable boolean
Microsoft-Windows-Setup windowsPE DynamicUpdate/WillShowUI ui
Microsoft-Windows-Setup windowsPE ImageInstall/OSImage/WillShowUI ui
Microsoft-Windows-Setup windowsPE ImageInstall/OSImage/InstallFrom/MetaData*/Key image
Microsoft-Windows-Setup windowsPE ImageInstall/OSImage/InstallFrom/MetaData*/Value text
Microsoft-Windows-Setup windowsPE ImageInstall/OSImage/InstallTo/DiskID number
Microsoft-Windows-Setup windowsPE ImageInstall/OSImage/InstallTo/PartitionID number
Microsoft-Windows-Setup windowsPE RunSynchronous/RunSynchronousCommand*/Order number
Microsoft-Windows-Setup windowsPE RunSynchronous/RunSynchronousCommand*/Description text
Microsoft-Windows-Setup windowsPE RunSynchronous/RunSynchronousCommand*/Path command
Microsoft-Windows-Setup windowsPE UserData/AcceptEula boolean
Microsoft-Windows-Setup windowsPE UserData/ProductKey/Key key
Microsoft-Windows-Setup windowsPE UserData/ProductKey/WillShowUI ui

Microsoft-Windows-Deployment auditUser,specialize RunSynchronous/RunSynchronousCommand*/Order number
Microsoft-Windows-Deployment auditUser,specialize RunSynchronous/RunSynchronousCommand*/Description text
Microsoft-Windows-Deployment auditUser,specialize RunSynchronous/RunSynchronousCommand*/Path command
Microsoft-Windows-Deployment auditUser,specialize RunSynchronous/RunSynchronousCommand*/WillReboot reboot

Microsoft-Windows-International-Core specialize,oobeSystem InputLocale keyboard
Microsoft-Windows-International-Core specialize,oobeSystem SystemLocale language
Microsoft-Windows-International-Core specialize,oobeSystem UILanguage language
Microsoft-Windows-International-Core specialize,oobeSystem UserLocale language

Microsoft-Windows-Shell-Setup specialize ComputerName computer
Microsoft-Windows-Shell-Setup specialize ProductKey key
Microsoft-Windows-Shell-Setup specialize,auditSystem,oobeSystem TimeZone text
Microsoft-Windows-Shell-Setup oobeSystem OOBE/HideEULAPage boolean
Microsoft-Windows-Shell-Setup oobeSystem OOBE/HideOEMRegistrationScreen boolean
Microsoft-Windows-Shell-Setup oobeSystem OOBE/HideOnlineAccountScreens boolean
Microsoft-Windows-Shell-Setup oobeSystem OOBE/HideWirelessSetupInOOBE boolean
Microsoft-Windows-Shell-Setup oobeSystem OOBE/ProtectYourPC protect
Microsoft-Windows-Shell-Setup oobeSystem OOBE/SkipMachineOOBE boolean
Microsoft-Windows-Shell-Setup oobeSystem OOBE/SkipUserOOBE boolean
Microsoft-Windows-Shell-Setup specialize,auditSystem,oobeSystem AutoLogon/Username text
Microsoft-Windows-Shell-Setup specialize,auditSystem,oobeSystem AutoLogon/Password/Value text
Microsoft-Windows-Shell-Setup specialize,auditSystem,oobeSystem AutoLogon/Password/PlainText boolean
Microsoft-Windows-Shell-Setup specialize,auditSystem,oobeSystem AutoLogon/Enabled boolean
Microsoft-Windows-Shell-Setup specialize,auditSystem,oobeSystem AutoLogon/LogonCount number
Microsoft-Windows-Shell-Setup auditSystem,oobeSystem UserAccounts/AdministratorPassword/Value text
Microsoft-Windows-Shell-Setup auditSystem,oobeSystem UserAccounts/AdministratorPassword/PlainText boolean
Microsoft-Windows-Shell-Setup auditSystem,oobeSystem UserAccounts/LocalAccounts/LocalAccount*/Name text
Microsoft-Windows-Shell-Setup auditSystem,oobeSystem UserAccounts/LocalAccounts/LocalAccount*/Group text
Microsoft-Windows-Shell-Setup auditSystem,oobeSystem UserAccounts/LocalAccounts/LocalAccount*/Password/Value text
Microsoft-Windows-Shell-Setup auditSystem,oobeSystem UserAccounts/LocalAccounts/LocalAccount*/Password/PlainText boolean
Microsoft-Windows-Shell-Setup oobeSystem FirstLogonCommands/SynchronousCommand*/Order number
Microsoft-Windows-Shell-Setup oobeSystem FirstLogonCommands/SynchronousCommand*/Description text
Microsoft-Windows-Shell-Setup oobeSystem FirstLogonCommands/SynchronousCommand*/CommandLine line
`

// forms are those of the values. Packer shows a secret as SECRET.
var forms = map[string]*regexp.Regexp{
	"boolean":    regexp.MustCompile(`^(true|false)$`),
	"command":    regexp.MustCompile(`^.{1,259}$`),
	"computer":   regexp.MustCompile(`^(\*|[A-Za-z0-9-]{1,15})$`),
	"filesystem": regexp.MustCompile(`^(NTFS|FAT32)$`),
	"guid":       regexp.MustCompile(`^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`),
	"image":      regexp.MustCompile(`^/IMAGE/(INDEX|NAME|DESCRIPTION)$`),
	"key":        regexp.MustCompile(`^(SECRET|([A-Z0-9]{5}-){4}[A-Z0-9]{5})$`),
	"keyboard":   regexp.MustCompile(`^([a-z]{2,3}(-[A-Za-z]+)*|[0-9a-f]{4}:[0-9a-f]{8})$`),
	"label":      regexp.MustCompile(`^\w{1,11}$`),
	"language":   regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z]+)*$`),
	"letter":     regexp.MustCompile(`^[C-Z]$`),
	"line":       regexp.MustCompile(`^.{1,1000}$`),
	"number":     regexp.MustCompile(`^\d+$`),
	"partition":  regexp.MustCompile(`^(EFI|Extended|Logical|MSR|Primary)$`),
	"protect":    regexp.MustCompile(`^[123]$`),
	"reboot":     regexp.MustCompile(`^(Always|Never|OnRequest)$`),
	"text":       regexp.MustCompile(`^.+$`),
	"ui":         regexp.MustCompile(`^(Always|Never|OnError)$`),
}

const (
	unattendSpace = "urn:schemas-microsoft-com:unattend"
	wcmSpace      = "http://schemas.microsoft.com/WMIConfig/2002/State"
)

// element is any of XML.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Elements []element  `xml:",any"`
}

func (e *element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// settingsOf has the values at pass/component/path, in their order.
type settingsOf map[string][]string

// unattendReader collects the settings, and what is not as documented.
type unattendReader struct {
	known    map[string][]string // component and path: passes and form
	found    settingsOf
	problems []string
}

// readUnattend reads an answer file, and says what Windows would not take.
func readUnattend(text string) (settingsOf, []string) {
	r := &unattendReader{known: map[string][]string{}, found: settingsOf{}}
	for line := range strings.Lines(documented) {
		if words := strings.Fields(line); len(words) == 4 {
			r.known[words[0]+"/"+words[2]] = []string{words[1], words[3]}
		}
	}
	var root element
	if err := xml.Unmarshal([]byte(text), &root); err != nil {
		return nil, []string{err.Error()}
	}
	if root.XMLName != (xml.Name{Space: unattendSpace, Local: "unattend"}) {
		r.problem("the root is %v", root.XMLName)
	}
	for _, pass := range root.Elements {
		if pass.XMLName.Local != "settings" {
			r.problem("%s is no settings", pass.XMLName.Local)
		}
		for _, component := range pass.Elements {
			r.component(pass.attr("pass"), component)
		}
	}
	return r.found, r.problems
}

func (r *unattendReader) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *unattendReader) component(pass string, c element) {
	name := c.attr("name")
	for attr, want := range map[string]string{
		"processorArchitecture": "amd64", "publicKeyToken": "31bf3856ad364e35", "language": "neutral", "versionScope": "nonSxS",
	} {
		if got := c.attr(attr); got != want {
			r.problem("%s: %s is %q", name, attr, got)
		}
	}
	r.below(pass, name, "", c)
}

// below reads what is in an element.
func (r *unattendReader) below(pass, component, path string, e element) {
	orders := map[string]int{}
	for _, child := range e.Elements {
		at := strings.TrimPrefix(path+"/"+child.XMLName.Local, "/")
		if child.XMLName.Space != unattendSpace {
			r.problem("%s is not in Windows' name space", at)
		}
		if r.isList(component, at+"*") {
			at += "*"
			orders[at]++
			r.listed(at, orders[at], child)
		} else if len(child.Attrs) > 0 {
			r.problem("%s has attributes: %v", at, child.Attrs)
		}
		if len(child.Elements) > 0 {
			r.below(pass, component, at, child)
			continue
		}
		r.setting(pass, component, at, strings.TrimSpace(child.Text))
	}
}

// isList says whether a path is documented as that of a list's elements.
func (r *unattendReader) isList(component, path string) bool {
	for known := range r.known {
		if strings.HasPrefix(known, component+"/"+path+"/") {
			return true
		}
	}
	return false
}

// listed checks what all elements of lists have in common.
func (r *unattendReader) listed(path string, n int, e element) {
	if len(e.Attrs) != 1 || e.Attrs[0].Name != (xml.Name{Space: wcmSpace, Local: "action"}) || e.Attrs[0].Value != "add" {
		r.problem("%s needs wcm:action=\"add\" alone: %v", path, e.Attrs)
	}
	for _, child := range e.Elements {
		if child.XMLName.Local == "Order" && child.Text != strconv.Itoa(n) {
			r.problem("%s %d has the order %s", path, n, child.Text)
		}
	}
}

func (r *unattendReader) setting(pass, component, path, value string) {
	known := r.known[component+"/"+path]
	switch {
	case known == nil:
		r.problem("%s has no setting %s", component, path)
	case !strings.Contains(","+known[0]+",", ","+pass+","):
		r.problem("%s, %s is not valid in the pass %s", component, path, pass)
	case !forms[known[1]].MatchString(value):
		r.problem("%s, %s: %q is no %s", component, path, value, known[1])
	}
	at := pass + "/" + component + "/" + strings.ReplaceAll(path, "*", "")
	r.found[at] = append(r.found[at], value)
}

// TestUnattendMistakes has the table find mistakes that Windows would fail for,
// or ignore.
func TestUnattendMistakes(t *testing.T) {
	right := windows(t, "windows11", "local.answers")
	if _, problems := readUnattend(right); len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, mistake := range [][2]string{
		{`pass="specialize"`, `pass="generalize"`},
		{`pass="oobeSystem"`, `pass="specialize"`},
		{`pass="windowsPE"`, `pass="WindowsPE"`},
		{"<ProtectYourPC>3<", "<ProtectYourPC>0<"},
		{"HideEULAPage>", "HideEulaPage>"},
		{`name="Microsoft-Windows-Deployment"`, `name="Microsoft-Windows-Setup"`},
		{`<CreatePartition wcm:action="add">`, `<CreatePartition>`},
		{`<LocalAccount wcm:action="add">`, `<LocalAccount wcm:action="modify">`},
		{`<Order>2</Order>`, `<Order>3</Order>`},
		{`<Type>EFI<`, `<Type>ESP<`},
		{`versionScope="nonSxS"`, ``},
		{`<WillShowUI>OnError<`, `<WillShowUI>onError<`},
		{`reg.exe add`, strings.Repeat("x", 260)},
		{`</OOBE>`, `</Oobe>`},
		{wcmSpace, wcmSpace + "s"},
		{`<Key>/IMAGE/NAME<`, `<Key>NAME<`},
		{`<DiskID>0</DiskID>`, `<DiskID></DiskID>`},
	} {
		wrong := strings.Replace(right, mistake[0], mistake[1], 1)
		if wrong == right {
			t.Errorf("%s is not there", mistake[0])
		}
		if _, problems := readUnattend(wrong); len(problems) == 0 {
			t.Errorf("not found: %s in place of %s", mistake[1], mistake[0])
		}
	}
}
