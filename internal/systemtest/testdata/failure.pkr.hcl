# Debian, started by its kernel as an installer is, in a way that cannot end well.

packer {
  required_plugins {
    maas = { version = ">= 0.1.0", source = "github.com/packer-maas/maas" }
  }
}

variable "disk" { type = string }
variable "iso" { type = string }
variable "folder" { type = string }
variable "arguments" { type = string }

source "maas-qemu" "debian" {
  architecture     = "amd64"
  iso_url          = var.iso
  iso_checksum     = "none"
  kernel           = "/images/pxeboot/vmlinuz"
  initrd           = "/images/pxeboot/initrd.img"
  kernel_arguments = var.arguments
  qemu_img_args {
    create = ["-F", "qcow2", "-b", var.disk]
  }
  disk_size        = "8G"
  memory           = 1024
  vm_name          = "debian12.qcow2"
  output_directory = "${var.folder}/build"
  stall_timeout    = "10m"
  shutdown_timeout = "10m"

  # What cloud-init does not understand.
  seed {
    label   = "cidata"
    content = { "meta-data" = "instance-id: test\n", "user-data" = "#cloud-config\nusers: [\n" }
  }
}

build {
  sources = ["source.maas-qemu.debian"]
}
