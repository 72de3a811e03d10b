package check

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

const (
	// debianSources is the file that the package of Debian and Ubuntu writes
	// the data sources to, and curtin with it. The files are read in the order
	// of their names, and the last one counts.
	debianSources = "90_dpkg.cfg"
	// curtinNetwork is the file with the machine's network, by curtin.
	curtinNetwork = "50-curtin-networking.cfg"
)

var (
	cloudSources  = regexp.MustCompile(`(?m)^\s*datasource_list\s*:((?:[^\S\n]*\[[^]]*\])|(?:[^\S\n]*\n(?:\s*-[^\n]*\n?)*))`)
	cloudNetwork  = regexp.MustCompile(`(?m)^network\s*:`)
	cloudConfigs  = "etc/cloud/cloud.cfg.d/*.cfg"
	cloudUnits    = []string{"cloud-init-local.service", "cloud-init.service", "cloud-init-main.service", "cloud-init-network.service", "cloud-config.service", "cloud-final.service"}
	cloudDisabled = regexp.MustCompile(`(^|[\s"'=])cloud-init=disabled`)
)

var cloudChecks = []Check{
	{
		"cloud-init", Error, linux, func(s *subject) []string {
			return one(!s.has("cloud-init") && !s.hookDoes("cloud-init"), "there is no cloud-init")
		},
		"install the package cloud-init",
		"MAAS runs cloud-init --version at the end of a deployment, and counts a machine as deployed when its cloud-init reports: it fails after half an hour",
		"MAAS, maasserver/preseed.py and metadataserver/api.py; tried",
	}, {
		"cloud-init-maas", Error, linux, func(s *subject) []string {
			if !s.has("cloud-init") {
				return nil
			}
			return append(one(s.Tree.Anywhere("DataSourceMAAS.py") == "", "cloud-init has no data source for MAAS (DataSourceMAAS.py)"),
				one(s.Tree.Anywhere("oauthlib") == "", "there is no oauthlib, with which cloud-init signs its requests")...)
		},
		"install the distribution's own cloud-init, and the package python3-oauthlib",
		"cloud-init cannot report to MAAS: the machine stays in the state Deploying, and fails after half an hour",
		"cloud-init, cloudinit/url_helper.py",
	}, {
		"cloud-init-on", Error, linux, checkCloudOn,
		"enable it: remove /etc/cloud/cloud-init.disabled, unmask and enable its services",
		"the machine starts, and MAAS never hears of it: the deployment fails after half an hour",
		"cloud-init, \"Disable cloud-init\"; MAAS, metadataserver/api.py",
	}, {
		"cloud-init-source", Error, linux, checkCloudSource,
		"add MAAS to the list, or remove the file, so that curtin's own counts",
		"cloud-init does not ask MAAS, and the deployment fails after half an hour",
		"cloud-init reads the files in the order of their names; curtin's is 90_dpkg.cfg or 90_maas_datasource.cfg",
	}, {
		"cloud-init-network", Warning, linux, checkCloudNetwork,
		"remove the file in the build",
		"it wins over the network that MAAS gives the machine",
		"cloud-init, \"Network configuration\"; curtin writes 50-curtin-networking.cfg",
	}, {
		"cloud-init-seed", Warning, linux, func(s *subject) []string {
			return s.existing("var/lib/cloud/seed/*")
		},
		"remove it in the build: cloud-init clean --seed",
		"what the build told cloud-init, passwords included, is on every machine",
		"cloud-init, NoCloud",
	}, {
		"cloud-init-state", Warning, linux, func(s *subject) []string {
			return s.existing("var/lib/cloud/instance", "var/lib/cloud/instances/*")
		},
		"run cloud-init clean at the end of the build; of a tarball, leave cloud-init out of keep_identity",
		"what is done once in a machine's life counts as done, and the build's data stays readable",
		"cloud-init, \"First boot determination\"",
	}, {
		"netplan", Error, linux, func(s *subject) []string {
			return one(strings.HasPrefix(s.BaseImage, "ubuntu/") && s.isCustom() && !s.has("netplan"),
				fmt.Sprintf("there is no netplan, and the base image is %s", s.BaseImage))
		},
		"install netplan.io, or take a base image of the other kind, such as rhel/9",
		"MAAS runs netplan info at the end of such a deployment, which fails then",
		"MAAS, maasserver/preseed.py; tried",
	},
}

func checkCloudOn(s *subject) []string {
	var found []string
	if s.Tree.Exists("etc/cloud/cloud-init.disabled") {
		found = append(found, "there is a file /etc/cloud/cloud-init.disabled")
	}
	for _, unit := range cloudUnits {
		if s.masked(unit) {
			found = append(found, unit+" is masked")
		}
	}
	if s.has("cloud-init") && s.Tree.IsFolder("etc/systemd/system") && !s.enabled(cloudUnits...) {
		found = append(found, "no service of cloud-init is enabled")
	}
	for _, line := range lines(s.Tree.Text("etc/cloud/ds-identify.cfg")) {
		if strings.HasPrefix(line, "policy:") && strings.Contains(line, "disabled") {
			found = append(found, "/etc/cloud/ds-identify.cfg says "+quoted(line))
		}
	}
	return append(found, s.grubLines(cloudDisabled)...)
}

func checkCloudSource(s *subject) []string {
	var found []string
	for _, text := range s.Tree.Texts(cloudConfigs) {
		list := cloudSources.FindStringSubmatch(text.Content)
		if list == nil || path.Base(text.Path) <= debianSources {
			continue // curtin's file, which comes later, counts
		}
		if !strings.Contains(list[1], "MAAS") {
			found = append(found, fmt.Sprintf("/%s sets %s", text.Path, quoted(strings.Join(strings.Fields(list[0]), " "))))
		}
	}
	return found
}

func checkCloudNetwork(s *subject) []string {
	var found []string
	for _, text := range s.Tree.Texts(cloudConfigs) {
		if cloudNetwork.MatchString(text.Content) && path.Base(text.Path) > curtinNetwork {
			found = append(found, fmt.Sprintf("/%s sets the network", text.Path))
		}
	}
	return found
}
