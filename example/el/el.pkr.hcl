# An image for MAAS of a system of the Enterprise Linux family: RHEL, CentOS, Oracle Linux,
# Rocky, Alma, Fedora, openEuler. What makes one of them different is in its variable file.
#
#   packer init .
#   packer build -var-file=rocky9.pkrvars.hcl .
#   packer build -var-file=rhel8.pkrvars.hcl -var iso_path=rhel-8.10-x86_64-dvd.iso .

packer {
  required_version = ">= 1.12.0"
  required_plugins {
    maas = {
      version = ">= 0.1.0"
      source  = "github.com/packer-maas/maas"
    }
  }
}

locals {
  machine = var.architecture == "arm64" ? "aarch64" : "x86_64"

  # The installer's media: a file of one's own, or the system's download.
  iso          = var.iso_path != "" ? var.iso_path : lookup(var.iso_url, var.architecture, "")
  iso_checksum = var.iso_path != "" ? "none" : lookup(var.iso_checksum, var.architecture, "none")

  # The packages: from the media, or from a mirror. KS_MIRROR stands in for the part of
  # every address before the first folder that mirrors have in common.
  base_url = replace(local.from_mirror["base"], "$basearch", local.machine)
  from_mirror = {
    for name, url in merge({ base = "" }, var.repositories) :
    name => var.ks_mirror == "" || var.mirror == "" ? url : replace(url, var.mirror, trimsuffix(var.ks_mirror, "/"))
  }
  repositories = {
    for name, url in local.from_mirror : name => replace(url, "$basearch", local.machine) if name != "base"
  }

  # What curtin asks for on machines with BIOS and with UEFI: with it in the image, a
  # deployment needs no network.
  boot_packages = {
    amd64 = ["grub2-pc", "grub2-pc-modules", "grub2-efi-x64", "shim-x64"]
    arm64 = ["grub2-efi-aa64", "shim-aa64"]
  }
  packages = concat(
    [
      "bash-completion", "cloud-init", "cloud-utils-growpart", "device-mapper-multipath", "dosfstools",
      "dracut-config-generic", "-dracut-config-rescue", "e2fsprogs", "efibootmgr", "iscsi-initiator-utils",
      "kernel", "linux-firmware", "lvm2", "mdadm", "-plymouth", "rsync", "tar", "xfsprogs",
      var.release < 8 ? "python2-oauthlib" : "python3-oauthlib",
    ],
    local.boot_packages[var.architecture], var.system_packages, var.packages,
  )

  kickstart = var.kickstart != "" ? file(abspath(var.kickstart)) : templatefile("el.ks.pkrtpl.hcl", {
    base_url         = local.base_url
    build_account    = local.build_account
    filesystem       = var.filesystem
    packages         = local.packages
    packages_options = var.ignore_missing_packages ? " --ignoremissing" : ""
    password         = local.password
    provision        = var.provision
    proxy            = var.ks_proxy != "" ? var.ks_proxy : var.http_proxy
    release          = var.release
    repositories     = local.repositories
    user             = var.user
  })

  build_account = "packer"
}

# Of the accounts that exist during the build only; each build makes its own.
local "password" {
  expression = uuidv4()
  sensitive  = true
}

source "maas-qemu" "el" {
  architecture     = var.architecture
  firmware         = var.architecture == "arm64" ? "uefi" : "bios"
  iso_url          = local.iso
  iso_checksum     = local.iso_checksum
  disk_size        = var.disk_size
  output_directory = "output-${var.name}"
  vm_name          = "${var.name}.qcow2"
  headless         = var.headless
  memory           = 4096

  # The installer starts from the ISO's own kernel, and finds the rest of itself and its
  # answers by the labels of the ISO and of the seed.
  kernel           = "/images/pxeboot/vmlinuz"
  initrd           = "/images/pxeboot/initrd.img"
  kernel_arguments = "inst.stage2=hd:LABEL={{ .ISOLabel }} inst.ks=hd:LABEL=OEMDRV:/ks.cfg inst.text inst.cmdline ip=dhcp"
  seed {
    label   = "OEMDRV"
    content = { "ks.cfg" = local.kickstart }
  }
  shutdown_timeout = var.timeout

  provision    = var.provision
  communicator = var.provision ? "ssh" : "none"
  ssh_username = local.build_account
  ssh_password = local.password
  ssh_timeout  = "30m"
}

build {
  sources = ["source.maas-qemu.el"]

  # Provisioners go here, such as shell or ansible, with provision = true.

  post-processor "maas-image" {
    output       = var.filename != "" ? var.filename : "${var.name}.tar.gz"
    curtin_hooks = var.hooks || var.architecture == "arm64" ? "${path.root}/curtin" : ""

    # To the region that MAAS_URL and MAAS_API_KEY name, if they are set.
    upload {
      optional     = true
      name         = var.maas_name
      title        = var.title
      architecture = "${var.architecture}/generic"
      base_image   = var.base_image
    }
  }
}
