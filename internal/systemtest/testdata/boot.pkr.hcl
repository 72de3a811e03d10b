# A boot of a disk that exists, prepared by cloud-init; the provisioner says what the
# system sees.

packer {
  required_plugins {
    maas = { version = ">= 0.1.0", source = "github.com/packer-maas/maas" }
  }
}

variable "disk" { type = string }
variable "key" { type = string }
variable "folder" { type = string }
variable "architecture" { type = string }
variable "firmware" { type = string }

source "maas-qemu" "debian" {
  architecture     = var.architecture
  firmware         = var.firmware
  tpm              = true
  disk_image       = true
  iso_url          = var.disk
  iso_checksum     = "none"
  use_backing_file = true
  memory           = 1024
  vm_name          = "debian12.qcow2"
  output_directory = "${var.folder}/build"

  seed {
    label = "cidata"
    content = {
      "meta-data" = "instance-id: test\n"
      "user-data" = "#cloud-config\n${yamlencode({
        write_files = [{ path = "/etc/from-seed", content = "written by cloud-init" }]
        users = [{
          name                = "packer"
          sudo                = "ALL=(ALL) NOPASSWD:ALL"
          ssh_authorized_keys = [trimspace(file("${var.key}.pub"))]
        }]
      })}"
    }
  }

  ssh_username         = "packer"
  ssh_private_key_file = var.key
}

build {
  sources = ["source.maas-qemu.debian"]

  provisioner "shell" {
    script          = "${path.root}/facts.sh"
    execute_command = "sudo sh '{{ .Path }}'"
  }
}
