# An image for MAAS of VMware ESXi 6.7 to 9. What makes one version different is in its
# variable file; docs/esxi.md tells the whole way to a machine that is deployed.
#
#   packer init .
#   packer build -var-file=esxi8.pkrvars.hcl -var vmware_esxi_iso_path=VMware-VMvisor-Installer-8.0U3.iso .

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
  # Of all kinds of characters that ESXi's rules for passwords ask for, in the middle,
  # where they count.
  generated     = "${substr(uuidv4(), 0, 23)}-Mx.s"
  root_password = var.root_password != "" ? var.root_password : local.generated

  kickstart = var.kickstart != "" ? file(abspath(var.kickstart)) : templatefile("KS.CFG.pkrtpl.hcl", {
    install     = var.install_options
    license_key = var.license_key
    root        = startswith(local.root_password, "$") ? "--iscrypted ${local.root_password}" : local.root_password
    settings = jsonencode({
      ssh   = var.ssh
      shell = var.shell
      vcenter = {
        server     = var.vcenter_server
        username   = var.vcenter_username
        password   = var.vcenter_password
        datacenter = var.vcenter_datacenter
        ca         = var.vcenter_ca != "" ? file(abspath(var.vcenter_ca)) : ""
      }
    })
  })

  # ESXi's installer starts by its own boot loader only, which has to be told where its
  # answers are. Nothing is typed at a guessed moment: a key that changes nothing is
  # pressed once a second, which stops the boot loader's countdown whenever it comes.
  options = " ks=usb:/KS.CFG com1_Port=0x3f8 tty2Port=com1 ${var.boot_options}<enter>"
  boot_command = {
    # ISOLINUX counts 8 seconds: Tab shows the line to add to, and is nothing in it.
    bios = [join("", [for second in range(var.boot_wait) : "<tab><wait1s>"]), local.options]
    # VMware's own counts 5 seconds and starts over at each key; Shift+O shows the line.
    uefi = [join("", [for second in range(var.boot_wait) : "<up><wait1s>"]), "O<wait1s>", local.options]
  }
}

source "maas-qemu" "esxi" {
  architecture     = "amd64"
  firmware         = var.firmware
  iso_url          = var.vmware_esxi_iso_path
  iso_checksum     = "none"
  output_directory = "output-${var.name}"
  vm_name          = "${var.name}.qcow2"
  headless         = var.headless

  # A machine whose every part this version has a driver for.
  machine_type   = "q35"
  cpus           = 4
  memory         = var.memory
  disk_size      = var.disk_size
  disk_interface = var.disk_interface
  net_device     = var.net_device

  boot_wait    = "1s"
  boot_command = local.boot_command[var.firmware]
  seed {
    label   = "KS"
    media   = "usb"
    content = { "KS.CFG" = local.kickstart }
  }
  shutdown_timeout = var.timeout
  communicator     = "none"
}

build {
  sources = ["source.maas-qemu.esxi"]

  post-processors {
    post-processor "maas-image" {
      filetype = "ddgz"
      output   = var.filename != "" ? var.filename : "${var.name}.dd.gz"

      # Onto the volume that ESXi calls altbootbank, from where its first boot runs them.
      curtin_hooks = "${path.root}/curtin"
      root         = "6"

      # To the region that MAAS_URL and MAAS_API_KEY name, if they are set.
      upload {
        optional     = true
        name         = var.maas_name
        title        = var.title
        architecture = "amd64/generic"
      }
    }

    # A password that was generated is told once, here, and kept nowhere. After the image:
    # by itself, this post-processor would keep the build's disk.
    post-processor "shell-local" {
      environment_vars = ["GENERATED=${var.root_password == "" && var.kickstart == "" ? local.generated : ""}"]
      inline           = ["test -z \"$GENERATED\" || echo \"root's password in the image: $GENERATED\""]
    }
  }
}
