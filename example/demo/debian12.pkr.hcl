# Boots a Debian 12 disk, changes it as an administrator would, and packs what
# comes out as an image for MAAS.
#
#   packer init .
#   packer build -var disk=debian12.qcow2 .
#
# `make demo` in the project's root folder makes the disk first, with
# scripts/debian-disk.sh, and needs nothing installed. Any other cloud image
# with cloud-init is as good.

packer {
  required_version = ">= 1.12.0"
  required_plugins {
    maas = {
      version = ">= 0.1.0"
      source  = "github.com/packer-maas/maas"
    }
  }
}

variable "disk" {
  type        = string
  description = "The disk to start from, a qcow2. It is copied, never changed."
}

variable "output" {
  type        = string
  default     = "debian12.tar.gz"
  description = "Where the image goes. Not into build_folder: Packer deletes that."
}

variable "build_folder" {
  type        = string
  default     = "output-debian12"
  description = "Where the virtual machine's disk is while it is built."
}

# The account that Packer works with. It exists while the image is built only,
# and each build makes a password of its own for it.
local "password" {
  expression = uuidv4()
  sensitive  = true
}

locals {
  account = "packer"
  user_data = "#cloud-config\n${yamlencode({
    ssh_pwauth = true
    users = [{
      name              = local.account
      plain_text_passwd = local.password
      lock_passwd       = false
      shell             = "/bin/bash"
      sudo              = "ALL=(ALL) NOPASSWD:ALL"
    }]
  })}"
}

source "maas-qemu" "debian12" {
  # The disk is the "ISO" of a build that starts from a disk.
  disk_image       = true
  iso_url          = var.disk
  iso_checksum     = "none"
  output_directory = var.build_folder
  vm_name          = "debian12.qcow2"

  # cloud-init takes its settings from a volume with this label.
  seed {
    label = "cidata"
    content = {
      "meta-data" = "instance-id: ${local.account}\n"
      "user-data" = local.user_data
    }
  }

  ssh_username = local.account
  ssh_password = local.password

  # Whatever belongs to the account goes at the very end: it is in use until
  # then.
  shutdown_command = "sudo sh /var/lib/packer-cleanup ${local.account}"
}

build {
  sources = ["source.maas-qemu.debian12"]

  provisioner "shell" {
    script          = "${path.root}/provision.sh"
    execute_command = "sudo env {{ .Vars }} sh '{{ .Path }}'"
  }

  post-processor "maas-image" {
    output       = var.output
    curtin_hooks = "${path.root}/curtin"

    # To the region that MAAS_URL and MAAS_API_KEY name, if they are set.
    upload {
      optional   = true
      name       = "debian12"
      title      = "Debian 12"
      base_image = "ubuntu/noble"
    }
  }
}
